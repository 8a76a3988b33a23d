"""The first file that Python runs in the sandbox: ``start.py RUN_PY [FOLDER...]``.

It loads ``helpers.check.run``, ``wire`` and ``child`` with built-in functions of their own, so that
a notebook that spoils ``len`` spoils it for itself only. The folders are where NumPy is.
"""

import builtins
import sys
import types
from pathlib import Path


def private(name, path):
    """A module with its own copy of the built-in names, known to nobody else."""
    module = types.ModuleType(name)
    module.__dict__.update(__builtins__=dict(vars(builtins)), __file__=str(path))
    sys.modules[name] = module  # dataclasses look their module up
    exec(compile(path.read_text("utf-8"), str(path), "exec"), module.__dict__)
    del sys.modules[name]
    return module


if __name__ == "__main__":
    here, run = Path(__file__).parent, Path(sys.argv[1])
    sys.path += sys.argv[2:]
    parts = [private("helpers_run", run)]
    parts += [private(name, here / f"{name}.py") for name in ("wire", "offered", "seccomp")]
    private("child", here / "child.py").main(*parts)
