"""A session is repeatable, and says so when its settings make no sense."""

import contextlib
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from helpers import session


def test_importing_helpers_imports_no_tensorflow():
    code = "import sys, helpers, helpers.session, helpers.claims, helpers.layers, helpers.gradcheck"
    code += ", helpers.datasets, helpers.plots; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_begin_repeats_random_numbers_and_is_quiet():
    code = "from helpers import session; import numpy as np; print(session.begin(3)); import keras;"
    code += "print(np.random.rand(), keras.random.normal((1,)).numpy(), session.rng(1).random())"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("BOOK_")}
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, env=clean, capture_output=True) for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout
    assert b"seed 3, profile quick" in runs[0].stdout
    assert runs[0].stderr == b""


def test_what_is_written_while_starting_is_shown_only_if_the_start_fails(capfd):
    for failing in (False, True):
        with contextlib.suppress(RuntimeError), session._kept_in_case_of_failure():
            os.write(2, b"chatter")
            if failing:
                raise RuntimeError
        assert capfd.readouterr().err == "chatter" * failing
    os.write(2, b"later")
    assert capfd.readouterr().err == "later"


def test_rng_depends_on_seed_and_number():
    a, b, c = session.rng(0).random(3), session.rng(0).random(3), session.rng(1).random(3)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "²", str(2**32)])
def test_a_bad_seed_in_the_environment(monkeypatch, text):
    monkeypatch.setenv("BOOK_SEED", text)
    with pytest.raises(ValueError, match=r"BOOK_SEED is .*; set it to a whole number"):
        session.begin()


@pytest.mark.parametrize("seed", [1.5, -1, 2**32, "7", None, True])
def test_a_bad_seed_is_not_rounded(seed):
    with pytest.raises(ValueError, match=r"seed=.*: give a whole number from 0"):
        session.begin(seed)


def test_seed_from_the_environment_wins(monkeypatch):
    monkeypatch.setenv("BOOK_SEED", "7")
    assert "seed 7" in session.begin(0)
    assert session.seed() == 7
    monkeypatch.delenv("BOOK_SEED")
    session.begin(0)


def test_a_bad_profile(monkeypatch):
    monkeypatch.setenv("BOOK_PROFILE", "huge")
    with pytest.raises(ValueError, match="'quick' or 'full'"):
        session.profile()


def begin(home, **settings):
    """Begin a session in a process of its own, with this home and these variables."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BOOK_", "KERAS", "MPL"))}
    code = "from helpers import session, datasets; print(session.begin(), datasets.CACHE)"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "HOME": str(home), **settings},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("file", "variables", "message"),
    [
        ({}, {"KERAS_BACKEND": "jax"}, "Keras is set to 'jax', .*'tensorflow': .* KERAS_BACKEND"),
        ({"backend": "torch"}, {}, r"Keras is set to 'torch', .* in \S*keras\.json and restart"),
        ({"image_data_format": "channels_first"}, {}, r"'channels_last': .* in \S*keras\.json"),
        ([], {}, r"\S*keras\.json holds no settings of Keras: remove it"),
        ({"floatx": "float16"}, {}, r"floatx 'float16', and the book needs 'float32'"),
    ],
)
def test_other_settings_of_keras_are_named_in_one_line(tmp_path, file, variables, message):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text(json.dumps(file))
    run = begin(tmp_path, **variables)
    assert run.returncode == 1
    assert re.match(rf"ValueError: .*{message}", run.stderr.splitlines()[-1])


@pytest.mark.parametrize("text", ["", "{", '{"backend": "tensorflow"}'])
def test_a_file_of_keras_that_says_nothing_else_is_no_hindrance(tmp_path, text):
    (tmp_path / "keras.json").write_text(text)
    run = begin(tmp_path, KERAS_HOME=str(tmp_path))
    assert (run.returncode, run.stderr) == (0, "")


def test_without_a_home_a_session_begins_and_says_so(tmp_path):
    run = begin(tmp_path / "nowhere")
    assert (run.returncode, run.stderr) == (0, "")
    first, second = run.stdout.splitlines()
    assert first.startswith("There is no home folder to write to: downloads go to a temporary one.")
    assert second.startswith("Python") and str(tmp_path) not in second
    run = begin(tmp_path / "nowhere", BOOK_DATA=str(tmp_path))
    assert len(run.stdout.splitlines()) == 1 and run.stdout.endswith(f"{tmp_path}\n")
