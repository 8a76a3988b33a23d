"""A session is repeatable, and says so when its settings make no sense."""

import os
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


def test_rng_depends_on_seed_and_number():
    a, b, c = session.rng(0).random(3), session.rng(0).random(3), session.rng(1).random(3)
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


@pytest.mark.parametrize("text", ["x", "-1", "1.5", str(2**32)])
def test_a_bad_seed_in_the_environment(monkeypatch, text):
    monkeypatch.setenv("BOOK_SEED", text)
    with pytest.raises(ValueError, match=r"BOOK_SEED is .*; set it to a whole number"):
        session.begin()


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
