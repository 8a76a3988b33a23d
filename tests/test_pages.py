"""What every page of the book owes its reader: its time and what it builds on, questions at its
end, one meaning a letter, and the truth told without a detour through the article it began with."""

import re
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("*.md"))
LABS = sorted((ROOT / "notebooks").glob("*.ipynb"))
REFERENCE = {"bibliography", "claims", "glossary", "notation"}  # looked things up in, not read
PAGES = [page for page in CHAPTERS if page.stem not in REFERENCE]
NUMBERED = [page for page in CHAPTERS if re.match(r"\d\d-", page.stem)]


def by_stem(path):
    return path.stem


# --- the article -------------------------------------------------------------------------------

ARTICLE = re.compile(r"\b(?:source|the|this|our|its|whose|Chinese) (?:source )?article\b", re.I)


def sources():
    """Name -> text of all that a reader may see, but for the two places meant for the article."""
    found = {page.name: page.read_text(encoding="utf-8") for page in CHAPTERS}
    del found["source-notes.md"]
    found["README.md"] = (ROOT / "README.md").read_text(encoding="utf-8")
    for lab in LABS:
        cells = nbformat.read(lab, as_version=4).cells
        found[lab.name] = "\n\n".join(cell.source for cell in cells)
    for module in (ROOT / "src").rglob("*.py"):
        found[str(module.relative_to(ROOT))] = module.read_text(encoding="utf-8")
    return found


def spoken_of(text):
    """The places where ``text`` speaks of the article, each with some words around it."""
    flat = " ".join(text.split())
    return [flat[max(0, m.start() - 40) : m.end() + 30] for m in ARTICLE.finditer(flat)]


@pytest.mark.parametrize("name", sorted(sources()))
def test_the_truth_is_told_without_the_article(name):
    assert not spoken_of(sources()[name])


def test_the_landing_page_speaks_of_the_article_in_one_paragraph():
    paragraphs = (ROOT / "intro.md").read_text(encoding="utf-8").split("\n\n")
    assert sum("article" in paragraph for paragraph in paragraphs) == 1


def test_a_word_about_the_article_is_found():
    for text in ("The source\narticle names", "## The article's five steps", "as our article has"):
        assert spoken_of(text), text
    assert not spoken_of("Check three claims of one article. An articled clerk.")


# --- one letter, one thing ---------------------------------------------------------------------


def symbols(text):
    """Every symbol in the first column of the tables, once for each row that explains it."""
    found = []
    for line in text.splitlines():
        if not line.startswith("| $"):
            continue
        first = line.split("|")[1]
        for formula in re.findall(r"\$([^$]+)\$", first):
            found += [part.strip() for part in formula.split(",")]
    return found


def used_twice(text):
    """Symbols with two rows. A section may say that its letters hold in one chapter only: then they
    are held against each other, since that field's own letters mean other things elsewhere."""
    sections = re.split(r"^(?=## )", text, flags=re.M)
    own = [section for section in sections if "These letters hold in chapter" in section]
    twice = set()
    for part in ["".join(s for s in sections if s not in own), *own]:
        found = symbols(part)
        twice |= {symbol for symbol in found if found.count(symbol) > 1}
    return sorted(twice)


def test_no_letter_stands_for_two_things():
    text = (ROOT / "chapters" / "notation.md").read_text(encoding="utf-8")
    assert len(symbols(text)) >= 40
    assert not used_twice(text)


def test_a_letter_for_two_things_is_found():
    row = "| $k$ | constant of the normalization | `k` |"
    table = "| $N$ | images | |\n| $r, t$ | row and column | |\n| $k$ | filter | |\n"
    assert not used_twice(table)
    alone = "## Privacy\n\nThese letters hold in chapter 15.\n\n" + row + "\n"
    assert not used_twice(table + alone) and used_twice(table + alone + row) == ["k"]
    assert used_twice(table + row) == ["k"] and used_twice(table + "| $t, s$ | x | |") == ["t"]


# --- time, and what a page builds on -----------------------------------------------------------

TIME = re.compile(r"^Time: (\d+) min to read[^.]*\. Builds on: (.+)\.$")


def missing_time(text):
    """What is wrong with the line of the time, or ``None``."""
    lines = text.splitlines()
    times = [(k, line) for k, line in enumerate(lines) if line.startswith("Time:")]
    title = next(k for k, line in enumerate(lines) if line.startswith("# "))
    if len(times) != 1:
        return f"{len(times)} lines begin with Time:, not one"
    place, line = times[0]
    if place - title > 8 or any(text.startswith("## ") for text in lines[title + 1 : place]):
        return "the time stands after the page has begun"
    match = TIME.match(line)
    if not match:
        return f"not of the form 'Time: 20 min to read. Builds on: [..](..).': {line}"
    return None if 5 <= int(match[1]) <= 90 else f"{match[1]} minutes?"


