"""A lab's first line: seeds, deterministic operations, quiet logs and the figure style."""

import os
import platform
import warnings
from pathlib import Path

_state = {"seed": 0}


def begin(seed=0):
    """Make the run repeatable and quiet.

    Seeds Python, NumPy and Keras, turns on TensorFlow's deterministic operations, silences the
    start-up logs and sets the figure style. The environment variable ``BOOK_SEED`` overrides
    ``seed``, so that a lab can be checked with another one.

    Returns one line that describes the machine. Raises ``ValueError`` if ``BOOK_SEED`` or
    ``BOOK_PROFILE`` has a value that makes no sense.
    """
    _state["seed"] = _seed_from_environment(seed)
    profile()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import keras
    import matplotlib.style
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    keras.utils.set_random_seed(_state["seed"])
    tf.config.experimental.enable_op_determinism()
    warnings.filterwarnings("ignore", module="tensorflow|keras")
    matplotlib.style.use(Path(__file__).with_name("book.mplstyle"))
    import numpy as np

    devices = len(tf.config.list_physical_devices("GPU"))
    return (
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, NumPy {np.__version__}, {_cores()} CPU cores, {devices} GPUs, "
        f"seed {_state['seed']}, profile {profile()}"
    )


def seed():
    """The seed in force, an ``int``: what ``begin`` was given, or ``BOOK_SEED``."""
    return _state["seed"]


def rng(k=0):
    """A NumPy ``Generator`` that depends on the seed in force and on ``k``, and on nothing else."""
    import numpy as np

    return np.random.default_rng([_state["seed"], k])


def profile():
    """``"quick"`` (bundled data, small budgets) or ``"full"``, from ``BOOK_PROFILE``."""
    name = os.environ.get("BOOK_PROFILE", "quick")
    if name not in ("quick", "full"):
        raise ValueError(f"BOOK_PROFILE is {name!r}; set it to 'quick' or 'full', or unset it")
    return name


def _seed_from_environment(default):
    text = os.environ.get("BOOK_SEED", "")
    if not text:
        return int(default)
    if not text.isdigit() or int(text) >= 2**32:
        raise ValueError(f"BOOK_SEED is {text!r}; set it to a whole number from 0 to 2**32 - 1")
    return int(text)


def _cores():
    """Cores that this process may use (``taskset`` lowers it)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
