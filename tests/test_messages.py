"""What we say when something is wrong is said for people, whatever we were given."""

import importlib
import inspect
import linecache
import pkgutil
import re

import pytest

import helpers
from helpers.words import shown

FOR_MACHINES = re.compile(r"\b0x[0-9a-fA-F]{4,}|Traceback \(most recent call last\)")
OURS = str(next(iter(helpers.__path__)))
# Programs with a command line of their own, and what starts or waits for other processes.
LEFT_OUT = {"helpers.imagenet.arguments", "helpers.imagenet.cluster"}
LEFT_OUT |= {"helpers.imagenet.train.main", "helpers.scaling.jobs.start"}
# The grader's rooms are parts of a program, too, and one of them forbids the process it runs in
# to start another: called here, it would end the tests that follow.
LEFT_OUT |= {"helpers.batches.pair"}  # its first argument is a word of ours


def public_functions():
    for module in pkgutil.walk_packages(helpers.__path__, "helpers."):
        if module.name in LEFT_OUT or module.name.startswith("helpers.grade."):
            continue
        if module.name.endswith("__main__"):
            continue
        for name, thing in vars(importlib.import_module(module.name)).items():
            own = getattr(thing, "__module__", None) == module.name
            own &= f"{module.name}.{name}" not in LEFT_OUT
            if own and not name.startswith("_") and callable(thing):
                yield pytest.param(thing, id=f"{module.name.removeprefix('helpers.')}.{name}")


class Odd:
    """An argument that fits nowhere, and whose ``repr`` has its address."""


def raised_here(error):
    """Does a ``raise`` of ours say it, rather than NumPy, Keras or Python?"""
    trace = error.__traceback__
    while trace.tb_next:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename
    line = linecache.getline(file, trace.tb_lineno)
    return file.startswith(OURS) and line.split()[:1] == ["raise"]


FUNCTIONS = list(public_functions())


def test_there_are_functions_to_try():
    assert len(FUNCTIONS) > 100


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_message_of_ours_shows_an_address_or_a_traceback(function, capsys):
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        pytest.skip("has no signature")
    wanted = [p for p in parameters if p.default is p.empty and p.kind in (0, 1)]
    named = {p.name: Odd() for p in parameters if p.default is p.empty and p.kind == 3}
    try:
        function(*[Odd() for _ in wanted], **named)
    except Exception as error:
        if raised_here(error):
            assert not FOR_MACHINES.search(str(error))
    said = capsys.readouterr()
    assert not FOR_MACHINES.search(said.out + said.err)


def test_the_guard_of_all_error_tests_catches_an_address():
    from helpers.imagenet.cluster import SetupError, cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CONFIG", "<object at 0x7f0123456789>")
        with pytest.raises(AssertionError, match="not for people"), pytest.raises(SetupError):
            cluster()


@pytest.mark.parametrize("value", [Odd(), lambda: 0, (n for n in range(3)), [Odd()]])
def test_what_is_shown_has_no_address(value):
    assert "0x" in repr(value) and "0x" not in shown(value)


def test_what_is_shown_is_one_short_line():
    assert shown("a\nb" * 100) == "'" + "a\\nb" * 19 + "..."
    assert shown("batch") == "'batch'"
