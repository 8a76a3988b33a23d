"""What the labs measured, read back from their stored outputs.

* directive ``{claims}``: all claims and reports of all labs, each with what kind of claim it is;
* role ``{measured}`NN-stem | sentence | format spec | ends` ``: one measured value;
  after ``+.1pp`` it stands in percentage points, with the word. ``ends`` is ``range``, ``least`` or
  ``greatest`` for what seeds 0 to 4 gave; format and ends may be left out;
* claims and checks in a lab's output become a list, which a phone can show whole.

A sentence that no lab claims is a warning, and warnings are errors.
"""

import re
import sys
from collections import Counter
from functools import cache
from itertools import groupby
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from helpers.claims import CLAIM_LINE, kind, seeds  # noqa: E402

CHECK_LINE = re.compile(r"[✓✗·] \w+: ")  # what ``helpers.check`` says of a reader's function

logger = logging.getLogger(__name__)


@cache
def claims_of(path):
    """The title of the lab at ``path`` and its claims, in order, each with its section's title."""
    title, section, found = "", "", []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            for level, text in re.findall(r"^(##?) (.+)$", cell.source, re.MULTILINE):
                title, section = (text, section) if level == "#" else (title, text)
            continue
        for output in cell.outputs:
            for match in CLAIM_LINE.finditer(output.get("text", "")):
                found.append(match.groupdict("") | {"section": section})
    return title, found


def facts(c):
    """Bound, five-seed range, measured value and unit of a claim, set apart by the style sheet."""
    five = f"five seeds {c['least']} to {c['greatest']}; " if c["least"] else ""
    text = f"{c['bound']}; {five}measured {c['value']} {c['unit']}".strip()
    return nodes.inline("", text, classes=["claim-facts"])


def labs():
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def number(text):
    """The measured value as it was printed, back as a number."""
    if text in ("True", "False"):
        return text == "True"
    return float(text.replace(",", ""))


def formatted(value, spec):
    """The number in Python's format; ``.1pp`` is our own: a difference of shares, in points."""
    if spec.endswith("pp"):
        points = format(100 * value, spec.removesuffix("pp") + "f")
        return points + (" point" if float(points) in (1, -1) else " points")
    return format(value, spec)


class Measured(SphinxRole):
    """``{measured}`02-forward-pass | sentence | .1% | range` ``; see the module's docstring."""

    def run(self):
        stem, sentence, *rest = (part.strip() for part in self.text.split("|"))
        spec, ends = (*rest, "", "")[:2]
        path = ROOT / "notebooks" / f"{stem}.ipynb"
        self.env.note_dependency(str(path))
        try:
            text = measured(path, sentence, spec, ends)
        except LookupError as error:
            logger.warning(error.args[0], location=self.get_location())
            return [nodes.Text("?")], []
        return [nodes.inline("", text.replace("-", "−"), classes=["measured"])], []


def measured(path, sentence, spec, ends):
    """The text that stands for one claim. Raises ``LookupError`` if the lab has no such value."""
    found = claims_of(path)[1] if path.exists() else []
    values = [c["value"] for c in found if c["sentence"] == sentence]
    if len(values) != 1:
        raise LookupError(f"lab {path.stem} has {len(values)} claims '{sentence}', not one")
    if not ends:
        return formatted(number(values[0]), spec) if spec else values[0]
    five = seeds().get(path.stem, {}).get(sentence)
    chosen = {"range": (min, max), "least": (min,), "greatest": (max,)}.get(ends)
    if not five or not chosen:
        raise LookupError(
            f"no '{ends}' of five seeds for '{sentence}': it is range, least or greatest, and "
            f"`make seeds LABS={path.stem}` measures it"
        )
    texts = [formatted(end(five), spec) for end in chosen]
    if len(set(texts)) == 1:
        return texts[0]
    unit = " points" if spec.endswith("pp") else ""
    return " to ".join([*(t.removesuffix(unit) for t in texts[:-1]), texts[-1]])


KINDS = {
    "effect": "an effect: at least half of what the weakest of five seeds showed",
    "equivalence": "an equivalence: no difference that would matter",
    "rounding": "two computations that agree up to the rounding of their number format",
    "exact": "a count or a fact, exact",
    "report": "a time, true of one machine",
}


class Claims(Directive):
    """All claims of all labs, one section a lab, after a count of each kind."""

    def run(self):
        env = self.state.document.settings.env
        sections, counts = [], Counter()
        for path in labs():
            env.note_dependency(str(path))
            title, found = claims_of(path)
            counts.update(kind(c["bound"]) for c in found)
            section = nodes.section(ids=[f"claims-{path.stem}"])
            section += nodes.title("", title.replace("`", ""))
            section += nodes.bullet_list(
                "", *(self.item(path, c) for c in found), classes=["claims"]
            )
            if found:
                sections.append(section)
        return [self.summary(counts), *sections]

    @staticmethod
    def summary(counts):
        """How many claims there are of each kind, and what the kinds mean."""
        lines = (
            nodes.list_item(
                "", nodes.paragraph("", "", tag(name), nodes.Text(f" {n}: {KINDS[name]}"))
            )
            for name in KINDS
            if (n := counts[name])
        )
        return nodes.bullet_list("", *lines, classes=["claim-kinds"])

    @staticmethod
    def item(path, c):
        anchor = nodes.make_id(re.sub(r"[`*$]", "", c["section"]))
        link = nodes.reference("", c["sentence"], refuri=f"../notebooks/{path.stem}.html#{anchor}")
        parts = link, nodes.Text(" "), tag(kind(c["bound"])), nodes.Text(" "), facts(c)
        return nodes.list_item("", nodes.paragraph("", "", *parts))


def tag(name):
    """The kind of a claim as a small label."""
    return nodes.inline("", name, classes=["claim-kind", f"claim-{name}"])


def list_claims(app, doctree):
    """Turn the claims among a lab's printed lines into lists; other lines stay as they are."""

    def item(line):
        if not (claim := CLAIM_LINE.match(line)):
            return nodes.list_item("", nodes.paragraph("", line))
        c = claim.groupdict("")
        return nodes.list_item(
            "", nodes.paragraph("", "", nodes.Text(f"{c['mark']} {c['sentence']} "), facts(c))
        )

    for block in list(doctree.findall(nodes.literal_block)):
        if "stream" not in block["classes"]:
            continue
        parts = []
        for claims, lines in groupby(
            block.astext().splitlines(), lambda x: bool(CLAIM_LINE.match(x) or CHECK_LINE.match(x))
        ):
            if claims:
                parts.append(nodes.bullet_list("", *map(item, lines), classes=["claims"]))
            else:
                parts.append(block.deepcopy())
                parts[-1].rawsource = "\n".join(lines)
                parts[-1][:] = [nodes.Text(parts[-1].rawsource)]
        block.replace_self(parts)


def setup(app):
    app.add_role("measured", Measured())
    app.add_directive("claims", Claims)
    app.connect("doctree-read", list_claims)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
