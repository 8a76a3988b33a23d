"""The outlook chapters: coverage of the article, errata, references, the code of the FAQ."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"
NOTES = (CHAPTERS / "source-notes.md").read_text(encoding="utf-8")
FAQ = CHAPTERS / "faq.md"
OURS = ["resources", "faq", "source-notes", "glossary", "teaching"]

# Every section of the article that the book began with, as the article numbers them.
ARTICLE = [
    *("1.1", "1.2", "1.3", "2.1", "3.1", "3.2", "3.3", "3.4", "4.1", "4.2", "4.2.1", "4.2.2"),
    *("4.3", "5.1", "5.2", "5.3", "6.1", "6.2", "6.3", "7.1", "7.2", "7.3", "8.1", "8.2", "8.3"),
    *("8.4", "9", "Q1", "Q2", "Q3", "Q4", "Q5"),
]
LINK = re.compile(r"(?<!!)\[(?:[^\]]+)\]\(([^)\s]+)\)")
PLANNED = re.compile(r"[Pp]lanned: chapter (\d+)")


def anchors(path):
    """The headings of a Markdown file, as a link names them."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#{1,4} (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def labels():
    """The targets ``(name)=`` of all chapters: ``[text](#name)`` finds them from any page."""
    texts = (path.read_text(encoding="utf-8") for path in CHAPTERS.glob("*.md"))
    return {name for text in texts for name in re.findall(r"^\(([\w-]+)\)=$", text, re.M)}