@pytest.mark.parametrize("page", PAGES, ids=by_stem)
def test_a_page_says_how_long_it_takes_and_what_it_builds_on(page):
    assert missing_time(page.read_text(encoding="utf-8")) is None


def test_a_page_without_its_time_is_found():
    good = "# T\n\nTime: 20 min to read. Builds on: [A](a.md).\n\n## S\n"
    assert missing_time(good) is None
    for bad in (
        good.replace("Time", "Duration"),
        good.replace("20 min", "a while"),
        good.replace(" Builds on: [A](a.md).", ""),
        "# T\n\n## S\n\nTime: 20 min to read. Builds on: [A](a.md).\n",
        good + "\nTime: 5 min to read. Builds on: nothing.\n",
    ):
        assert missing_time(bad), bad


def minutes(lab):
    """Minutes to read and run, and to do, as the lab's first cell says."""
    text = nbformat.read(lab, as_version=4).cells[0].source
    line = re.search(r"^Time: .*$", text, re.M)
    return [int(number) for number in re.findall(r"(\d+) min", line[0])] if line else None


@pytest.mark.parametrize("lab", LABS, ids=by_stem)
def test_the_plan_for_teachers_has_each_lab_with_its_own_times(lab):
    text = (ROOT / "chapters" / "teaching.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| \[[^\]]+\]\(\.\./notebooks/{lab.stem}\.ipynb\) \|(.*)\|$", text, re.M)
    assert row, "no row in the table of times"
    planned = [int(number) for number in re.findall(r"(\d+) min", row[1])]
    assert planned == minutes(lab), f"teaching.md says {planned}, the lab {minutes(lab)}"


# --- questions ---------------------------------------------------------------------------------

DROPDOWN = re.compile(r"^:::\{dropdown\} ([^\n]+)\n(.*?)^:::$", re.M | re.S)


def missing_questions(text):
    """What is wrong with the questions at the end of a page, or ``None``."""
    sections = re.split(r"^## ", text, flags=re.M)
    if sections[-1].startswith("Going further\n"):
        sections.pop()
    if not sections[-1].startswith("Questions\n"):
        return "the last section, but for 'Going further', is not 'Questions'"
    found = DROPDOWN.findall(sections[-1])
    if not 3 <= len(found) <= 6:
        return f"{len(found)} questions, not three to six"
    for question, answer in found:
        if "](" in question or "{cite" in question:
            return f"a link inside a control: {question}"
        if len(answer.split()) < 5:
            return f"hardly an answer: {question}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=by_stem)
def test_a_page_ends_with_questions(page):
    assert missing_questions(page.read_text(encoding="utf-8")) is None


def test_a_page_without_questions_is_found():
    one = ":::{dropdown} Why?\nBecause it is so, as the lab measures.\n:::\n\n"
    good = "# T\n\n## S\n\ntext\n\n## Questions\n\n" + 3 * one
    assert missing_questions(good) is None
    assert missing_questions(good + "## Going further\n\ntext\n") is None
    for bad in (
        good.replace("## Questions", "## Going further"),
        good + "## More\n\ntext\n",
        good.replace(3 * one, 2 * one),
        good.replace("Why?", "Why, after [Lab 2](x.ipynb)?"),
        good.replace("Because it is so, as the lab measures.", "So."),
    ):
        assert missing_questions(bad), bad


def test_the_questions_are_collapsed_on_the_page():
    html = ROOT / "_build" / "html" / "chapters"
    assert html.exists(), "there is no rendered book: run `make book` first"
    for page in PAGES:
        written = len(DROPDOWN.findall(page.read_text(encoding="utf-8")))
        shown = (html / f"{page.stem}.html").read_text(encoding="utf-8")
        assert shown.count('<details class="sd-sphinx-override sd-dropdown') == written, page.stem
        assert not re.search(r"<summary[^>]*sd-summary(?:(?!</summary>).)*<a ", shown, re.S)


# --- the parts of the book ---------------------------------------------------------------------


def parts():
    """The captions of the contents, as ``(number, title)``."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    captions = [part["caption"].partition(" · ") for part in toc["parts"]]
    return [(number, title) for number, dot, title in captions if dot]


def test_landing_page_readme_and_contents_name_the_same_parts():
    assert [number for number, _ in parts()] == sorted({n for n, _ in parts()}, key=roman)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([IVX]+) ([^|]+?) *\|", readme, re.M) == parts()
    # The landing page says what one does in each part; its title comes from the contents.
    path = re.search(r"```{path}\n(.*?)```", (ROOT / "intro.md").read_text(encoding="utf-8"), re.S)
    assert re.findall(r"^([IVX]+) \| ", path[1], re.M) == [number for number, _ in parts()]


def roman(number):
    return ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"].index(number)
