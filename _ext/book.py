"""The book's own Sphinx extension.

* directive ``{labfigure} NN-stem N``: the N-th figure of a lab, from its stored outputs, with its
  alt text; options and caption are those of ``{figure}``;
* directive ``{claims}``: all claims and reports of all labs, from their stored outputs;
* role ``{measured}`NN-stem | sentence of the claim | format spec` ``: one measured value; after
  ``+.1pp`` it stands in percentage points, with the word;
* claims in a lab's output become a list, which a phone can show whole;
* links to the published book become links inside the build, so that it can be read offline;
* so do the equations: MathJax comes from a package, where that is installed, not from the web;
* Chinese words are marked as Chinese.

A sentence that no lab claims is a warning, and warnings are errors.
"""

import re
import sys
from base64 import b64decode
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

import nbformat
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.directives.patches import Figure
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.util.fileutil import copy_asset

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from helpers.claims import CLAIM_LINE  # noqa: E402

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
    """Bound, measured value and unit of a claim, as text that the style sheet sets apart."""
    text = f"{c['bound']}; measured {c['value']} {c['unit']}".strip()
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
    """``{measured}`02-forward-pass | sentence | .1%` ``; the format may be left out."""

    def run(self):
        stem, sentence, *spec = (part.strip() for part in self.text.split("|"))
        path = ROOT / "notebooks" / f"{stem}.ipynb"
        found = claims_of(path)[1] if path.exists() else []
        values = [c["value"] for c in found if c["sentence"] == sentence]
        if len(values) != 1:
            reason = f"lab {stem} has {len(values)} claims '{sentence}', not one"
            logger.warning(reason, location=self.get_location())
            return [nodes.Text("?")], []
        self.env.note_dependency(str(path))
        text = formatted(number(values[0]), spec[0]) if spec else values[0]
        return [nodes.inline("", text.replace("-", "−"), classes=["measured"])], []


def pictures_of(path):
    """The cells of the lab at ``path`` that drew something, each with the output that holds it."""
    cells = nbformat.read(path, as_version=4).cells if path.exists() else []
    for cell in cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                yield cell, output


class LabFigure(Figure):
    """A figure whose picture and alt text are those of a lab's cell."""

    def run(self):
        stem, place = self.arguments[0].split()
        path = ROOT / "notebooks" / f"{stem}.ipynb"
        self.state.document.settings.env.note_dependency(str(path))
        pictures = {
            str(k): (output.data["image/png"], cell.metadata)
            for k, (cell, output) in enumerate(pictures_of(path), start=1)
        }
        if place not in pictures:
            raise self.error(f"lab {stem} has {len(pictures)} figures, and no number {place}")
        picture, metadata = pictures[place]
        self.options["alt"] = metadata.mystnb.image.alt
        file = ROOT / "_build" / "labfigures" / f"{stem}-{place}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b64decode(picture))
        self.arguments = ["/" + file.relative_to(ROOT).as_posix()]
        return super().run()


class Claims(Directive):
    """All claims of all labs, as one section a lab."""

    def run(self):
        env = self.state.document.settings.env
        sections = []
        for path in labs():
            env.note_dependency(str(path))
            title, found = claims_of(path)
            section = nodes.section(ids=[f"claims-{path.stem}"])
            section += nodes.title("", title.replace("`", ""))
            section += nodes.bullet_list(
                "", *(self.item(path, c) for c in found), classes=["claims"]
            )
            if found:
                sections.append(section)
        return sections

    @staticmethod
    def item(path, c):
        anchor = nodes.make_id(re.sub(r"[`*$]", "", c["section"]))
        link = nodes.reference("", c["sentence"], refuri=f"../notebooks/{path.stem}.html#{anchor}")
        return nodes.list_item("", nodes.paragraph("", "", link, nodes.Text(" "), facts(c)))


def list_claims(app, doctree):
    """Turn the claims among a lab's printed lines into lists; other lines stay as they are."""

    def item(line):
        c = CLAIM_LINE.match(line).groupdict("")
        return nodes.list_item(
            "", nodes.paragraph("", "", nodes.Text(f"{c['mark']} {c['sentence']} "), facts(c))
        )

    for block in list(doctree.findall(nodes.literal_block)):
        if "stream" not in block["classes"]:
            continue
        parts = []
        for claims, lines in groupby(
            block.astext().splitlines(), lambda x: bool(CLAIM_LINE.match(x))
        ):
            if claims:
                parts.append(nodes.bullet_list("", *map(item, lines), classes=["claims"]))
            else:
                parts.append(block.deepcopy())
                parts[-1].rawsource = "\n".join(lines)
                parts[-1][:] = [nodes.Text(parts[-1].rawsource)]
        block.replace_self(parts)


def localize_links(app, doctree, docname):
    """Turn links to the published book into links relative to this page."""
    base = app.config.html_baseurl
    if not base or app.builder.format != "html":
        return
    for node in doctree.findall(nodes.reference):
        uri = node.get("refuri", "")
        if not uri.startswith(base):
            continue
        target, _, anchor = uri[len(base) :].partition("#")
        page = target.removesuffix(".html") or "index"
        if page not in app.env.found_docs and page != "index":
            logger.warning(f"link to a page that the book does not have: {uri}", location=node)
            continue
        page = app.config.root_doc if page == "index" else page
        node["refuri"] = app.builder.get_relative_uri(docname, page) + (
            "#" + quote(anchor) if anchor else ""
        )
        node["internal"] = True


MATHJAX_PACKAGE = find_spec("sphinx-mathjax-offline")
# Of MathJax, what a page with TeX loads: speech in English, one font, no MathML.
MATHJAX = "tex-chtml.js", "a11y/", "input/tex/", "output/chtml/", "sre/mathmaps/en", "ui/menu.js"


def use_mathjax_of_package(app, config):
    if MATHJAX_PACKAGE:
        config.mathjax_path = "mathjax/tex-chtml.js"


def copy_mathjax(app, error):
    if error or app.builder.format != "html" or not MATHJAX_PACKAGE:
        return
    source = Path(MATHJAX_PACKAGE.origin).parent / "static" / "mathjax"

    def excluded(path):
        return not any(path.startswith(part) or part.startswith(path) for part in MATHJAX)

    copy_asset(source, Path(app.outdir, "_static", "mathjax"), excluded)


# A run of Chinese characters, with what may stand between them.
CHINESE = re.compile(r"([⺀-鿿](?:[⺀-鿿、（）：·／ 0-9A-Z]*[⺀-鿿）])?)")


def mark_chinese(app, doctree, docname):
    """Say which words are Chinese: a screen reader's voice and the font follow the language."""
    if app.builder.format != "html":
        return
    for text in list(doctree.findall(nodes.Text)):
        parts = CHINESE.split(text)
        if len(parts) > 1 and not isinstance(text.parent, nodes.literal_block | nodes.raw):
            marked = (
                nodes.raw("", f'<span lang="zh-Hans">{part}</span>', format="html")
                if place % 2
                else nodes.Text(part)
                for place, part in enumerate(parts)
            )
            text.parent.replace(text, [node for node in marked if node.astext()])


def setup(app):
    app.add_role("measured", Measured())
    app.add_directive("labfigure", LabFigure)
    app.add_directive("claims", Claims)
    app.connect("doctree-read", list_claims)
    app.connect("doctree-resolved", localize_links)
    app.connect("doctree-resolved", mark_chinese)
    app.connect("config-inited", use_mathjax_of_package)
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
