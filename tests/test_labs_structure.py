"""Every lab has the form that the book promises: DESIGN's template, tags, lengths, alt texts."""

import base64
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
LABS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KNOWN_TAGS = {"setup", "nbval-ignore-output", "solution", "raises-exception"}
KNOWN_TAGS |= {"hide-input", "hide-cell"}  # the second hides a solution with its output
SETUP = """# In Colab this installs the book's helper package; anywhere else it does nothing.
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules and getattr(find_spec("helpers"), "origin", None) is None:
    %pip install -q "git+https://github.com/ADDRESS"

from helpers import session  # An error? Rename any helpers of your own, or install the book's.

session.begin()"""
# What MyST knows and CommonMark does not: directives, roles, colon fences, labels, substitutions.
MYST = re.compile(r"^\s*(```|~~~)\{|^:::|\{[a-z:]+\}`|^\([\w-]+\)=\s*$|\{\{.*\}\}", re.MULTILINE)


@pytest.fixture(params=LABS, ids=lambda path: path.stem)
def lab(request):
    notebook = nbformat.read(request.param, as_version=4)
    notebook.path = request.param
    return notebook


def where(lab, cell):
    first = cell.source.strip().splitlines()[:1]
    return f"{lab.path.name}, cell {lab.cells.index(cell)} ({first[0] if first else 'empty'!r})"


def tags(cell):
    return set(cell.metadata.get("tags", []))


def code(lab):
    return [cell for cell in lab.cells if cell.cell_type == "code"]


def prose(lab):
    return [cell for cell in lab.cells if cell.cell_type == "markdown"]


def test_there_are_labs():
    assert LABS


def test_the_file_is_a_valid_notebook(lab):
    nbformat.validate(nbformat.from_dict({k: v for k, v in lab.items() if k != "path"}))


def test_opens_with_title_links_promise_and_three_objectives(lab):
    number, text = int(lab.path.stem[:2]), lab.cells[0].source
    assert lab.cells[0].cell_type == "markdown"
    assert re.match(rf"# {number} · \S", text), f"{lab.path.name}: title is '# {number} · ...'"
    assert f"/blob/main/notebooks/{lab.path.name})" in text, "the Colab link names another file"
    assert f"/chapters/{lab.path.stem}.html)" in text, "the chapter link names another chapter"
    objectives = text.partition("By the end you can")[2]
    assert len(re.findall(r"^- \S", objectives, re.MULTILINE)) == 3, "three objectives"


def test_set_up_is_the_same_everywhere(lab):
    cell = lab.cells[1]
    expected = re.sub(r"(github\.com/)[\w.-]+/[\w.-]+(?=\")", r"\1ADDRESS", cell.source)
    assert expected == SETUP, f"{where(lab, cell)} differs from the template"
    assert tags(cell) == {"setup", "nbval-ignore-output"}


def test_sections_open_with_a_question(lab):
    titles = [t for c in prose(lab) for t in re.findall(r"^## (.+)$", c.source, re.MULTILINE)]
    questions, closing = titles[:-2], titles[-2:]
    assert [re.sub(r"^\d+\. ", "", t) for t in closing] == ["Exercises", "What we measured"]
    wrong = [t for t in questions if not re.fullmatch(r"\d+\. .+\?", t)]
    assert questions and not wrong, f"{lab.path.name}: not '## N. A question?': {wrong}"
    assert [int(t.split(".")[0]) for t in questions] == list(range(1, len(questions) + 1))


def test_tells_how_long_it_takes_and_what_it_builds_on(lab):
    line = re.search(r"^Time: .+$", lab.cells[0].source, re.MULTILINE)
    assert line and re.search(r"\d+ min.*\d+ min.*Builds on: ", line.group()), (
        f"{lab.path.name}: no line 'Time: read and run N min, do N min. Builds on: ...'"
    )


def test_asks_for_at_least_four_predictions_and_answers_each(lab):
    asked = [c for c in prose(lab) if "**Predict" in c.source]
    assert len(asked) >= 4, f"{lab.path.name}: {len(asked)} predictions"
    for cell in asked:
        assert re.search(r"<details>\s*<summary>", cell.source), f"{where(lab, cell)}: no answer"


