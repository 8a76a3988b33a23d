"""How a page opens: its part above its title, the time it takes as a line of its own.

Directive ``{path}``: the parts of the book as a path, one line ``II | what one does there`` each.
Parts and pages come from ``_toc.yml``, so a new chapter is on the path once it is in the book;
a part without a line, or a line without a part, is an error. Part N has its drawing in
``figures/part-N.svg``. Every page says in its head what its first sentences are.
"""

import html
import re
from functools import cache
from pathlib import Path
from textwrap import shorten

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
PARTS = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII"]


@cache
def places():
    """Page -> the number of its part, the part's title, and what the page is there."""
    found = {}
    for part in yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]:
        number, _, title = part["caption"].partition(" · ")
        if number not in PARTS:
            continue
        for chapter in part["chapters"]:
            stem = re.match(r"chapters/(\d\d)-", chapter["file"])
            what = f"Chapter {int(stem[1])}" if stem else ""
            found[chapter["file"]] = number, title, what
            for lab in chapter.get("sections", []):
                found[lab["file"]] = number, title, what.replace("Chapter", "Lab")
    return found


@cache
def drawing(number):
    """The drawing of a part, to stand in the page; its colors follow light and dark."""
    path = ROOT / "figures" / f"part-{PARTS.index(number) + 1}.svg"
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""


class WholePath(SphinxDirective):
    has_content = True

    def run(self):
        said = dict(line.split(" | ", 1) for line in self.content if line.strip())
        parts = {}
        for page, (number, title, what) in places().items():
            parts.setdefault((number, title), []).append((page, what))
        if {*said} != (there := {number for number, _ in parts}):
            raise self.error(f"the path says something of {[*said]}, the book has {sorted(there)}")
        path = nodes.bullet_list("", classes=["path"])
        path.extend(self.part(*key, pages, said[key[0]]) for key, pages in parts.items())
        return [path]

    def part(self, number, title, pages, sentence):
        text, _ = self.state.inline_text(sentence, self.lineno)
        part = nodes.list_item("", nodes.raw("", drawing(number), format="html"))
        part += nodes.paragraph("", f"Part {number}", classes=["part-number"])
        part += nodes.paragraph("", title, classes=["part-title"])
        part += nodes.paragraph("", "", *text)
        links = nodes.paragraph("", classes=["part-pages"])
        for page, what in pages:
            lab = what.startswith("Lab")
            if len(links) > 0:
                links += nodes.Text(", " if lab else " · ")
            name = what.lower() if lab else ""
            links += addnodes.pending_xref(
                "",
                nodes.inline("", name),
                refdomain="std",
                reftype="doc",
                reftarget=f"/{page}",
                refdoc=self.env.docname,
                refexplicit=lab,
                refwarn=True,
            )
        part += links
        return part


def open_page(app, pagename, templatename, context, doctree):
    body = context.get("body")
    if not body:
        return
    if pagename in places():
        number, title, what = places()[pagename]
        words = " · ".join(word for word in (f"Part {number}", html.escape(title), what) if word)
        opening = f'<div class="opening">{drawing(number)}<p>{words}</p></div>\n<h1'
        body = body.replace("<h1", opening, 1)
    context["body"] = re.sub(
        r"<p>(?=Time: (?:\d|read )|<strong>Time)", '<p class="time">', body, count=1
    )


def describe(app, pagename, templatename, context, doctree):
    """What a search engine or a shared link shows of the page: its first sentences."""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else []:
        text = " ".join(paragraph.astext().split())
        if len(text) > 60 and not text.startswith("Time: ") and "Colab" not in text:
            said = html.escape(shorten(text, 160, placeholder=" …"))
            context["metatags"] += f'<meta name="description" content="{said}" />\n'
            return


def setup(app):
    app.add_directive("path", WholePath)
    app.connect("html-page-context", open_page, priority=900)
    app.connect("html-page-context", describe)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
