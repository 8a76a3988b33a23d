"""Build the assignments from their sources: ``make assignments``, for a class with ``SECRET=...``.

A source, ``assignments/a1.md``, is a MyST notebook. A cell's ``for`` says who gets it:

    (nothing)    everybody
    setup        stands for the cells that open the assignment
    answer       a written question, with its ``name``
    solution     a code cell, instead of the stub of the same ``name``
    instructor   the instructor's notes only

Without a secret, the open copies ``assignments/a1.ipynb`` are made, whose variants go with the key
"open": for whoever learns alone, and for Colab's button. With a secret, a class's are made in
``_build/assignments``: ``students/`` what is handed out, ``instructor/`` notes and a solution (of
the student "Reference Solution"), ``otter/`` and ``nbgrader/`` the masters for those tools.
"""

import argparse
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from helpers.check import assignments
from helpers.grade.assignment import case_seed, key_of

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "assignments"
OPEN_KEY = "open"
REFERENCE = "Reference Solution"
REPOSITORY = "imagenet-moment/book"
COLAB = "https://colab.research.google.com/github/{}/blob/main/assignments/{}.ipynb"
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
INSTALL = """\
# In Colab this installs the book's helper package; anywhere else it does nothing.
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("helpers") is None:
    %pip install -q "git+https://github.com/{}"

import numpy as np

from helpers import check"""
OPENING = """\
STUDENT = {student}  # your name, as it stands in the class's list
KEY = "{key}"  # {says}

mine = check.assignment("{id}", STUDENT, KEY)"""
BEGIN = """\
## Begin

Run the next two cells, the second after you have written your name into it. It prints which
variant of each function is yours: it depends on your name, so your neighbor's solution will rarely
pass your checks. Everything else is as in the labs: write the function, run its cell, read which
case fails. `check.score()` at the end shows your points. Work on your own copy (in Colab: File,
Save a copy in Drive)."""
END = """\
## Your points

Run the whole notebook from the top once more, then save it and hand in the `.ipynb` file itself.
The grader runs it anew, with other cases than you have seen, and nothing of it needs a network.
The receipt is for your own record: keep it with your notes."""


def load(path):
    """The front matter of a source, and its cells as (kind, name, type, text)."""
    text = path.read_text("utf-8")
    header, body = re.fullmatch(r"---\n(.*?)\n---\n(.*)", text, re.S).groups()
    about = dict(line.split(": ", 1) for line in header.splitlines())
    cells = []
    for cell in jupytext.reads(body, fmt="md:myst").cells:
        kind, name = cell.metadata.get("for", ""), cell.metadata.get("name", "")
        if cell.source.strip() or kind == "setup":
            cells.append((kind, name, cell.cell_type, cell.source.strip()))
    return about, cells


def check_source(about, cells):
    """Raise ``ValueError`` unless source and questions agree; say what does not."""
    one = assignments.load(about["id"])
    functions = [question.name for question in one.questions]
    stubs = [name for kind, name, type_, _ in cells if name and type_ == "code" and not kind]
    solved = [name for kind, name, _, _ in cells if kind == "solution"]
    answers = [name for kind, name, _, _ in cells if kind == "answer"]
    wanted = [*functions, one.number]
    if stubs != wanted or solved != wanted:
        raise ValueError(f"{about['id']}: stubs {stubs}, solutions {solved}, expected {wanted}")
    if answers != [each.name for each in one.written]:
        raise ValueError(f"{about['id']}: answers {answers}, expected {one.written}")
    for kind in ("setup", "instructor"):
        if sum(cell[0] == kind for cell in cells) < 1:
            raise ValueError(f"{about['id']}: there is no cell for {kind}")


def front(about):
    """The first cell: title, Colab's button, how much of what."""
    one = assignments.load(about["id"])
    functions = sum(question.points for question in one.questions) + one.number_points
    by_hand = " and ".join(f"{each.points} for {each.title.lower()}" for each in one.written)
    return (
        f"# Assignment {about['id'][1:]} · {about['title']}\n\n"
        f"[![Open in Colab]({BADGE})]({COLAB.format(REPOSITORY, about['id'])})\n\n"
        f"Chapters {about['chapters']}. Time: {about['time']}. "
        f"{functions + sum(e.points for e in one.written)} points: {functions} for code, {by_hand}."
    )


def opening(about, key, student):
    says = "your class's key" if key != OPEN_KEY else 'the key of your class, or "open"'
    return OPENING.format(student=f'"{student}"', key=key, says=says, id=about["id"])


def solved(about, text, key):
    """A solution with the variants of the reference student written in."""
    variants = assignments.load(about["id"]).variants(key, REFERENCE)
    return re.sub(r'VARIANTS\["(\w+)"\]\["(\w+)"\]', lambda m: repr(variants[m[1]][m[2]]), text)


def final(about, name):
    """The line that checks a solution, as it stands under the stub."""
    one = assignments.load(about["id"])
    return f"{name} = check.{'number' if name == one.number else name}({name})"


