"""Equations as MathML, made at build time: no script in the page, and a screen reader reads them.

Temml (see ``temml/``), which is JavaScript, runs here in an embedded engine, so neither Node nor a
network is needed. The mathematical font, STIX Two Math, comes as a subset: the characters that the
book's equations use, with their larger and smaller forms.
"""

import html
import json
import re
import shutil
from functools import cache
from pathlib import Path

from docutils import nodes
from fontTools import subset
from py_mini_racer import MiniRacer
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

HERE = Path(__file__).resolve().parent / "temml"
logger = logging.getLogger(__name__)


# At the head of an aligned column plus and minus still stand between two terms, as in TeX.
HEAD = re.compile(r'(<mtd class="tml-left"[^>]*><mrow>(?:<mspace[^>]*></mspace>)*)<mo>(?=[+−-])')


@cache
def engine():
    racer = MiniRacer()
    racer.eval((HERE / "temml.min.js").read_text(encoding="utf-8"))
    return racer


@cache
def mathml(tex, display):
    """The MathML of an equation in TeX. Raises ``ValueError`` with Temml's message."""
    options = {"displayMode": display, "throwOnError": True, "strict": False}
    call = f"temml.renderToString({json.dumps(tex)}, {json.dumps(options)})"
    caught = f"(() => {{ try {{ return {call} }} catch (e) {{ return '!' + e.message }} }})()"
    text = engine().eval(caught)
    if text.startswith("!"):
        raise ValueError(text[1:])
    return HEAD.sub(r'\1<mo form="infix">', text)


def rendered(self, node, display):
    tex = node.astext()
    if display:
        parts = [part.strip() for part in tex.split("\n\n") if part.strip()]
        parts = [rf"\begin{{split}}{p}\end{{split}}" if aligned(p) else p for p in parts]
        tex = (
            parts[0]
            if len(parts) == 1
            else r"\begin{gathered}" + r"\\".join(parts) + r"\end{gathered}"
        )
    try:
        return mathml(tex, display)
    except ValueError as error:
        logger.warning(f"an equation that Temml does not know: {error}", location=node)
        return f"<code>{html.escape(tex)}</code>"


def aligned(tex):
    """Does it have lines or columns of its own, outside of any environment?"""
    return r"\\" in re.sub(
        r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}|\\substack\{.*?\}\}?", "", tex, flags=re.S
    )


def inline(self, node):
    self.body.append(rendered(self, node, False))
    raise nodes.SkipNode


def block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    self.body.append(rendered(self, node, True))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


# --- the font ----------------------------------------------------------------------------------

MATH = re.compile(r"<math.*?</math>", re.DOTALL)


def characters(pages):
    """All characters of the equations of the built pages."""
    found = set()
    for page in pages:
        for equation in MATH.findall(page.read_text(encoding="utf-8")):
            found |= {*html.unescape(re.sub(r"<[^>]*>", "", equation))}
            if re.search(r"<m(sqrt|root)\b", equation):  # drawn by the browser, not in the text
                found.add("√")
    return "".join(sorted(found - {*" \n\u2061\u2062\u2063\u200b"}))


def make_font(app, error):
    """Write the font that has the characters of the equations, and no others."""
    if error or app.builder.format != "html":
        return
    needed = characters(Path(app.outdir).rglob("*.html"))
    target, note = (Path(app.outdir, "_static", name) for name in ("math.woff2", "math.txt"))
    if target.exists() and note.exists() and note.read_text(encoding="utf-8") == needed:
        return
    options = subset.Options(flavor="woff2", layout_features=["ssty", "dtls", "ss04", "ccmp"])
    options.notdef_outline = True
    font = subset.load_font(HERE / "stix-two-math.woff2", options)
    if missing := [c for c in needed if ord(c) not in font.getBestCmap()]:
        logger.warning(f"not in the mathematical font: {' '.join(missing)}")
    chosen = subset.Subsetter(options)
    chosen.populate(text=needed)
    chosen.subset(font)
    subset.save_font(font, target, options)
    shutil.copy(HERE / "LICENSE-stix-two-math.txt", target.with_name("math-LICENSE.txt"))
    note.write_text(needed, encoding="utf-8")


def setup(app):
    app.add_html_math_renderer("temml", (inline, None), (block, None))
    app.connect("build-finished", make_font)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
