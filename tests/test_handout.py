"""``make handout``: nothing gives an answer away, and nothing of the book's markup is left."""

import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import make_handout as make  # noqa: E402

STEMS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))


@pytest.mark.parametrize("stem", STEMS)
def test_a_lab_without_solutions(stem):
    lab = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", 4)
    sheet = make.worksheet(lab)
    text = "\n".join(cell.source for cell in sheet.cells)
    hidden = [cell.source for cell in lab.cells if make.is_solution(cell)]
    assert hidden, "a lab has solutions"
    assert not [source for source in hidden if source in text]
    assert "<details>" not in text and "check." in text
    assert not any(cell.get("outputs") for cell in sheet.cells)
    slides = make.shown(lab)
    assert len(slides) >= 5
    told = "\n".join(cell.source for slide in slides for cell in slide)
    assert "<details>" not in told and not [source for source in hidden if source in told]


@pytest.mark.parametrize("stem", STEMS)
def test_a_chapter_on_a_page(stem):
    page = make.page_of(stem)
    for markup in ("{cite", "{measured}", "{ref}", ":::", "```", "](#", ".md)"):
        assert markup not in page, (
            f"{markup} is left: {page[max(0, page.find(markup) - 80) :][:160]}"
        )
    assert page.startswith("# ") and "**Questions**" in page
    assert 800 < len(page) < 9000, len(page)


def test_which_lab(capsys):
    assert make.find("3") == make.find("03") == make.find("03-backward-pass") == "03-backward-pass"
    with pytest.raises(SystemExit, match="There is no lab '99'"):
        make.find("99")


def test_pages_are_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(make, "OUT", ROOT / "_build" / "test-handouts")
    monkeypatch.setattr(sys, "argv", ["make_handout", "3", "--no-pdf"])
    make.main()
    for kind in ("lab", "slides", "page"):
        text = (make.OUT / f"03-{kind}.html").read_text("utf-8")
        assert '<html lang="en">' in text and "The backward pass" in text
    assert text.count("<h1") == 1
    slides = (make.OUT / "03-slides.html").read_text("utf-8")
    assert "data:image/png" in slides and 'class="input' not in slides
