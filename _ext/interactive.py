"""Directive ``{interactive} NAME``: a figure to turn, drawn by ``_static/figures/NAME.js``.

    :::{interactive} softmax
    :name: fig-softmax
    :question: How sure should the network sound?

    ![What the static picture shows](../figures/softmax.svg)

    The caption.
    :::

Inside stand a static picture with its alt text, which is what a reader without JavaScript, a
printer and an e-book get, and the caption. A nested ``{figure}`` or ``{labfigure}`` will do, too.
What the figure needs from the labs comes from ``figure_data.py``, at build time, and travels in
the page. Options: ``name``, ``width`` (of the static picture), ``question`` (stands above the
figure), ``scripts`` (modules of ``_static/figures/`` that are loaded before NAME's) and ``view``
(what the figure shows first, if it can show several things).

Scripts and style sheet are loaded by the pages that use them, and by no others. They are classic
scripts, so that a page opened from a file works too.
"""

import json
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).resolve().parent
FIGURES = HERE.parent / "_static" / "figures"
MADE = set()  # scripts that another part of the extension makes at build time
sys.path.insert(0, str(HERE))

import figure_data  # noqa: E402


class Interactive(SphinxDirective):
    required_arguments = 1
    has_content = True
    option_spec = dict.fromkeys(
        ("name", "width", "question", "scripts", "view"), directives.unchanged_required
    )

    def run(self):
        name = self.arguments[0]
        scripts = [*self.options.get("scripts", "").split(), name]
        for script in scripts:
            if script not in MADE and not (FIGURES / f"{script}.js").is_file():
                raise self.error(f"there is no _static/figures/{script}.js")
        picture, caption, rest = self.parts()
        figure = nodes.figure("", classes=["interactive", f"interactive-{name}"], align="default")
        figure["scripts"] = scripts
        self.set_source_info(figure)
        if "question" in self.options:
            text, _ = self.state.inline_text(self.options["question"], self.lineno)
            figure += nodes.paragraph("", "", *text, classes=["figure-question"])
        figure += picture
        figure += self.data(name)
        figure += nodes.caption("", "", *caption.children)
        if rest:
            figure += nodes.legend("", *rest)
        figure += nodes.raw("", "<!-- interactive -->", format="html")
        self.add_name(figure)
        return [figure]

    def parts(self):
        """The static picture, the caption's paragraph, and what follows it."""
        inside = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, inside)
        picture = next(iter(inside.findall(nodes.image)), None)
        if picture is None or len(picture.get("alt", "")) < 15:
            raise self.error("an interactive figure has a static picture with an alt text inside")
        first = inside[0]
        rest = inside.children[1:]
        if isinstance(first, nodes.figure):
            rest = [child for child in first if child is not picture] + rest
        if not rest or not isinstance(rest[0], nodes.paragraph | nodes.caption):
            raise self.error("an interactive figure has a caption after its picture")
        picture.parent.remove(picture)
        picture["classes"] += ["figure-static", "no-scaled-link"]  # no link to the picture alone
        if "width" in self.options:
            picture["width"] = self.options["width"]
        return picture, rest[0], rest[1:]

    def data(self, name):
        """What the figure needs from the labs, as JSON in a script element that does not run."""
        if name not in figure_data.DATA:
            return []
        try:
            values, files = figure_data.DATA[name]()
        except LookupError as error:
            raise self.error(f"the data of the figure {name}: {error.args[0]}") from error
        for file in files:
            self.env.note_dependency(str(file))
        if "view" in self.options:
            values = {**values, "view": self.options["view"]}
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
        script = f'<script type="application/json" class="figure-data">{text}</script>'
        return [nodes.raw("", script, format="html")]


def keep_off_other_pages(app, config):
    """Jupyter Book would load every script and style sheet below ``_static`` on every page."""
    for files in (config.html_js_files, config.html_css_files):
        files[:] = [file for file in files if not str(file).startswith("figures/")]


def load_scripts(app, pagename, templatename, context, doctree):
    """Have the page load the style sheet and the scripts of its figures, each once.

    A figure that has come to life is up to three times as high as its picture. So its scripts stand
    behind it and run before what comes below is there: nothing moves that a reader has begun to
    read, however slow the network.
    """
    figures = [f for f in doctree.findall(nodes.figure) if f.get("scripts")] if doctree else []
    if not figures or app.builder.name == "epub":
        return
    app.add_css_file("figures/figures.css")
    loaded, each = set(), iter(figures)

    def with_scripts(end):
        needed = [s for s in ("controls", *next(each)["scripts"]) if s not in loaded]
        loaded.update(needed)
        return end[1] + "".join(tag(app, context, script) for script in needed)

    context["body"] = END.sub(with_scripts, context["body"])


# The end of an interactive figure in the page: the mark is in its caption or its legend
END = re.compile(r"<!-- interactive -->(.*?</figure>)", re.S)


def tag(app, context, script):
    """The script element, with Sphinx's checksum in its address; it is taken out of the head."""
    files = context["script_files"]
    before = len(files)
    app.add_js_file(f"figures/{script}.js")
    element = context["js_tag"](files[-1])
    del files[before:]
    return element


def setup(app):
    app.add_directive("interactive", Interactive)
    app.connect("config-inited", keep_off_other_pages)
    app.connect("html-page-context", load_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