def turns(lab):
    """The names of the functions that the reader writes, each with its cell."""
    pattern = re.compile(r"^(\w+) = check\.\1\(\1\)$", re.MULTILINE)
    return [(name, c) for c in code(lab) for name in pattern.findall(c.source)]


def test_the_reader_writes_at_least_three_functions(lab):
    found = turns(lab)
    assert len(found) >= 3, f"{lab.path.name}: {[name for name, _ in found]}"
    for name, cell in found:
        assert "..." in cell.source, f"{where(lab, cell)}: {name} is already written"
        before = lab.cells[lab.cells.index(cell) - 1]
        assert "**Your turn" in before.source, f"{where(lab, cell)}: no 'Your turn' before it"
        printed = "".join(o.get("text", "") for o in cell.outputs)
        assert f"· {name}: not written yet" in printed, f"{where(lab, cell)}: stored as {printed}"


def test_four_to_six_exercises_of_three_levels_with_running_solutions(lab):
    text = "\n".join(c.source for c in prose(lab)).partition("Exercises\n")[2]
    levels = re.findall(r"★+", text)
    assert 4 <= len(levels) <= 6, f"{lab.path.name}: {len(levels)} exercises with stars"
    assert set(levels) == {"★", "★★", "★★★"}, f"{lab.path.name}: levels {levels}"
    solutions = [c for c in code(lab) if "solution" in tags(c)]
    assert solutions, f"{lab.path.name}: no solution that runs"
    for cell in solutions:
        assert {"hide-input", "hide-cell"} <= set(tags(cell)), f"{where(lab, cell)}: not collapsed"
        assert cell.metadata.get("cellView") == "form", f"{where(lab, cell)}: Colab form view"


def test_ends_with_three_questions(lab):
    text = "\n".join(c.source for c in prose(lab)).partition("What we measured\n")[2]
    assert text.count("<details>") == 3, f"{lab.path.name}: {text.count('<details>')} questions"


def test_is_short_enough_for_one_sitting(lab):
    lines = sum(len(c.source.splitlines()) for c in code(lab))
    assert len(lab.cells) <= 70, f"{lab.path.name}: {len(lab.cells)} cells"
    assert lines <= 400, f"{lab.path.name}: {lines} lines of code"


def test_code_cells_are_short(lab):
    for cell in code(lab):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        limit = 30 if "solution" in tags(cell) else 15
        assert len(lines) <= limit, f"{where(lab, cell)} has {len(lines)} lines, over {limit}"


def test_tags_are_known(lab):
    for cell in lab.cells:
        assert tags(cell) <= KNOWN_TAGS, f"{where(lab, cell)}: {tags(cell) - KNOWN_TAGS}"
        assert "# NBVAL" not in cell.source, f"{where(lab, cell)}: use tags, not comments"


def test_at_most_one_cell_in_five_ignores_its_output(lab):
    cells = code(lab)
    ignored = [c for c in cells if tags(c) & {"nbval-ignore-output", "nbval-skip"}]
    assert 5 * len(ignored) <= len(cells), f"{lab.path.name}: {len(ignored)} of {len(cells)}"


def test_every_cell_ran_in_order_without_errors(lab):
    counts = [c.execution_count for c in code(lab) if c.source.strip()]
    assert counts == list(range(1, len(counts) + 1)), f"{lab.path.name} was not run top to bottom"
    for cell in code(lab):
        assert all(o.output_type != "error" for o in cell.outputs), where(lab, cell)


def test_nothing_on_stderr(lab):
    for cell in code(lab):
        for output in cell.outputs:
            assert output.get("name") != "stderr", f"{where(lab, cell)}: {output.get('text')[:200]}"


def images(cell):
    outputs = [o for o in cell.outputs if o.output_type in ("display_data", "execute_result")]
    return [o.data for o in outputs if any(key.startswith("image/") for key in o.data)]


