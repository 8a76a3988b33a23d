"""Run a reader's function on cases: what came back, or what went wrong, and never an exception.

This is the only part of a check that touches the reader's code. It hands out copies of the inputs
and brings back plain arrays, numbers and texts, so that it can also run in another process than
``compare``. It works in a notebook on Linux, macOS and Windows: the function runs in a thread, and
when its time is up an exception is set off inside of it.
"""

import contextlib
import ctypes
import io
import linecache
import sys
import sysconfig
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SECONDS = 10.0  # for all the cases of one check; the book's functions need a few milliseconds
KEPT = 300  # characters of what a function prints in a case
OURS = (str(Path(__file__).parent), str(Path(np.__file__).parent.parent), "<frozen", "<__array")
OURS += tuple(sysconfig.get_paths()[k] for k in ("stdlib", "purelib", "platlib"))


@dataclass(frozen=True)
class Rng:
    """Stands for a fresh ``np.random.default_rng(seed)`` among a case's arguments."""

    seed: int


@dataclass(frozen=True)
class Opaque:
    """A result that is no array, number, text or tuple of these: only the name of its type."""

    name: str


@dataclass
class Outcome:
    """What one case gave.

    value    arrays, numbers and texts as they came (copied), tuples of them, or ``Opaque``
    error    "" or one of "time", "missing" (NotImplementedError), "exception"
    message  of the exception, with the line of the reader's code
    changed  which argument the function changed, counted from 0 or by name, or ``None``
    shared   whether the result shares memory with an argument
    printed  the beginning of what the function printed
    """

    value: object = None
    error: str = ""
    message: str = ""
    changed: object = None
    shared: bool = False
    printed: str = ""


class _TimeUp(BaseException):
    """Set off inside the reader's function; no ``except Exception`` of theirs catches it."""


class _Head(io.TextIOBase):
    """A text file that keeps the first characters and drops the rest, however much comes."""

    def __init__(self):
        self.text = ""

    def __str__(self):
        return self.text.rstrip() if len(self.text) <= KEPT else self.text[:KEPT] + " …"

    def writable(self):
        return True

    def write(self, text):
        self.text += str(text)[: KEPT + 1 - len(self.text)]
        return len(text)


def run(fn, cases, seconds=SECONDS):
    """Call ``fn`` on each case, all within ``seconds``; return an ``Outcome`` each.

    cases   objects with ``args`` (a tuple) and ``kwargs`` (a dictionary)

    After a case whose time was up there are no more outcomes.
    """
    job, out, err = _Job(fn, cases), io.StringIO(), io.StringIO()
    with _big_stack(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        job.thread.start()
        try:
            job.thread.join(seconds)
        finally:  # an interrupt of the reader's ends up here, too
            job.stop()
    outcomes = list(job.outcomes)
    if not job.done:
        message = f"not done after {seconds:g} s: an endless loop, or far too slow"
        if job.thread.is_alive():
            message += " (and it cannot be stopped: restart the kernel)"
        outcomes.append(Outcome(error="time", message=message, printed=str(job.printed)))
    return outcomes


class _Job:
    """The thread in which the reader's function runs, and how it is stopped."""

    def __init__(self, fn, cases):
        self.fn, self.cases = fn, cases
        self.outcomes, self.done, self.printed = [], False, _Head()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        with contextlib.suppress(_TimeUp):
            for case in self.cases:
                self.printed = sys.stdout = sys.stderr = _Head()
                self.outcomes.append(_call(self.fn, case, self.printed))
            with self.lock:
                self.done = True

    def stop(self):
        """Set off ``_TimeUp`` in the thread until it ends; a second if it catches even that."""
        end = time.monotonic() + 1
        while self.thread.is_alive() and time.monotonic() < end:
            with self.lock:
                if self.done:
                    return
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.thread.ident), ctypes.py_object(_TimeUp)
                )
            self.thread.join(0.05)


def _call(fn, case, printed):
    args, kwargs = [fresh(a) for a in case.args], {k: fresh(a) for k, a in case.kwargs.items()}
    outcome = Outcome()
    try:
        with np.errstate(all="ignore"):
            value = fn(*args, **kwargs)
        outcome.value = freeze(value)
        outcome.shared = _shares(value, [*args, *kwargs.values()])
    except NotImplementedError:
        outcome.error = "missing"
    except _TimeUp:
        raise
    except BaseException as error:  # SystemExit, too
        outcome.error, outcome.message = "exception", explain(error, fn)
    for name, now, before in [
        *((i, a, b) for i, (a, b) in enumerate(zip(args, case.args, strict=True))),
        *((k, kwargs[k], case.kwargs[k]) for k in kwargs),
    ]:
        if isinstance(before, np.ndarray) and _moved(now, before):
            outcome.changed = name
            break
    outcome.printed = str(printed)
    return outcome


def _moved(now, before):
    """Whether an argument has other values than before; rounding (add h, take it away) is none."""
    if now.shape != before.shape or now.dtype != before.dtype or now.dtype.kind != "f":
        return now.shape != before.shape or now.tobytes() != before.tobytes()
    return not np.allclose(now, before, rtol=1e-9, atol=0, equal_nan=True)


def fresh(argument):
    """A copy that a function may spoil: arrays, lists and tuples anew, ``Rng`` as a generator."""
    if isinstance(argument, Rng):
        return np.random.default_rng(argument.seed)
    if isinstance(argument, np.ndarray):
        return argument.copy()
    if type(argument) in (list, tuple):
        return type(argument)(map(fresh, argument))
    return argument


def freeze(value):
    """A copy of ``value`` that no code of the reader's can touch any more, or an ``Opaque``."""
    kind = type(value)
    if kind is np.ndarray and value.dtype.kind in "biufc":
        return np.array(value)
    if kind in (bool, int, float, str, type(None), type(...)):
        return value
    if kind in _NUMBERS:
        return np.array(value)[()]
    if kind in (tuple, list):
        return kind(map(freeze, value)) if len(value) <= 100 else Opaque(f"{len(value)} values")
    if kind is np.ndarray:
        return Opaque(f"array of dtype {value.dtype}")
    return Opaque(str(type.__getattribute__(kind, "__name__")))


_NUMBERS = {np.dtype(code).type for code in "?bBhHiIlLqQefdgFD"}


def _shares(value, arguments):
    values = value if type(value) in (tuple, list) else [value]
    return any(
        np.may_share_memory(v, a)
        for v in values
        for a in arguments
        if type(v) is np.ndarray and type(a) is np.ndarray
    )


def explain(error, fn):
    """One line: which exception, in which line of the reader's code, with what message."""
    file, found, trace = getattr(getattr(fn, "__code__", None), "co_filename", ""), None, None
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name == file or not name.startswith(OURS):
            found = name, trace.tb_lineno
        trace = trace.tb_next
    text = " ".join(str(error).split())[:200]
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if found is None:
        return text
    source = linecache.getline(*found).strip()
    return f"{text}, in line {found[1]}" + (f", `{source}`" if source else "")


@contextlib.contextmanager
def _big_stack():
    """Threads of macOS have 512 kB of stack, which a deep recursion would overrun."""
    before = threading.stack_size(16 * 2**20)
    try:
        yield
    finally:
        threading.stack_size(before)