def broken(text, source):
    """The links of ``text`` that lead to no file of the book, or to no place in it."""
    found = []
    for link in LINK.findall(text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (source.parent / name).resolve() if name else source
        known = target.is_file() and anchors(target) | ({""} if name else labels())
        if not known or anchor not in known:
            found.append(link)
    return found


def errata():
    """Number -> (heading line, answer) of every entry of the list."""
    entry = re.compile(
        r"^\(erratum-(\d+)\)=\n\*\*(\d+) · (.+?)\*\* \((.+?), (wrong|incomplete|slip)\)\\\n"
        r"(.+?)(?=\n\n)",
        re.MULTILINE | re.DOTALL,
    )
    return [match.groups() for match in entry.finditer(NOTES)]


def test_every_erratum_is_there_once_and_in_order():
    numbers = [(int(target), int(shown)) for target, shown, *_ in errata()]
    assert numbers == [(n, n) for n in range(1, 90)]


def test_every_erratum_names_its_section_what_is_right_and_where():
    for number, _, _, section, _, answer in errata():
        assert section == "all sections" or re.search(r"§\d\.\d|§6|Q[1-5]", section), number
        right, arrow, places = answer.partition("→")
        assert arrow and len(right.split()) >= 5, f"{number}: nothing is said of what is right"
        assert LINK.search(places), f"{number}: no place in the book"


def coverage():
    rows = re.findall(r"^\| ([\dQ][\d.]*) ([^|]*)\|(.*)\|$", NOTES, re.MULTILINE)
    return [(section, title.strip(), places.strip()) for section, title, places in rows]


def test_the_coverage_table_has_every_section_and_no_empty_cell():
    assert [section for section, _, _ in coverage()] == ARTICLE
    for section, title, places in coverage():
        assert title and places, section
        assert LINK.search(places) or PLANNED.search(places) or section == "4.2", section


def test_what_is_called_planned_does_not_exist_yet():
    for stem in ("trends-and-challenges", "faq", "source-notes"):
        for number in PLANNED.findall((CHAPTERS / f"{stem}.md").read_text(encoding="utf-8")):
            written = list(CHAPTERS.glob(f"{int(number):02}-*.md"))
            assert not written, f"{stem}: link to {written[0].name} instead of calling it planned"


@pytest.mark.parametrize("stem", OURS)
def test_links_lead_to_files_and_places_that_exist(stem):
    source = CHAPTERS / f"{stem}.md"
    assert not broken(source.read_text(encoding="utf-8"), source)


def test_a_link_to_nowhere_is_found():
    text = "[a](99-nothing.md) [b](resources.md#hammers) [c](#erratum-90) "
    expected = ["99-nothing.md", "resources.md#hammers", "#erratum-90"]
    text += "[d](faq.md) [e](resources.md#tools) [f](#erratum-1)"
    assert broken(text, CHAPTERS / "source-notes.md") == expected


def test_the_article_s_formula_does_not_balance():
    formula = r"\mathbf{W}^{L}\sigma(\mathbf{W}^{L-1}\sigma(\mathbf{W}^{L-2}\sigma(\dots\sigma("
    formula += r"\mathbf{W}^0x)\dots)) + b^L"  # section 4.1
    assert (formula.count("("), formula.count(")")) == (4, 3)


# The article's model (section 5.2), quoted to check what the notes say about it.
MODEL = """
model = Sequential()
model.add(Conv2D(96, (11, 11), strides=(4, 4), input_shape=(28, 28, 1)))
model.add(Activation('relu'))
model.add(MaxPooling2D(pool_size=(3, 3), strides=(2, 2), padding='same'))
model.add(Conv2D(256, (5, 5), padding='same'))
model.add(Activation('relu'))
model.add(MaxPooling2D(pool_size=(3, 3), strides=(2, 2), padding='same'))
model.add(Conv2D(384, (3, 3), padding='same'))
model.add(Activation('relu'))
model.add(Conv2D(384, (3, 3), padding='same'))
model.add(Activation('relu'))
model.add(MaxPooling2D(pool_size=(3, 3), strides=(2, 2), padding='same'))
model.add(Flatten())
model.add(Dense(4096))
model.add(Activation('relu'))
model.add(Dropout(0.5))
model.add(Dense(10))
model.add(Activation('softmax'))
"""


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_article_s_model_is_what_the_notes_say():
    import keras

    names = ("Sequential", "Conv2D", "Activation", "MaxPooling2D", "Flatten", "Dense")
    scope = {name: getattr(keras.layers, name, None) or keras.Sequential for name in names}
    with pytest.raises(NameError, match="'Dropout'"):
        exec(MODEL, dict(scope))
    scope["Dropout"] = keras.layers.Dropout
    exec(MODEL, scope)
    layers = scope["model"].layers
    kinds = Counter(type(layer).__name__ for layer in layers)
    assert (kinds["Conv2D"], kinds["Dense"]) == (4, 2)
    sides = [layer.output.shape[1] for layer in layers if "2D" in type(layer).__name__]
    assert sides == [5, 3, 3, 2, 2, 2, 1]
    flat = next(layer for layer in layers if type(layer).__name__ == "Flatten")
    assert flat.output.shape[1] == 384 and scope["model"].count_params() == 4_456_906
    assert "4,456,906" in NOTES and not hasattr(keras.applications, "AlexNet")
    side, without_padding = 5, []
    for _ in range(2):
        side = (side - 3) // 2 + 1
        without_padding.append(side)
    assert without_padding == [2, 0]


# Only the first six authors could be confirmed; everything else has its authors, or ten of them.
SIX_AUTHORS_ONLY = {"gommers2026"}

# --- references -------------------------------------------------------------------------------


def entries():
    text = (ROOT / "references.bib").read_text(encoding="utf-8")
    found = []
    for kind, key, body in re.findall(r"^@(\w+)\{([^,\s]+),\n(.*?)^\}", text, re.M | re.S):
        # A field's value is in braces, which may hold one more pair; several may share a line.
        fields = re.findall(r"(\w+)\s*=\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}", body)
        found.append((kind, key, {name.lower(): value for name, value in fields}))
    assert len(found) == len(re.findall(r"^@", text, re.M)), "an entry is not in the usual form"
    return found


def citations():
    """Key -> the pages that cite it."""
    cited = {}
    for page in [ROOT / "intro.md", *CHAPTERS.glob("*.md")]:
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text):
            for key in keys.split(","):
                cited.setdefault(key.strip(), set()).add(page.name)
    return cited


def test_no_citation_is_undefined():
    known = {key for _, key, _ in entries()}
    assert not {key: pages for key, pages in citations().items() if key not in known}


def test_no_reference_is_unused():
    assert not {key for _, key, _ in entries()} - set(citations())


def test_references_are_complete_and_well_formed():
    for _, key, fields in entries():
        assert {"author", "title", "year"} <= set(fields), key
        address = {"doi", "eprint", "url", "school"}  # a thesis may have none but its university
        assert set(fields) & address, f"{key}: no DOI, arXiv number or address"
        year = int(fields["year"])
        assert 1600 < year < 2100, key
        if "doi" in fields:
            assert re.fullmatch(r"10\.\d{4,9}/[^\s{}]+", fields["doi"]), f"{key}: {fields['doi']}"
        if "url" in fields:
            assert re.fullmatch(r"https?://[\w.-]+\.\w+\S*", fields["url"]), (
                f"{key}: {fields['url']}"
            )
        if "eprint" in fields:
            assert fields.get("archiveprefix") == "arXiv", key
            number = fields["eprint"]
            match = re.fullmatch(r"(\d\d)(0[1-9]|1[0-2])\.(\d{4,5})", number)
            if not match:  # the form before April 2007
                assert re.fullmatch(r"[a-z-]+(\.[A-Z]{2})?/\d{7}", number), f"{key}: {number}"
                continue
            posted, digits = 2000 + int(match[1]), len(match[3])
            assert digits == (5 if posted >= 2015 else 4), f"{key}: {number}"
            assert posted <= year + 1, f"{key}: posted in {posted}, published in {year}?"
        names = fields["author"].split(" and ")
        complete = "others" not in names or len(names) == 11
        assert complete or key in SIX_AUTHORS_ONLY, f"{key}: ten authors, then others"


