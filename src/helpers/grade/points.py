"""From a submission to its points: what is asked of the sandbox, and what its answers are worth.

Expected values and comparison are here, outside. A ``record`` is a plain dictionary, as it is kept
in ``OUT/done``; the reports are made from the records alone.
"""

import difflib
import hashlib
import re

import numpy as np

from helpers.check import compare
from helpers.grade import intake, notebook, runner
from helpers.grade.assignment import case_seed, key_of, name_of

VERSION = 1  # of the grader's judgement: another one grades everything again
SUSPECT = {
    "the book's own functions": r"\bhelpers\.(layers|grade|check\.\w)|from helpers import .*layers",
    "frames or the garbage collector": r"\b_getframe\b|\bf_back\b|\bgc\.get_",
    "processes": r"\bsubprocess\b|\bos\.(system|fork|exec\w*|kill\w*|popen)\b|\bmultiprocessing\b",
    "the network": r"\bimport (socket|requests|urllib)|\bfrom (socket|urllib|requests)\b",
    "C through ctypes": r"\bctypes\b",
    "the end of the process": r"\bos\._exit\b",
    "other files": r"\bos\.walk\b|\bglob\.glob\b|/proc/|/etc/",
}


class Grading:
    """One run's settings: the assignment, the class's secret, sandbox and limits."""

    def __init__(self, assignment, secret, sandbox, limits=None):
        self.assignment, self.secret, self.key = assignment, secret, key_of(secret)
        self.sandbox, self.limits = sandbox, limits or runner.Limits()
        self.seconds = 0.0  # of processor time in the sandbox so far, roughly

    def fingerprint(self, submission):
        """What a record depends on. A submission with the same one need not be graded again."""
        text = [VERSION, self.secret, self.limits, self.assignment.id, bool(self.sandbox.bwrap)]
        text += [_sources(self.assignment), submission.late, submission.name]
        digest = hashlib.sha256(repr(text).encode())
        for file in submission.files:
            digest.update(repr((file.name, file.problem)).encode())
            if not file.problem:
                try:
                    digest.update(hashlib.sha256(file.read()).digest())
                except (intake.Damaged, OSError) as error:
                    digest.update(str(error).encode())
        return digest.hexdigest()[:32]

    def prepare(self, submission, fingerprint):
        """A ``Prepared`` submission, ready to be run; its ``job`` is ``None`` if nothing can be."""
        record = {
            "key": submission.key, "name": submission.name, "lms": submission.lms,
            "id": submission.id, "late": submission.late, "fingerprint": fingerprint,
            "file": "", "files": [file.name for file in submission.files], "student": "",
            "questions": [], "written": {}, "hand": [], "failed": [], "notes": [], "code": {},
        }  # fmt: skip
        found, name = self._choose(submission, record)
        if found is None:
            for question in self._questions():
                record["questions"].append(_lost(*question, record["hand"][0]))
            return Prepared(record, None, {}, {})
        record["file"], record["notes"] = name, list(found.notes)
        student = self._student(found, submission, record)
        variants = self.assignment.variants(self.key, student)
        checks = {q.name: q.check(variants[q.name]) for q in self.assignment.questions}
        cases = {}
        for one, check in checks.items():
            cases[one] = check.draw(case_seed(self.secret, student, self.assignment.id, one))
        record["written"] = found.answers([one.name for one in self.assignment.written])
        record["code"] = {one: _source(found.code, one) for one in checks}
        record["expected"] = (
            self.assignment.expected(self.key, student) if self.assignment.number else None
        )
        for what, pattern in SUSPECT.items():
            if re.search(pattern, "\n".join(found.code)):
                record["hand"].append(f"the code reaches for {what}")
        for one in self.assignment.written:
            if one.name not in record["written"] and found.texts:
                record["hand"].append(
                    f"the place of the answer {one.name!r} is gone: all the texts are kept"
                )
                record["written"][one.name] = "\n\n".join(found.texts)[:20_000]
        job = runner.Job(
            found.code,
            {one: [(case.args, case.kwargs) for case in cases[one]] for one in checks},
            self.assignment.number,
            self.assignment.data(self.key, student),
        )
        return Prepared(record, job, checks, cases)

    def run(self, prepared):
        """Run what is prepared (in any thread)."""
        if prepared.job is None:
            return None
        try:
            return runner.run(prepared.job, self.sandbox, self.limits)
        except Exception as error:  # one submission must not stop the others
            return runner.Found(trouble=f"{type(error).__name__}: {error}")

    def judge(self, prepared, found):
        """The record, with its points (in the main thread: checks redirect the output)."""
        record = prepared.record
        if found is None:
            return record
        self.seconds += found.seconds
        record["failed"], record["notes"] = found.failed, record["notes"] + found.notes
        if found.trouble:
            record["hand"].insert(0, f"the sandbox could not run it: {found.trouble}")
            record["trouble"] = True
        for question in self.assignment.questions:
            points, reason, status = self._function(question, prepared, found)
            record["questions"].append(
                _entry(question.name, question.points, points, status, reason)
            )
        if self.assignment.number:
            value, name = _number(found.number), self.assignment.number
            reason = self._wrong_number(found, record["expected"])
            record["value"] = value
            most = self.assignment.number_points
            status = "wrong" if reason else "right"
            record["questions"].append(_entry(name, most, 0 if reason else most, status, reason))
        return record

    def _questions(self):
        found = [(q.name, q.points) for q in self.assignment.questions]
        if self.assignment.number:
            found.append((self.assignment.number, self.assignment.number_points))
        return found

    def _choose(self, submission, record):
        """(the notebook that counts, its file's name): the last that can be read and fits."""
        files, others, problems = intake.notebooks(submission)
        readable, wanted = [], [f"def {q.name}" for q in self.assignment.questions]
        for name, data in files:
            try:
                found = notebook.read(name, data)
            except notebook.Unreadable as error:
                problems.append(f"{_short(name)}: {error}")
                continue
            fits = sum(any(one in source for source in found.code) for one in wanted)
            readable.append((fits > 0, found, name))
        for name, data in others:
            try:
                notebook.read(name, data)
                problems.append(f"{_short(name)} is no notebook")
            except notebook.Unreadable as error:
                problems.append(f"{_short(name)}: {error}")
        readable.sort(key=lambda one: not one[0])  # stable: the last copy first
        if not readable:
            what = "; ".join(problems) or "nothing was handed in"
            record["hand"].append(f"no notebook could be read: {what}")
            return None, ""
        if len(readable) > 1:
            rest = ", ".join(_short(name) for _, _, name in readable[1:])
            record["hand"].append(f"{_short(readable[0][2])} counts; there are also {rest}")
        record["hand"] += problems if len(readable) > 1 or not readable[0][0] else []
        if not readable[0][0]:
            record["hand"].append("it has none of the assignment's functions: is it another one's?")
        return readable[0][1], readable[0][2]

    def _student(self, found, submission, record):
        """The name that chooses the variants: what STUDENT says, else what the school has."""
        student = found.student()
        record["student"] = student
        if not name_of(student).strip(" ."):
            record["hand"].append(
                "STUDENT is empty, so the variants are those of the school's name"
            )
            return submission.name
        if submission.lms and not alike(student, submission.name):
            record["hand"].append(
                f"STUDENT says {student!r}, the school's system {submission.name!r}"
            )
        keys = re.findall(r"""^KEY\s*=\s*['"]([^'"\n]*)""", "\n".join(found.code), re.M)
        if keys and keys[-1] != self.key:
            record["hand"].append("KEY was changed, or the notebook is another class's")
        return student

    def _function(self, question, prepared, found):
        name, state = question.name, found.states.get(question.name, "")
        outcomes, cases = found.outcomes.get(name, []), prepared.cases[name]
        if state == "unwritten":
            return 0, "not written yet", "unwritten"
        if state == "missing" or not state:
            near = difflib.get_close_matches(name, [n for n in found.near if n != name], 1, 0.75)
            reason = f"there is no function {name} in the notebook"
            reason += f" (there is {near[0]})" if near else ""
            why = _why(name, prepared.job.cells, found.failed)
            if not state and found.trouble:
                reason = "the notebook could not be run"
            elif not state:
                reason, why = "it was not reached", found.notes[-1:] or found.failed[-1:]
            return 0, reason + (f": {why[0]}" if why else ""), "missing"
        if state != "there":
            return 0, f"{name} is no function", "wrong"
        try:
            verdict = prepared.checks[name].judge(cases, outcomes)
        except Exception as error:
            prepared.record["hand"].append(f"{name} could not be compared: {type(error).__name__}")
            return 0, "the result could not be compared with the right one", "wrong"
        if verdict.status == "right":
            return question.points, "", "right"
        sentence = verdict.sentence.split(", so the lab")[0]
        sentence += f"\nIn this case it printed: {verdict.printed}" if verdict.printed else ""
        return 0, sentence, verdict.status

    def _wrong_number(self, found, expected):
        name, value = self.assignment.number, found.number
        if value is None or value is ...:
            return f"{name} is not set"
        plain = isinstance(value, int | float | np.integer | np.floating)
        if isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind in "iuf":
            plain = True
        if not plain or isinstance(value, bool):
            return f"{name} is {compare.describe(value)}, a number expected"
        value = float(value)
        if not abs(value - expected) <= self.assignment.number_tolerance * abs(expected):
            came, right = compare.number(value, expected), compare.number(expected, value)
            return f"{name} is {came}, expected {right}"
        return ""


