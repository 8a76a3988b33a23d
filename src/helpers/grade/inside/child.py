"""Run a notebook, statement by statement, then its functions on inputs; tell what came out.

What is told goes as frames (a length, the run's token, a packed tuple) into the pipe that was
standard output. Before each step there is a frame that names it, so that the grader knows what
killed this process, and starts another that leaves it out.
"""

import ast
import builtins
import contextlib
import linecache
import os
import re
import struct
import sys
import types

try:
    import resource
except ImportError:  # Windows
    resource = None

CHANNEL = 211  # the frames' file descriptor, out of the way of whoever writes into all of them
MEMORY_EXIT = 77
MEGA = 2**20


def main(run, wire, offered, seccomp):
    """Read the job from standard input, do it, and end the process without clearing up."""
    job = wire.unpack(sys.stdin.buffer.read(), run)
    Child(job, run, wire).work(offered, seccomp)


class Child:
    def __init__(self, job, run, wire):
        self.job, self.run, self.wire = job, run, wire
        self.channel, self.exit, self.output = _own_channel(), os._exit, os.write
        self.space, self.unwritten = {}, set()
        self.token = bytes.fromhex(job["token"])

    def tell(self, *what):
        """Send a frame."""
        try:
            data = self.wire.pack(what, self.run)
        except ValueError as error:
            data = self.wire.pack((*what[:3], f"!{error}"), self.run)
        data = struct_pack("<I", length(data)) + self.token + data
        while data:
            data = data[self.output(self.channel, data) :]

    def work(self, offered, seccomp):
        limit(self.job)
        locked = seccomp.lock()
        notebook = sys.modules["__main__"] = types.ModuleType("__main__")
        self.space = notebook.__dict__
        self.space.update(offered.offer(self.job["data"]), __builtins__=builtins)
        os.chdir(self.job["folder"])
        self.tell("ready", bool(locked))
        sys.stdout = sys.stderr = self.run._Head()
        for number, source in enumerate(self.job["cells"]):
            if (number, -1) not in self.job["skip"]:
                self.cell(number, source)
        if self.job["number"]:
            self.tell("step", "number", 0, self.job["seconds"])
            self.tell("number", self.job["number"], self.number())
        for name, cases in self.job["questions"].items():
            self.question(name, cases)
        self.tell("end")
        self.exit(0)

    def cell(self, number, source):
        """Every statement of a cell; one that fails stops neither the cell nor the notebook."""
        self.tell("step", "cell", (number, -1), self.job["seconds"])
        name = f"<cell {number + 1}>"
        try:
            source, tree = parse(source)
        except BaseException as error:
            text = f"cell {number + 1} is not Python: {self.explain(error)}"
            self.tell("failed", "cell", (number, -1), text)
            return
        linecache.cache[name] = (length(source), None, source.splitlines(True), name)
        for place, statement in enumerate(tree.body):
            if (number, place) not in self.job["skip"]:
                self.statement(name, number, place, statement)

    def statement(self, name, number, place, statement):
        importing = isinstance(statement, ast.Import | ast.ImportFrom)
        seconds = self.job["import_seconds" if importing else "seconds"]
        self.tell("step", "cell", (number, place), seconds)
        allow(seconds)
        known = {question: self.space.get(question) for question in self.job["questions"]}
        sys.stdout = sys.stderr = self.run._Head()
        try:
            exec(compile(ast.Module([statement], []), name, "exec"), self.space)
        except BaseException as error:
            text = f"cell {number + 1}: {self.explain(error)}"
            self.tell("failed", "cell", (number, place), text)
            if isinstance(error, MemoryError) or "new thread" in text:
                self.exit(MEMORY_EXIT)  # what it holds would starve the rest
        unwatched()
        if isinstance(statement, ast.FunctionDef) and statement.name in known:
            self.defined(statement, number, known[statement.name])

    def defined(self, statement, number, before):
        """An unwritten copy, left over further down, does not take the place of a written one."""
        name = statement.name
        if not stub(statement):
            self.unwritten.discard(name)
        elif before is None or name in self.unwritten:
            self.unwritten.add(name)
        else:
            self.space[name] = before
            self.tell("note", f"an unwritten copy of {name} in cell {number + 1} is left out")

    def explain(self, error):
        try:
            return self.run.explain(error, None)
        except BaseException:
            return "an exception that cannot be printed"

    def number(self):
        value = self.space.get(self.job["number"])
        try:
            return self.run.freeze(value)
        except BaseException:
            return self.run.Opaque("value that cannot be read")

    def question(self, name, cases):
        fn = self.space.get(name)
        functions = [k for k, v in self.space.items() if type(v) is types.FunctionType]
        near = [k for k in functions if type(k) is str]
        state = "there" if callable(fn) else "no function"
        state = "missing" if name not in self.space else state
        state = "unwritten" if name in self.unwritten else state
        self.tell("question", name, state, near[:50])
        if state != "there":
            return
        for place, (args, kwargs) in enumerate(cases):
            seconds = self.job["seconds"]
            self.tell("step", name, place, seconds)
            allow(seconds)
            printed = sys.stdout = sys.stderr = self.run._Head()
            try:
                outcome = self.run._call(
                    fn, types.SimpleNamespace(args=args, kwargs=kwargs), printed
                )
            except BaseException:
                message = "an exception that cannot be printed"
                outcome = self.run.Outcome(error="exception", message=message)
            fields = (outcome.value, outcome.error, outcome.message, outcome.changed)
            self.tell("case", name, place, (*fields, bool(outcome.shared), outcome.printed))
            if outcome.message.startswith("MemoryError"):
                self.exit(MEMORY_EXIT)


