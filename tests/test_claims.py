"""Claims print what they check, and the book and nbval read back exactly that."""

import re
from configparser import RawConfigParser
from pathlib import Path

import numpy as np
import pytest

from helpers.claims import CLAIM_LINE, ClaimError, claim, kind, report

SANITIZER = Path(__file__).parent / "nbval.cfg"


@pytest.mark.parametrize(
    ("bounds", "good", "bad"),
    [
        ({"at_most": 1e-12}, 1e-12, 1.1e-12),
        ({"at_least": 0.03}, 0.03, 0.0299),
        ({"at_least": 1, "at_most": 2}, 1.5, 2.5),
        ({"at_least": 1, "at_most": 2}, 1, 0.5),
        ({"at_least": -2, "at_most": -1}, -1.5, 0),
        ({"margin": 0.01}, -0.01, -0.0101),
        ({"margin": 0.01}, 0.01, 0.0101),
        ({"rounding": "float64"}, 1e-12, 1.1e-12),
        ({"rounding": "float32"}, 1e-5, 1.1e-5),
        ({"rounding": "central differences"}, 1e-7, 1.1e-7),
        ({"rounding": "float64"}, 0.0, -1e-13),
        ({"equals": 118}, 118, 119),
        ({"equals": True}, True, False),
    ],
)
def test_holds_inside_the_bound_and_raises_outside(bounds, good, bad, capsys):
    claim("a thing", good, **bounds)
    assert capsys.readouterr().out.startswith("✓ a thing (")
    with pytest.raises(ClaimError, match=r"✗ a thing \(.*; measured "):
        claim("a thing", bad, **bounds)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("value", [float("nan"), np.float32("nan"), "0.5", None])
def test_what_is_no_number_never_holds(value):
    with pytest.raises(ClaimError):
        claim("a thing", value, at_most=1)
    with pytest.raises(ValueError, match="needs a number: a thing"):
        report("a thing", value)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "one kind of bound"),
        ({"equals": 1, "at_most": 2}, "one kind of bound"),
        ({"margin": 0.1, "at_most": 2}, "one kind of bound"),
        ({"at_least": 2, "at_most": 1}, "nothing fits"),
        ({"at_least": -1, "at_most": 1}, "an effect and its opposite: say with margin="),
        ({"at_least": 0, "at_most": 1}, "an effect and its opposite"),
        ({"margin": 0}, "the least difference that would matter"),
        ({"margin": -1}, "the least difference that would matter"),
        ({"rounding": "float16"}, "there are 'float64', 'float32', 'central differences'"),
    ],
)
def test_senseless_bounds_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        claim("a thing", 1, **bounds)


@pytest.mark.parametrize(
    ("bounds", "name"),
    [
        ({"at_most": 2}, "effect"),
        ({"at_least": 1, "at_most": 2}, "effect"),
        ({"margin": 2}, "equivalence"),
        ({"equals": 1}, "exact"),
        ({"rounding": "float32"}, "rounding"),
    ],
)
def test_the_printed_bound_tells_the_kind(bounds, name, capsys):
    claim("a thing", 0 if "rounding" in bounds else 1, **bounds)
    assert kind(CLAIM_LINE.match(capsys.readouterr().out)["bound"]) == name


def test_the_five_seeds_are_printed_and_read_back(monkeypatch, capsys):
    stored = {"98-lab": {"a thing": [0.04, 0.061, 0.05, 0.05, 0.05]}}
    monkeypatch.setattr("helpers.claims.seeds", lambda: stored)
    claim("a thing", 0.05, at_least=0.03, unit="accuracy")
    line = capsys.readouterr().out.strip()
    assert line == ("✓ a thing (at least 0.03; five seeds 0.04 to 0.061; measured 0.05 accuracy)")
    match = CLAIM_LINE.fullmatch(line)
    assert (match["bound"], match["least"], match["greatest"]) == ("at least 0.03", "0.04", "0.061")


def test_collecting_prints_what_does_not_hold_and_goes_on(monkeypatch, capsys):
    monkeypatch.setenv("BOOK_CLAIMS", "collect")
    claim("a thing", 3, at_most=2)
    assert CLAIM_LINE.fullmatch(capsys.readouterr().out.strip())["mark"] == "✗"


@pytest.mark.parametrize("sentence", ["", "two\nlines", "a | b"])
def test_senseless_sentences_are_refused(sentence):
    with pytest.raises(ValueError, match="one line"):
        claim(sentence, 1, at_most=1)
    with pytest.raises(ValueError, match="one line"):
        report(sentence, 1)


def test_a_line_that_the_book_cannot_read_back_is_refused():
    with pytest.raises(ValueError, match=r"could not read this back.*a thing"):
        claim("a thing", 1, at_most=2, unit="points (of 100)")


@pytest.mark.parametrize(
    ("value", "unit", "printed"),
    [
        (60965224, "", "60,965,224"),
        (np.int64(3), "", "3"),
        (np.float32(0.25), "accuracy", "0.25"),
        (3.123456e-15, "", "3.123e-15"),
        (True, "", "True"),
        (12.0, "ms", "12"),
    ],
)
def test_the_line_reads_back_and_only_the_value_is_sanitized(value, unit, printed, capsys):
    claim("with (parts; in it)", value, at_most=1e9, unit=unit)
    report("with (parts; in it)", value, unit=unit)
    config = RawConfigParser()
    config.read(SANITIZER, encoding="utf-8")
    rule = dict(config["measured value of a claim"])
    lines = capsys.readouterr().out.splitlines()
    for line, mark, bound in zip(lines, "✓≈", ("at most 1e+09", "on this machine"), strict=True):
        match = CLAIM_LINE.fullmatch(line)
        assert match["sentence"] == "with (parts; in it)"
        assert match["bound"] == bound
        assert match["value"] == printed
        assert (match["unit"] or "") == unit
        cleaned = re.sub(rule["regex"], rule["replace"], line)
        assert cleaned == f"{mark} with (parts; in it) ({bound}; measured …)"
    assert re.sub(rule["regex"], rule["replace"], "measured 3 apples") == "measured 3 apples"