class Prepared:
    """A record to be filled, what to run, and what to compare with."""

    def __init__(self, record, job, checks, cases):
        self.record, self.job, self.checks, self.cases = record, job, checks, cases


def alike(one, other):
    """Whether two spellings may be of one person: the same letters, or a word in common."""
    words = [set(re.findall(r"\w\w+", name_of(name))) for name in (one, other)]
    letters = ["".join(sorted(re.sub(r"\W|_", "", name_of(name)))) for name in (one, other)]
    joined = re.sub(r"\W|_", "", name_of(other))
    return bool(
        letters[0] == letters[1]
        or words[0] & words[1]
        or any(len(word) > 2 and word in joined for word in words[0])
    )


def _why(name, cells, failed):
    """The failure of the cell that defines a function."""
    for number, source in enumerate(cells):
        if re.search(rf"\b{name}\b", source):
            for text in failed:
                if re.match(rf"cell {number + 1}\b", text):
                    return [text]
    return failed[:1]


def _source(code, name):
    """The text of a function's last written definition, found without running or parsing it."""
    found = ""
    for source in code:
        lines = source.split("\n")
        for start, line in enumerate(lines):
            if re.match(rf"def {name}\b", line):
                end = start + 1
                while end < len(lines) and (not lines[end].strip() or lines[end][:1] in " \t)"):
                    end += 1
                text = "\n".join(lines[start:end]).rstrip()
                found = text[:8000] if len(text) > 60 or not found else found
    return found


def _sources(assignment):
    """A digest of the assignment's own file."""
    import inspect

    try:
        file = inspect.getfile(assignment.questions[0].reference)
        with open(file, "rb") as opened:
            return hashlib.sha256(opened.read()).hexdigest()
    except (OSError, TypeError, IndexError):
        return ""


def _number(value):
    try:
        value = float(value)
        return value if np.isfinite(value) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _entry(name, most, points, status, reason):
    return {"name": name, "most": most, "points": points, "status": status, "reason": reason}


def _lost(name, most, reason):
    return _entry(name, most, 0, "not graded", reason)


def _short(name):
    return name.rsplit("/", 1)[-1][:80]