# Under names of our own, for a notebook may replace those of the modules.
struct_pack, length = struct.pack, len
settrace, setprofile = sys.settrace, sys.setprofile


def unwatched():
    """Nobody watches the next calls: a tracer may write into their variables (PEP 667)."""
    settrace(None)
    setprofile(None)


def parse(source):
    """(source, syntax tree); only if it is no Python, without the lines that speak to IPython."""
    try:
        return source, ast.parse(source)
    except SyntaxError as error:
        first = source.lstrip().partition("\n")[0]
        if first.startswith("%%") and not first.startswith(("%%time", "%%capture", "%%prun")):
            return "", ast.parse("")  # a cell in another language
        plain = re.sub(r"^([ \t]*)[%!?][^\n]*", r"\1pass", source, flags=re.M)
        plain = re.sub(r"^([ \t]*)\S+\?\??[ \t]*$", r"\1pass", plain, flags=re.M)
        plain = re.sub(r"^([ \t]*\w+ *= *)[%!][^\n]*", r"\1None", plain, flags=re.M)
        if plain == source:
            raise error
        return plain, ast.parse(plain)


def stub(function):
    """Whether a function's body is a docstring and ``...``, ``pass`` or NotImplementedError."""
    for statement in function.body:
        dots = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        empty = dots and (statement.value.value is ... or isinstance(statement.value.value, str))
        if not (
            empty or isinstance(statement, ast.Pass) or "NotImplemented" in ast.unparse(statement)
        ):
            return False
    return True


def _own_channel():
    """Move the pipe of the frames away from standard output, which leads nowhere from now on."""
    channel = CHANNEL if resource else os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    if resource:
        os.dup2(1, channel)
    for fd in (0, 1, 2):
        os.dup2(nowhere, fd)
    os.set_inheritable(channel, False)
    return channel


def limit(job):
    """Limits of memory, file size, open files, processes and, in all, of processor time."""
    if resource is None:
        return
    limits = {
        "RLIMIT_AS": job["memory"],
        "RLIMIT_FSIZE": 16 * MEGA,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_NPROC": 64,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": MEGA,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_CPU": job["total"],
    }
    if not job["sandboxed"]:
        del limits["RLIMIT_NPROC"]  # outside it would count all of the user's
    for name, most in limits.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):  # macOS has not all of them
            resource.setrlimit(getattr(resource, name), (most, most))


def allow(seconds):
    """From now on so many seconds of processor time, then SIGXCPU, which ends the process."""
    if resource is None:
        return
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    try:
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (min(int(used + seconds) + 1, hard), hard))
    except (ValueError, OSError):
        pass
