"""What a notebook may import in the sandbox in place of the book's package and of what draws.

``helpers`` is here a shell: ``session`` sets seeds, ``check.NAME(fn)`` hands on ``fn``, whatever it
is, and ``check.assignment(...)`` has the student's data. The book's own functions are not on this
side at all. What only draws or shows (Matplotlib, IPython, Colab) is swallowed: pictures bring no
points, and a slip in a title costs none.
"""

import importlib.abc
import importlib.machinery
import random
import sys
import types

import numpy as np

SWALLOWED = ("matplotlib", "seaborn", "IPython", "google", "ipywidgets", "PIL", "plotly")
DRAWN = ("plots", "claims", "timing")  # modules of helpers whose results bring no points


class Anything:
    """Whatever one does with it, nothing happens."""

    def __init__(self, name="anything"):
        self.__dict__["__name__"] = name

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Anything(name)

    def __setattr__(self, name, value):
        pass

    def __call__(self, *args, **kwargs):
        if self.__name__ == "subplots":
            return Anything("figure"), _axes(*args, **kwargs)
        return Anything("result")

    def __getitem__(self, item):
        return Anything("item")

    def __setitem__(self, item, value):
        pass

    def __iter__(self):
        return iter(())

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False


def _axes(nrows=1, ncols=1, squeeze=True, **kwargs):
    axes = np.empty((nrows, ncols), dtype=object)
    for place in np.ndindex(axes.shape):
        axes[place] = Anything("axes")
    return axes if not squeeze else axes[0, 0] if axes.size == 1 else axes.squeeze()


class _Swallowed(types.ModuleType):
    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Anything(name)


class _Refused(types.ModuleType):
    """A module of the book: it can be imported, and has nothing in it."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"{self.__name__}.{name} is not there when you are graded: write the function yourself"
        )


class _Check(types.ModuleType):
    """``helpers.check``: every check hands on the student's function."""

    __path__ = ()

    def __init__(self, name, data):
        super().__init__(name)
        self.assignment = lambda *args, **kwargs: _Mine(data)
        for silent in ("score", "receipt", "failed"):
            setattr(self, silent, lambda *args, **kwargs: None)

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return lambda fn=None, *args, **kwargs: fn


class _Mine:
    """The student's copy of the assignment: its data, and silence for everything else."""

    def __init__(self, data):
        self.data = data
        if isinstance(data, dict):
            self.__dict__.update(data)

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Anything(name)


def _session(name):
    module = types.ModuleType(name)

    def begin(seed=0):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        return "graded"

    module.begin, module.seed, module.profile = begin, lambda: 0, lambda: "quick"
    module.rng = lambda k=0: np.random.default_rng([0, k])
    return module


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules above before any other finder is asked."""

    def __init__(self, data):
        self.data = data

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in (*SWALLOWED, "helpers"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        name = spec.name
        top, _, rest = name.partition(".")
        if top != "helpers" or rest in DRAWN:
            return _Swallowed(name)
        if name == "helpers.check":
            return _Check(name, self.data)
        if name == "helpers.session":
            return _session(name)
        return _Refused(name) if rest else _Helpers(name)

    def exec_module(self, module):
        pass


class _Helpers(types.ModuleType):
    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return importlib.import_module(f"helpers.{name}")


def offer(data):
    """Put the finder first, and the two names that a notebook has without importing them."""
    sys.meta_path.insert(0, Finder(data))
    return {"display": lambda *args, **kwargs: None, "get_ipython": Anything("get_ipython")}
