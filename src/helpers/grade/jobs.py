"""What is run in the sandbox, within which limits, and what comes back."""

import os
import signal
from dataclasses import dataclass, field

from helpers.grade.inside.child import MEMORY_EXIT

MEGA = 2**20


@dataclass(frozen=True)
class Limits:
    """Of one statement or one case (``seconds``, ``idle``), and of a submission (the others).

    Processor time counts, not the clock, so that a busy machine changes no grade. Who uses none for
    ``idle`` seconds, waits for something that will not come.
    """

    seconds: float = 4.0
    import_seconds: float = 20.0
    idle: float = 5.0
    clock: float = 5.0  # times as long may pass on the clock, and more where the machine is busy
    whole: float = 120.0
    total: int = 100  # seconds of processor time of one process
    memory: int = 1024 * MEGA
    sent: int = 64 * MEGA


@dataclass
class Job:
    """What is run: sources, ``{question: cases}``, the number's name, the student's data."""

    cells: list
    questions: dict
    number: str = ""
    data: object = None


@dataclass
class Found:
    """What came out.

    states    {question: "there", "missing", "unwritten" or "no function"}
    outcomes  {question: [Outcome]}, one for each case that was reached
    number    what the number's name held (frozen), or ``None``
    failed    sentences: statements that failed or were left out
    notes     other sentences, for the instructor
    near      names of the functions that the notebook defines
    trouble   why the sandbox could not do its work, or ``""``
    """

    states: dict = field(default_factory=dict)
    outcomes: dict = field(default_factory=dict)
    number: object = None
    failed: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    near: list = field(default_factory=list)
    trouble: str = ""
    locked: bool = False
    starts: int = 0
    seconds: float = 0.0  # of processor time, roughly


def busy():
    """How many programs share a core of this machine at present, 1 or more."""
    return (
        max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)) if hasattr(os, "getloadavg") else 1.0
    )


def how(code, said):
    """How a process ended, from its exit code, in words that go on after "the statement"."""
    number = -code if code < 0 else code - 128
    if code == MEMORY_EXIT:
        return "took more memory than there is"
    if number == getattr(signal, "SIGXCPU", -1):
        return "was stopped: it took too long (an endless loop?)"
    if number in (signal.SIGSEGV, getattr(signal, "SIGBUS", -1), signal.SIGABRT, signal.SIGILL):
        return "crashed Python"
    if number == getattr(signal, "SIGKILL", -1):
        return "was killed (too much memory, or by itself)"
    return f"ended Python (exit code {code})" + (f": {said}" if said else "")
