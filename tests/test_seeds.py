"""Bounds can fail: each is held to what its claim measured with seeds 0 to 4."""

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest

from helpers import claims

ROOT = Path(__file__).resolve().parent.parent
LABS = sorted((ROOT / "notebooks").glob("*.ipynb"))
sys.path.insert(0, str(ROOT / "tools"))

import seeds as tool  # noqa: E402


def claims_of(path):
    notebook = nbformat.read(path, as_version=4)
    return [m.groupdict() for m in tool.claims_in(notebook) if m["mark"] != "≈"]


def ends(bound):
    """The least and the greatest value that a printed bound lets through."""
    numbers = [float(x.replace(",", "")) for x in re.findall(r"-?[\d,]*\.?\d+(?:e[-+]\d+)?", bound)]
    match bound.split()[:2]:
        case ["at", "least"]:
            return numbers[0], float("inf")
        case ["at", "most"]:
            return float("-inf"), numbers[0]
        case ["within", "the"]:
            return 0.0, numbers[-1]
        case ["within", _]:
            return -numbers[0], numbers[0]
    return numbers[0], numbers[1]


def problems(claim, five):
    """What is wrong with a claim as printed, given what five seeds measured (or ``None``)."""
    sentence, bound = claim["sentence"], claim["bound"]
    if claims.kind(bound) == "exact":
        return []
    if not five or len(five) != 5:
        return [f"{sentence}: no five seeds, run make seeds"]
    least, greatest = ends(bound)
    wrong = []
    if (claim["least"], claim["greatest"]) != (claims._text(min(five)), claims._text(max(five))):
        wrong.append(f"{sentence}: prints another range than the stored one, run make seeds")
    if not all(least <= v <= greatest for v in five):
        wrong.append(f"{sentence}: {bound} does not hold with every seed: {five}")
    if claims.kind(bound) == "effect":
        wrong += [f"{sentence}: {bound} is too loose for {five}"] * loose(least, greatest, five)
    if claims.kind(bound) == "equivalence" and claim["unit"] in UNITS:
        wrong += [f"{sentence}: {bound} is wider than what matters"] * (
            greatest > UNITS[claim["unit"]]
        )
    return wrong


UNITS = {"accuracy": 0.015, "points": 1.5}  # more than this, and one would choose another network


def loose(least, greatest, five):
    """Does a bound let through half of the weakest effect, or twice the largest remainder?"""
    low, high = min(five), max(five)
    below = least != float("-inf") and least < (low / 2 if low > 0 else 2 * low)
    above = greatest != float("inf") and greatest > (2 * high if high > 0 else high / 2)
    return below or above


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_every_bound_can_fail_and_holds_with_five_seeds(path):
    stored = claims.seeds().get(path.stem, {})
    wrong = [p for c in claims_of(path) for p in problems(c, stored.get(c["sentence"]))]
    assert not wrong, "\n".join([path.stem, *wrong])


def test_what_is_stored_is_claimed_and_a_sentence_is_claimed_once():
    found = [c for path in LABS for c in claims_of(path) if claims.kind(c["bound"]) != "exact"]
    said = [c["sentence"] for c in found]
    twice = {s for s in said if said.count(s) > 1}
    assert not twice, f"the five seeds are found by the sentence: {twice}"
    stored = {s for lab in claims.seeds().values() for s in lab}
    assert stored <= set(said), f"no lab claims this any more: {stored - set(said)}"
    assert set(claims.seeds()) <= {path.stem for path in LABS}


@pytest.mark.parametrize(
    ("bound", "five", "wrong"),
    [
        ("at least 0.03", [0.04, 0.05, 0.05, 0.05, 0.06], ""),
        ("at least 0.02", [0.04, 0.05, 0.05, 0.05, 0.06], ""),
        ("at least 0.019", [0.04, 0.05, 0.05, 0.05, 0.06], "too loose"),
        ("at least 0.05", [0.04, 0.05, 0.05, 0.05, 0.06], "with every seed"),
        ("at most 0.12", [0.04, 0.05, 0.05, 0.05, 0.06], ""),
        ("at most 0.13", [0.04, 0.05, 0.05, 0.05, 0.06], "too loose"),
        ("at most -0.02", [-0.04, -0.05, -0.05, -0.05, -0.06], ""),
        ("at most -0.01", [-0.04, -0.05, -0.05, -0.05, -0.06], "too loose"),
        ("at least -0.2", [-0.04, -0.05, -0.05, -0.05, -0.06], "too loose"),
        ("from 1,000 to 1,300", [1200, 1200, 1201, 1202, 1203], ""),
        ("from 1 to 1,300", [1200, 1200, 1201, 1202, 1203], "too loose"),
        ("within ±0.01, the margin that matters", [0.004, -0.004, 0.0, 0.001, 0.002], ""),
        ("within ±0.03, the margin that matters", [0.004, -0.004, 0.0, 0.001, 0.002], "wider"),
        ("within ±0.003, the margin that matters", [0.004, 0.0, 0.0, 0.001, 0.002], "with every"),
        ("within the rounding of float32, 1e-05", [1e-7, 1e-7, 2e-7, 1e-7, 1e-7], ""),
        ("within the rounding of float32, 1e-05", [1e-7, 1e-7, 2e-5, 1e-7, 1e-7], "with every"),
        ("at least 0.03", None, "no five seeds"),
        ("at least 0.03", [0.04, 0.05], "no five seeds"),
        ("equals 5", None, ""),
    ],
)
def test_a_loosened_bound_or_a_missing_seed_is_found(bound, five, wrong):
    printed = [claims._text(f(five)) for f in (min, max)] if five else [None, None]
    claim = {"sentence": "a thing", "bound": bound, "unit": "accuracy"}
    claim |= dict(zip(("least", "greatest"), printed, strict=True))
    found = problems(claim, five)
    assert (wrong in found[0] if found else not wrong) and bool(found) == bool(wrong), found