def test_every_figure_has_an_alt_text(lab):
    for cell in code(lab):
        shown = images(cell)
        if not shown:
            continue
        meta = cell.metadata.get("mystnb", {})
        alt = meta.get("image", {}).get("alt") or meta.get("figure", {}).get("alt", "")
        assert len(alt) >= 40, f"{where(lab, cell)}: no alt text (mystnb.image.alt) that tells"
        assert not re.match(r"(?i)(a |the )?(figure|plot|image|picture|chart)\b", alt), (
            f"{where(lab, cell)}: alt text says what is seen, not that it is a figure"
        )
        assert len(shown) == 1, f"{where(lab, cell)}: one figure a cell, so that each has its text"


def test_figures_are_small(lab):
    for cell in code(lab):
        for data in images(cell):
            size = len(base64.b64decode(data.get("image/png", "")))
            assert size <= 700_000, f"{where(lab, cell)}: figure of {size} bytes"  # photographs
    assert lab.path.stat().st_size <= 3_000_000, f"{lab.path.name} is over 3 MB"


def test_prose_is_plain_commonmark(lab):
    for cell in prose(lab):
        found = MYST.search(re.sub(r"(?s)```\w*\n.*?```|`[^`]*`", "", cell.source))
        assert not found, f"{where(lab, cell)}: MyST syntax {found.group()!r}"
        links = re.findall(r"\]\(([^)\s]+)", cell.source)
        wrong = [u for u in links if not u.startswith(("https://", "#", "attachment:"))]
        assert not wrong, f"{where(lab, cell)}: links that break in Colab: {wrong}"


def test_every_lab_claims(lab):
    text = "".join(o.get("text", "") for c in code(lab) for o in c.outputs)
    assert text.count("✓ ") >= 3, f"{lab.path.name} claims too little"


def test_no_address_of_a_machine_in_outputs(lab):
    text = "".join(str(o) for c in code(lab) for o in c.outputs if o.get("name") != "stderr")
    assert not re.search(r"/(root|home|work|tmp)/\w", text), f"{lab.path.name}: a path of a machine"


def test_no_output_says_what_only_a_programmer_could_use(lab):
    for cell in code(lab):
        text = "".join(output.get("text", "") for output in cell.outputs)
        found = re.search(r"\b0x[0-9a-f]{6,}|^WARNING:|Traceback", text, re.MULTILINE)
        assert not found, f"{where(lab, cell)}: {found[0]}"


def test_no_module_of_the_helpers_is_crowded():
    """A topic that needs more becomes a package with a room per thing."""
    for path in (ROOT / "src" / "helpers").rglob("*.py"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 300, f"{path.relative_to(ROOT)}: {lines} lines"


def test_the_benchmark_and_the_bundled_file_follow_lab_11():
    """``tools/bench_compression.py`` repeats the lab's recipe over seeds: the same numbers.

    But it takes longer: four versions of each image for three epochs, the lab two for four.
    """
    lab = (ROOT / "notebooks" / "11-pruning-and-sharing.ipynb").read_text(encoding="utf-8")
    tool = (ROOT / "tools" / "bench_compression.py").read_text(encoding="utf-8")
    recipe = [
        ('"conv2": 0.4, "conv3": 0.4, "conv4": 0.4, "conv5": 0.4',) * 2,
        ('"fc6": 0.98, "fc7": 0.98, "fc8": 0.7',) * 2,
        ('{"conv1": 64}',) * 2,
        ("train_rest(2e-3, EPOCHS", "train(rest, seen, answers, 2e-3, 3"),
        ("train_rest(3e-4, 1)", "train(rest, seen, answers, 3e-4, 1)"),
        ("EPOCHS, BATCH = 4, 100", "BATCH, DROPOUT = 100, 0.2"),
        ("dropout=0.2", "DROPOUT"),
        ("compression.share(rest, 8)",) * 2,
    ]
    for in_lab, in_tool in recipe:
        assert in_lab in lab.replace('\\"', '"'), f"lab 11 has no longer {in_lab}"
        assert in_tool in tool, f"bench_compression.py has no longer {in_tool}"