def notebook(cells):
    """A notebook of these cells; their ids are numbers, so that it is the same each time."""
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:03d}"
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return new_notebook(cells=cells, metadata={**metadata, "language_info": {"name": "python"}})


def student_copy(about, cells, key, solution=False):
    """The student's notebook, or (``solution``) the same with the reference student's answers."""
    made = [new_markdown_cell(front(about))]
    for kind, name, type_, text in cells:
        if kind == "setup":
            made += [
                new_markdown_cell(BEGIN),
                new_code_cell(INSTALL.format(REPOSITORY)),
                new_code_cell(opening(about, key, REFERENCE if solution else "...")),
            ]
        elif kind == "answer":
            text = "These are the reference student's words." if solution else text
            made.append(new_markdown_cell(f"<!-- answer: {name} -->\n\n{text}"))
        elif kind == "solution" and solution:
            text = f"{solved(about, text, key)}\n\n\n{final(about, name)}"
            made.append(new_code_cell(text))
        elif not kind and not (name and solution):
            made.append(new_markdown_cell(text) if type_ == "markdown" else new_code_cell(text))
    made += [new_markdown_cell(END), new_code_cell("check.score()\ncheck.receipt(STUDENT)")]
    return notebook(made)


def notes(about, cells):
    """The instructor's notes: what is not in the student's copy, and every variant there is."""
    one = assignments.load(about["id"])
    parts = [f"# Assignment {about['id'][1:]} · {about['title']}: the instructor's notes"]
    parts.append(f"Chapters {about['chapters']}. Time: {about['time']}.")
    parts += [text for kind, *_, text in cells if kind == "instructor"]
    parts.append("### The variants")
    for question in one.questions:
        parts.append(f"**`{question.name}`**, {len(question.variants())} variants:")
        parts += [
            "\n".join(f"- {option}: {sentence}" for sentence in values.values())
            for option, values in question.choices.items()
        ]
    parts.append("### A solution, for every variant")
    parts += [f"```python\n{text}\n```" for kind, *_, text in cells if kind == "solution"]
    return "\n\n".join(parts) + "\n"


def tests_of(about, name, secret=None):
    """The statement that fails unless a function (or the number) is right."""
    one = assignments.load(about["id"])
    if name == one.number:
        return f"complaint = assignments.number_complaint({name})\nassert not complaint, complaint"
    seed = (
        "" if secret is None else f", seed={case_seed(secret, 'class', about['id'], name) % 2**32}"
    )
    call = f'complaint = assignments.complaint("{name}", {name}{seed})'
    return f"{call}\nassert not complaint, complaint"


def otter_master(about, cells, secret):
    """A notebook for ``otter assign``."""
    key, one = key_of(secret), assignments.load(about["id"])
    config = f"# ASSIGNMENT CONFIG\nname: {about['id']}\ninit_cell: true\ncheck_all_cell: false\n"
    config += "export_cell: false\ngenerate: true\nsolutions_pdf: false\nrun_tests: true\n"
    config += "environment: null\n"
    made, points = [new_raw_cell(config), new_markdown_cell(front(about))], _points(one)
    stubs = {name: text for kind, name, _, text in cells if name and not kind}
    for kind, name, type_, text in cells:
        if kind == "setup":
            opened = opening(about, key, REFERENCE).splitlines()
            opened[0] = f'STUDENT = "{REFERENCE}"  # SOLUTION'
            imports = INSTALL.format(REPOSITORY) + "\nfrom helpers.check import assignments"
            made += [new_code_cell(imports), new_code_cell("\n".join(opened))]
        elif kind == "answer":
            made += [
                new_raw_cell(
                    f"# BEGIN QUESTION\nname: {name}\npoints: {points[name]}\nmanual: true"
                ),
                new_markdown_cell(f"**{_titles(one)[name]}**"),
                new_raw_cell("# BEGIN SOLUTION"),
                new_markdown_cell("The reference student's words."),
                new_raw_cell("# END SOLUTION"),
                new_raw_cell("# END QUESTION"),
            ]
        elif kind == "solution":
            answer = f"{solved(about, text, key)}\n\n{final(about, name)}"
            prompt = f'""" # BEGIN PROMPT\n{_quoted(stubs[name])}\n"""; # END PROMPT'
            body = f"# BEGIN SOLUTION NO PROMPT\n{answer}\n# END SOLUTION\n{prompt}"
            made += [
                new_raw_cell(f"# BEGIN QUESTION\nname: {name}\npoints: {points[name]}"),
                new_markdown_cell(f"`{name}`"),
                new_raw_cell("# BEGIN SOLUTION"),
                new_code_cell(body),
                new_raw_cell("# END SOLUTION"),
                new_raw_cell("# BEGIN TESTS"),
                new_code_cell(tests_of(about, name)),
                new_code_cell("# HIDDEN\n" + tests_of(about, name, secret)),
                new_raw_cell("# END TESTS"),
                new_raw_cell("# END QUESTION"),
            ]
        elif not kind and not name:
            made.append(new_markdown_cell(text) if type_ == "markdown" else new_code_cell(text))
    return notebook(made)