def test_an_edited_range_is_found():
    claim = {"sentence": "a thing", "bound": "at least 0.03", "unit": ""}
    claim |= {"least": "0.045", "greatest": "0.06"}
    assert "another range" in problems(claim, [0.04, 0.05, 0.05, 0.05, 0.06])[0]


LAB = """from helpers.claims import claim
from helpers import session
import os
seed = int(os.environ["BOOK_SEED"])
claim("test lab: an effect", 0.1 + seed / 100, at_least=0.08, unit="accuracy")
claim("test lab: fails with seed 4", 4 - seed, at_least=1)
claim("test lab: exact", 3, equals=3)
claim("test lab: exact but for seed 1", seed != 1, equals=True)"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab of one cell, with the output that a run without stored seeds has left."""
    cell = nbformat.v4.new_code_cell(LAB, id="cell-000")
    line = "✓ test lab: an effect (at least 0.08; measured 0.1 accuracy)\n"
    cell.outputs = [nbformat.v4.new_output("stream", text=line)]
    path = tmp_path / "99-test.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    monkeypatch.setattr(tool, "chosen", lambda stems: [path])
    monkeypatch.setattr(tool, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(tool, "FILE", tmp_path / "seeds.json")
    monkeypatch.setattr(claims, "files", lambda package: tmp_path)
    claims.seeds.cache_clear()
    yield path
    claims.seeds.cache_clear()


def test_make_seeds_stores_each_claim_and_names_the_one_that_fails(lab):
    with pytest.raises(
        SystemExit, match=r"99-test, seed 4: test lab: fails with seed 4 measured 0"
    ):
        tool.main([])
    stored = json.loads((lab.parent / "seeds.json").read_text())
    assert stored == {
        "99-test": {
            "test lab: an effect": [0.1, 0.11, 0.12, 0.13, 0.14],
            "test lab: fails with seed 4": [4, 3, 2, 1, 0],
        }
    }
    text = nbformat.read(lab, as_version=4).cells[0].outputs[0].text
    assert text == (
        "✓ test lab: an effect (at least 0.08; five seeds 0.1 to 0.14; measured 0.1 accuracy)\n"
    )
    assert not [*lab.parent.glob("*.new"), *lab.parent.glob("partial-*")]


def test_a_lab_that_breaks_stores_nothing(lab):
    notebook = nbformat.read(lab, as_version=4)
    notebook.cells[0].source += "\nif seed == 2:\n    raise RuntimeError('broken')"
    nbformat.write(notebook, lab)
    with pytest.raises(SystemExit, match=r"99-test, seed 2: failed[\s\S]*broken"):
        tool.main([])
    assert not (lab.parent / "seeds.json").exists()


TYPED = re.compile(
    r"(?i)\bseeds?\b[^.|]*?\d[\d.,]*(?:\s*%)? (?:to|and) [−-]?\d|[\d.]+ ± [\d.]+ [^.]*\bseeds?\b"
)


def test_no_spread_is_typed():
    for path in [ROOT / "intro.md", *(ROOT / "chapters").glob("*.md"), *LABS]:
        if path.suffix == ".ipynb":
            cells = nbformat.read(path, as_version=4).cells
            text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
        else:
            text = re.sub(r"\{measured\}`[^`]*`", "", path.read_text(encoding="utf-8"))
        found = TYPED.search(text.replace("seeds 0 to 4", "").replace("seeds 1 to 4", ""))
        assert not found, f"{path.name}: take it from {{measured}} or the claim: {found.group()!r}"
