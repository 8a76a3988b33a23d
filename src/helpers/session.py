"""A lab's first line: seeds, deterministic operations, quiet logs and the figure style."""

import contextlib
import json
import numbers
import os
import platform
import sys
import tempfile
import warnings
from pathlib import Path

from helpers.words import shown

_state = {"seed": 0}


def begin(seed=0):
    """Make the run repeatable and quiet.

    Seeds Python, NumPy and Keras, turns on TensorFlow's deterministic operations and its faster
    convolutions (oneDNN), silences the start-up logs and sets the figure style. The environment
    variable ``BOOK_SEED`` overrides ``seed``, so that a lab can be checked with another one.

    Returns one line that describes the machine; prints one if the home folder cannot be written.
    Raises ``ValueError`` if ``BOOK_SEED`` or ``BOOK_PROFILE`` has a value that makes no sense, or
    Keras is set to another backend, another order of axes or another precision than the book's.
    """
    _state["seed"] = _seed_from_environment(seed)
    profile()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # Left to itself TensorFlow uses oneDNN on some processors only. With it AlexNet-28 takes a
    # quarter less time where it is not the default, and adds in the same order on all of them.
    if "tensorflow" not in sys.modules:  # later it would only reach the processes begun from here
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    _check_home()
    _check_backend()
    with _kept_in_case_of_failure():
        import keras
        import matplotlib.style
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        keras.utils.set_random_seed(_state["seed"])
        tf.config.experimental.enable_op_determinism()
        devices = len(tf.config.list_physical_devices("GPU"))
    _check_keras(keras)
    warnings.filterwarnings("ignore", module="tensorflow|keras")
    matplotlib.style.use(Path(__file__).with_name("book.mplstyle"))
    _sharpen_figures()
    import numpy as np

    return (
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, NumPy {np.__version__}, {_cores()} CPU cores, {devices} GPUs, "
        f"seed {_state['seed']}, profile {profile()}"
    )


def _sharpen_figures():
    """In a notebook, draw figures with twice the pixels, shown at the same size: for phones."""
    ipython = sys.modules.get("IPython")
    if ipython and ipython.get_ipython():
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")


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
        whole = isinstance(default, numbers.Integral) and not isinstance(default, bool)
        if not whole or not 0 <= default < 2**32:
            raise ValueError(f"seed={shown(default)}: give a whole number from 0 to 2**32 - 1")
        return int(default)
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**32:
        raise ValueError(f"BOOK_SEED is {text!r}; set it to a whole number from 0 to 2**32 - 1")
    return int(text)


def home():
    """The ``Path`` of the user's home folder, or ``None`` if there is none that can be written."""
    path = Path(os.path.expanduser("~"))  # "~" itself if there is none
    return path if path.is_dir() and os.access(path, os.W_OK) else None


def _check_home():
    if home() is None:
        os.environ.setdefault("MPLCONFIGDIR", tempfile.mkdtemp(prefix="matplotlib-"))
        if not os.environ.get("BOOK_DATA"):
            print(
                "There is no home folder to write to: downloads go to a temporary one. "
                "To keep them, set BOOK_DATA to a folder of yours."
            )


@contextlib.contextmanager
def _kept_in_case_of_failure():
    """Keep what TensorFlow's C++ parts write to the terminal while they start, whatever the log
    level (2.21 does), and show it only if the start fails."""
    try:
        terminal = os.dup(2)
    except OSError:  # a program without a terminal
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def _keras_file():
    folder = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    return Path(folder) / "keras.json"


def _check_backend():
    """Before Keras starts, since it cannot start with a backend that is not installed."""
    path, variable = _keras_file(), os.environ.get("KERAS_BACKEND")
    try:
        settings = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):  # then Keras starts with its own settings
        settings = {}
    if not isinstance(settings, dict):
        raise ValueError(f"{path} holds no settings of Keras: remove it and restart")
    backend, where = (variable, "KERAS_BACKEND") if variable else (settings.get("backend"), path)
    if backend not in (None, "tensorflow"):
        raise ValueError(
            f"Keras is set to {backend!r}, and the book needs 'tensorflow': "
            f"change it in {where} and restart"
        )


def _check_keras(keras):
    """What ``keras.json`` or an earlier line may have set."""
    for what, value, expected, change in (
        ("backend", keras.config.backend(), "tensorflow", "the variable KERAS_BACKEND"),
        ("image_data_format", keras.config.image_data_format(), "channels_last", _keras_file()),
        ("floatx", keras.config.floatx(), "float32", _keras_file()),
    ):
        if value != expected:
            raise ValueError(
                f"Keras has {what} {value!r}, and the book needs {expected!r}: "
                f"change it in {change} and restart"
            )


def _cores():
    """Cores that this process may use (``taskset`` lowers it)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
