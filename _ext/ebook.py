"""The book as an EPUB: `jupyter-book build . --builder custom --custom-builder epub`.

An e-book reader runs no script and reads XML: figures are their static pictures, equations MathML
with the book's own font. Nothing here touches the web pages.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.builders import _epub_base

SETTINGS = {
    "version": "1",  # must not be empty
    "epub_basename": "the-imagenet-moment",
    "epub_publisher": "The ImageNet Moment team",
    "epub_show_urls": "no",  # else each link gets a footnote
    "epub_tocscope": "includehidden",
    "html_theme_options": {},  # the buttons of a theme that an EPUB does not have
}
# Some directives write out a page as the web calls it.
PAGE = re.compile(r"(\.\./(?:chapters|notebooks)/[\w-]+)\.html(?=#|$)")
ITEM = re.compile(r'(<item [^>]*href="([^"]+\.xhtml)"[^>]*?)( ?/>)')
# What HTML forgives and XHTML does not: a drawing without its namespace, a paragraph in a summary.
DRAWING = re.compile(r"<svg(?![^>]*\sxmlns=)")
SUMMARY = re.compile(r"(<summary[^>]*>)(.*?)</summary>", re.DOTALL)
LEVEL = re.compile(r'(<(?!math|mstyle)m[a-z]+[^>]*?) scriptlevel="\d"')
# The style sheets of an e-book; all others are for web pages, and no script runs.
STYLES = ("epub.css", "basic.css", "pygments.css", "ebook.css", "equations.css")
LEFT_OUT = ("_static/math.txt", "_static/math-LICENSE.txt", "_static/book.png", "index.html")
COLORS = {"var(--part-a)": "#0072b2", "var(--part-b)": "#c25700"}  # as in book.css


def prepare(app):
    builder = app.builder
    if builder.name != "epub":
        return
    for name, value in SETTINGS.items():
        setattr(app.config, name, value)
    _epub_base.MEDIA_TYPES[".woff2"] = "font/woff2"
    build = builder.build_content
    builder.build_content = lambda: (leave_out(app), build(), strict(Path(builder.outdir)))
    # Not in _static: Jupyter Book loads every style sheet of that folder into the web pages.
    app.config.html_static_path.append("_ext/ebook")
    app.add_css_file("ebook.css")


def leave_out(app):
    """Name the files that came from ``_static`` and are for web pages only."""
    folder = Path(app.builder.outdir)
    scripted = [*folder.glob("_static/*.css"), *folder.glob("_static/figures/*.css")]
    scripted += folder.glob("_static/**/*.js")
    names = [path.relative_to(folder).as_posix() for path in scripted if path.name not in STYLES]
    app.config.epub_exclude_files = [*LEFT_OUT, *names]


def strict(folder):
    """Make the pages what XHTML asks for, and the list of files with them."""
    for page in folder.rglob("*.xhtml"):
        text = page.read_text(encoding="utf-8")
        text = DRAWING.sub('<svg xmlns="http://www.w3.org/2000/svg"', text)
        text = SUMMARY.sub(lambda m: m[1] + re.sub(r"</?p[^>]*>", "", m[2]) + "</summary>", text)
        text = LEVEL.sub(r"\1", text)
        for name, color in COLORS.items():
            text = text.replace(name, color)
        page.write_text(text, encoding="utf-8")
    declare(folder)


def declare(folder):
    """Say in the list of files which pages have equations and drawings in them."""

    def item(match):
        page = folder / match[2]
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        has = " ".join(name for tag, name in (("<math", "mathml"), ("<svg", "svg")) if tag in text)
        return f'{match[1]} properties="{has}"{match[3]}' if has else match[0]

    content = folder / "content.opf"
    content.write_text(ITEM.sub(item, content.read_text(encoding="utf-8")), encoding="utf-8")


def for_a_book(app, doctree, docname):
    """No data for scripts, and links to pages as they are called here."""
    if app.builder.name != "epub":
        return
    for raw in [*doctree.findall(nodes.raw)]:
        if raw.astext().lstrip().startswith("<script"):
            raw.parent.remove(raw)
    for link in doctree.findall(nodes.reference):
        if "refuri" in link:
            link["refuri"] = PAGE.sub(r"\1.xhtml", link["refuri"])


def own_styles(app, pagename, templatename, context, doctree):
    """Leave out the style sheets of the web pages."""
    if app.builder.name == "epub":
        context["css_files"] = [
            file for file in context["css_files"] if Path(str(file.filename)).name in STYLES
        ]


def setup(app):
    app.connect("builder-inited", prepare, priority=400)
    app.connect("doctree-resolved", for_a_book)
    app.connect("html-page-context", own_styles, priority=995)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
