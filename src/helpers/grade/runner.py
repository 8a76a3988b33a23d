"""Run one submission in the sandbox, as often as it takes, and bring back what came out.

The process is killed when a step takes too long or it sends what is no frame. Then another is
started that leaves that step out: one endless loop costs one statement, or one question.
"""

import os
import secrets
import signal
import struct
import threading
import time

from helpers.check import run as check_run
from helpers.check.run import Outcome
from helpers.grade.inside import wire
from helpers.grade.jobs import Found, Job, Limits, busy, how
from helpers.grade.meter import Meter

STARTS = 15  # processes for one submission
OUT_OF_TURN = "wrote where only the grader may write"


def run(job, sandbox, limits=None):
    """``Found``, whatever the notebook does."""
    limits = limits or Limits()
    found, skip, begun = Found(), [], time.monotonic()
    left = dict(job.questions)
    while found.starts < STARTS:
        found.starts += 1
        process = _Process(job, left, skip, sandbox, limits, begun + busy() * limits.whole)
        ended, step = process.work(found)
        for name in process.answered:
            left.pop(name, None)
        if ended == "end":
            return found
        if step is None or not process.ready:
            found.trouble = ended
            if found.starts >= 3:  # a machine short of memory may do better a moment later
                return found
            time.sleep(0.2 * found.starts)
            continue
        found.trouble = ""
        kind, place = step
        if kind == "cell":
            skip.append(place)
            where = f"cell {place[0] + 1}" + (
                f", statement {place[1] + 1}" if place[1] >= 0 else ""
            )
            if "memory" not in ended or not any(where[:7] in text for text in found.failed[-1:]):
                found.failed.append(f"{where} {ended}, and was left out")
        elif kind == "number":
            job = Job(job.cells, job.questions, "", job.data)
        else:
            outcomes = found.outcomes.setdefault(kind, [])
            if len(outcomes) <= place:
                error = "time" if "stopped" in ended else "exception"
                outcomes.append(Outcome(error=error, message=f"it {ended}"))
            left.pop(kind, None)
        if not left and found.number is not None:
            return found
        if time.monotonic() > begun + busy() * limits.whole:
            found.notes.append(f"the notebook as a whole was stopped after {limits.whole:g} s")
            return found
    found.notes.append(f"given up after {STARTS} starts")
    return found