def _quoted(text):
    """A stub inside three double quotes."""
    return text.replace('"""', "'''")


def _points(one):
    found = {question.name: question.points for question in one.questions}
    found |= {each.name: each.points for each in one.written}
    return {**found, one.number: one.number_points}


def _titles(one):
    return {each.name: each.title for each in one.written}


def nbgrader_master(about, cells, secret):
    """A notebook for nbgrader's ``source/`` folder: the tests are plain ``assert`` cells."""
    key, one = key_of(secret), assignments.load(about["id"])
    made, points = [new_markdown_cell(front(about))], _points(one)
    stubs = {name: text for kind, name, _, text in cells if name and not kind}

    def mark(cell, name, solution=False, grade=False, worth=None):
        said = {"grade_id": name, "solution": solution, "grade": grade, "task": False}
        said |= {"schema_version": 3, "locked": not solution}
        cell.metadata["nbgrader"] = said | ({} if worth is None else {"points": worth})
        return cell

    for kind, name, type_, text in cells:
        if kind == "setup":
            lines = opening(about, key, "...").splitlines()
            lines[1:1] = ["### BEGIN SOLUTION", f'STUDENT = "{REFERENCE}"', "### END SOLUTION"]
            imports = INSTALL.format(REPOSITORY) + "\nfrom helpers.check import assignments"
            made.append(new_code_cell(imports))
            made.append(mark(new_code_cell("\n".join(lines)), "student", solution=True))
        elif kind == "answer":
            made.append(mark(new_markdown_cell(text), name, True, True, points[name]))
        elif kind == "solution":
            stub = stubs[name].removesuffix(final(about, name)).rstrip()
            answer = f"### BEGIN SOLUTION\n{solved(about, text, key)}\n### END SOLUTION"
            body = f"{stub}\n\n\n{answer}\n\n{final(about, name)}"
            made.append(mark(new_code_cell(body), f"{name}-code", solution=True))
            asserts = (
                f"{tests_of(about, name)}\n### BEGIN HIDDEN TESTS\n"
                f"{tests_of(about, name, secret)}\n### END HIDDEN TESTS"
            )
            made.append(mark(new_code_cell(asserts), name, grade=True, worth=points[name]))
        elif not kind and not name:
            made.append(new_markdown_cell(text) if type_ == "markdown" else new_code_cell(text))
    return notebook(made)


NBGRADER_CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "imagenet-moment"
c.ClearSolutions.code_stub = {"python": "# Write above, then run this cell."}
c.ClearSolutions.text_stub = "*Write here.*"
"""


def write(path, content):
    """Write a notebook or a text, and say so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else nbformat.writes(content) + "\n"
    path.write_text(text, "utf-8")
    print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def main():
    """Read the command line, and build."""
    parser = argparse.ArgumentParser(description="Build the assignments from assignments/*.md.")
    parser.add_argument("--secret", default="", help="the class's secret; without it, open copies")
    parser.add_argument("--output", type=Path, default=ROOT / "_build" / "assignments")
    parser.add_argument("names", nargs="*", help="a1 ... a6; without a name, all")
    options = parser.parse_args()
    if options.secret and len(options.secret) < 8:
        sys.exit("The secret is too short to be one: take eight characters or more.")
    paths = sorted(SOURCES.glob("a[0-9].md"))
    known = [path.stem for path in paths]
    if wrong := sorted(set(options.names) - set(known)):
        sys.exit(f"There is no {', '.join(wrong)}; there are {', '.join(known)}.")
    for path in paths:
        if options.names and path.stem not in options.names:
            continue
        about, cells = load(path)
        check_source(about, cells)
        if not options.secret:
            write(path.with_suffix(".ipynb"), student_copy(about, cells, OPEN_KEY))
            continue
        name, key, out = about["id"], key_of(options.secret), options.output
        write(out / "students" / f"{name}.ipynb", student_copy(about, cells, key))
        write(out / "instructor" / f"{name}.md", notes(about, cells))
        write(
            out / "instructor" / f"{name}-solution.ipynb",
            student_copy(about, cells, key, solution=True),
        )
        write(out / "otter" / name / f"{name}.ipynb", otter_master(about, cells, options.secret))
        write(
            out / "nbgrader" / "source" / name / f"{name}.ipynb",
            nbgrader_master(about, cells, options.secret),
        )
        write(out / "nbgrader" / "nbgrader_config.py", NBGRADER_CONFIG)
    if options.secret:
        print(f"The class's key, which stands in the students' copies: {key_of(options.secret)}")
        print("The secret is needed again for grading; it stands in none of the files above.")


if __name__ == "__main__":
    main()
