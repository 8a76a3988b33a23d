"""What all tests share: errors are for people, and the grader's sandbox is there or said to be not.

Every error that a test expects must have no address in memory and no traceback in it.
"""

import re
from pathlib import Path

import pytest

OURS = str(Path(__file__).resolve().parent.parent / "src" / "helpers")
FOR_MACHINES = re.compile(r"\b0x[0-9a-fA-F]{4,}|Traceback \(most recent call last\)")
expected = pytest.raises


def raised_here(error):
    """Was it raised in our package, rather than in a library that it calls?"""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename.startswith(OURS)


class Readable:
    """What ``pytest.raises`` gives, and a look at the message on the way out."""

    def __init__(self, inner):
        self.inner = inner

    def __enter__(self):
        return self.inner.__enter__()

    def __exit__(self, kind, error, trace):
        handled = self.inner.__exit__(kind, error, trace)
        if handled and raised_here(error):
            assert not FOR_MACHINES.search(str(error)), f"not for people: {error}"
        return handled


def raises(*args, **options):
    inner = expected(*args, **options)
    return Readable(inner) if hasattr(inner, "__exit__") else inner


pytest.raises = raises


@pytest.fixture(scope="session")
def sandboxed():
    """For tests that grade: a machine that forbids the sandbox cannot run them, and says why."""
    from helpers.grade import sandbox

    try:
        return sandbox.find()
    except sandbox.NoSandbox as error:
        pytest.skip(f"no sandbox on this machine: {str(error).splitlines()[0]}")