class _Process:
    """One process in the sandbox."""

    def __init__(self, job, left, skip, sandbox, limits, end):
        self.job, self.limits, self.end = job, limits, end
        self.token = secrets.token_bytes(16)
        self.ready, self.step, self.answered, self.stopped = False, None, [], ""
        self.allowed, self.used = limits.import_seconds, 0.0
        self.data = wire.pack(
            {
                "token": self.token.hex(),
                "cells": job.cells,
                "skip": [tuple(one) for one in skip],
                "questions": left,
                "number": job.number,
                "data": job.data,
                "folder": sandbox.folder,
                "sandboxed": bool(sandbox.bwrap),
                "seconds": limits.seconds,
                "import_seconds": limits.import_seconds,
                "memory": limits.memory,
                "total": limits.total,
            },
            check_run,
        )
        self.sandbox = sandbox
        self.deadline = min(end, time.monotonic() + 120)
        self.over = threading.Event()

    def work(self, found):
        """(how it ended, in words, or "end"; the step at which, or ``None``)."""
        process = self.sandbox.popen()
        watch = threading.Thread(target=self._watch, args=(process,), daemon=True)
        feed = threading.Thread(target=_feed, args=(process, self.data), daemon=True)
        errors = []
        listen = threading.Thread(
            target=lambda: errors.append(process.stderr.read(4000)), daemon=True
        )
        for thread in (watch, feed, listen):
            thread.start()
        try:
            ended = self._read(process.stdout, found)
        finally:
            self.over.set()
            _kill(process)
            code = process.wait()
            found.seconds += self.used
            listen.join(2)
            process.stdout.close()
            process.stderr.close()
        if ended == "end":
            return ended, self.step
        said = (errors or [b""])[0].decode("utf-8", "replace").strip()[-200:]
        return self.stopped or ended or how(code, said if not self.ready else ""), self.step

    def _watch(self, process):
        """Kill the process when its step has used up its time, or only waits."""
        step, meter, last, start, moved = None, Meter(process.pid), 0.0, 0.0, time.monotonic()
        while not self.over.wait(0.1):
            now = time.monotonic()
            used, waits = meter.read()
            if step is not self.step or used > last + 0.01 or not waits:
                moved = now
            if step is not self.step:
                step, start = self.step, used
            last, self.used = used, max(self.used, used)
            if now > self.deadline or now > moved + self.limits.idle:
                self.stopped = "was stopped: it took too long (does it wait for something?)"
            elif step and used > start + self.allowed + 1.5:
                self.stopped = "was stopped: it took too long (an endless loop?)"
            if self.stopped:
                _kill(process)
                return

    def _read(self, pipe, found):
        """Take frames until the end; returns "end", "" (the pipe broke) or what was wrong."""
        total = 0
        while True:
            head = pipe.read(20)
            if len(head) < 20:
                return ""
            (size,) = struct.unpack("<I", head[:4])
            total += size
            if head[4:] != self.token:
                return OUT_OF_TURN
            if total > self.limits.sent:
                return f"returned more than {self.limits.sent >> 20} MB"
            data = pipe.read(size)
            if len(data) < size:
                return ""
            try:
                frame = wire.unpack(data, check_run)
                if self._frame(frame, found):
                    return "end"
            except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
                return OUT_OF_TURN

    def _frame(self, frame, found):
        kind, *rest = frame
        if kind == "ready":
            self.ready, found.locked = True, rest[0] is True
        elif kind == "step":
            what, place, seconds = rest
            self._check_step(what, place)
            seconds = (
                self.limits.import_seconds if seconds > self.limits.seconds else self.limits.seconds
            )
            self.step, self.allowed = (what, place), seconds
            self.deadline = min(self.end, time.monotonic() + busy() * self.limits.clock * seconds)
        elif kind == "failed":
            text = str(rest[2])[:400]
            if text not in found.failed and len(found.failed) < 100:
                found.failed.append(text)
        elif kind == "note":
            if rest[0] not in found.notes and len(found.notes) < 20:
                found.notes.append(str(rest[0])[:200])
        elif kind == "question":
            name, state, near = rest
            self._known(name)
            found.states[name], found.outcomes[name] = str(state), []
            found.near = [str(one)[:60] for one in near]
            if state != "there":
                self.answered.append(name)
        elif kind == "case":
            self._case(rest, found)
        elif kind == "number":
            found.number = rest[1]
        return kind == "end"

    def _case(self, rest, found):
        name, place, fields = rest
        self._known(name)
        if isinstance(fields, str):  # it could not be sent
            fields = (check_run.Opaque(fields.lstrip("!")[:100]), "", "", None, False, "")
        value, error, message, changed, shared, printed = fields
        outcomes = found.outcomes[name]
        if len(outcomes) != place or error not in ("", "time", "missing", "exception"):
            raise ValueError("out of order")
        changed = (
            changed if isinstance(changed, int | str) and not isinstance(changed, bool) else None
        )
        outcome = Outcome(
            value, error, str(message)[:600], changed, shared is True, str(printed)[:400]
        )
        outcomes.append(outcome)
        if len(outcomes) == len(self.job.questions[name]):
            self.answered.append(name)

    def _check_step(self, what, place):
        """Who finds the frames' token can send what they like: it must not confuse the grader."""
        numbers = place if isinstance(place, tuple) else (place,)
        if len(numbers) != (2 if what == "cell" else 1) or {type(n) for n in numbers} != {int}:
            raise ValueError("no step")
        if what == "cell" and not 0 <= numbers[0] < len(self.job.cells):
            raise ValueError("no such cell")
        if what not in ("cell", "number"):
            self._known(what)

    def _known(self, name):
        if name not in self.job.questions:
            raise ValueError("no such question")


def _feed(process, data):
    try:
        process.stdin.write(data)
        process.stdin.close()
    except OSError:
        pass


def _kill(process):
    """End the process, which is the first one of its session, and with it all in its sandbox."""
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (OSError, ProcessLookupError):
        pass