@pytest.mark.parametrize("field", ["key", "doi", "eprint", "title"])
def test_no_reference_is_there_twice(field):
    values = []
    for _, key, fields in entries():
        value = key if field == "key" else fields.get(field, "")
        if field == "title":  # editions of a book share one
            value = re.sub(r"[^a-z0-9]", "", value.lower()) + fields.get("edition", "")
        values.append(value.lower())
    assert not {v: n for v, n in Counter(v for v in values if v).items() if n > 1}


# --- glossary and reading list -----------------------------------------------------------------


def test_glossary_terms_are_sorted_unique_and_bilingual():
    text = (CHAPTERS / "glossary.md").read_text(encoding="utf-8").split("```{glossary}\n")[1]
    terms = re.findall(r"^(\S.*)\n    (.+)$", text, re.M)
    names = [name.lower() for name, _ in terms]
    assert len(names) >= 80 and names == sorted(set(names))
    proper = {"AlexNet", "AlexNet-28", "ImageNet", "WordNet", "im2col"}
    for name, meaning in terms:
        assert name in proper or re.search(r"[\u4e00-\u9fff]", meaning.split(". ")[0]), name


def test_the_reading_list_is_as_long_as_it_says():
    text = (CHAPTERS / "resources.md").read_text(encoding="utf-8")
    papers = text.split("## A reading list")[1].split("### The code of 2012")[0]
    words = {"twenty-nine": 29, "thirty": 30, "thirty-one": 31, "thirty-two": 32}
    said = re.search(r"^([\w-]+) papers, in order of time", papers, re.M)[1].lower()
    assert len(re.findall(r"\{cite:t\}", papers)) == words[said]


# --- the code of the questions ------------------------------------------------------------------

RUNNER = """
import contextlib, io, json, sys
scope = {"__name__": "__main__"}
printed = []
for block in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(block, scope)
    printed.append(out.getvalue())
print("\\x1e" + json.dumps(printed))
"""


def blocks(text):
    """The Python blocks of a page, each with the output that the page prints under it."""
    fence = r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?"
    return re.findall(fence, text, re.M | re.S)


def run_blocks(codes):
    import json

    environment = {k: v for k, v in os.environ.items() if k not in ("BOOK_SEED", "BOOK_PROFILE")}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    run = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(codes), capture_output=True, text=True, env=environment, timeout=600,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.rpartition("\x1e")[2])


NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def assert_same_output(printed, shown):
    """The same text; a number may differ by one in its last printed digit."""

    def words(text):
        return [" ".join(line.split()) for line in NUMBER.sub("0", text).strip("\n").split("\n")]

    assert words(printed) == words(shown)
    for a, b in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
        unit = 10.0 ** -len(b.partition(".")[2])
        assert abs(float(a) - float(b)) <= 1.001 * unit, f"{a} is not {b}, in:\n{printed}"


def test_the_code_of_the_questions_prints_what_the_page_shows():
    pairs = blocks(FAQ.read_text(encoding="utf-8"))
    assert len(pairs) == FAQ.read_text(encoding="utf-8").count("```python") >= 8
    printed = run_blocks([code for code, _ in pairs])
    for (_, shown), output in zip(pairs, printed, strict=True):
        assert_same_output(output, shown)


def test_the_outlook_quotes_question_three_as_it_prints():
    shown = next(
        shown for _, shown in blocks(FAQ.read_text(encoding="utf-8")) if "flower:" in shown
    )
    printed = NUMBER.findall(shown.split("cat:")[0])
    trends = (CHAPTERS / "trends-and-challenges.md").read_text(encoding="utf-8")
    quoted = NUMBER.findall(trends.split("In [Question 3](#faq-3)")[1].split("\n")[0])
    assert len(quoted) == 5 and set(quoted) <= set(printed)


def test_a_different_output_is_found():
    assert_same_output("clean 91%\n", "clean  92%\n")
    for other in ("clean 93%\n", "noise 91%\n", "clean 91%\nmore\n"):
        with pytest.raises(AssertionError):
            assert_same_output(other, "clean 91%\n")
