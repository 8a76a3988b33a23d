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
    "epub_exclude_files": ["_static/math.txt", "_static/math-LICENSE.txt"],
    "html_theme_options": {},  # the buttons of a theme that an EPUB does not have
}
# Some directives write out a page as the web calls it.
PAGE = re.compile(r"(\.\./(?:chapters|notebooks)/[\w-]+)\.html(?=#|$)")
ITEM = re.compile(r'(<item [^>]*href="([^"]+\.xhtml)"[^>]*?)( ?/>)')


def prepare(app):
    builder = app.builder
    if builder.name != "epub":
        return
    for name, value in SETTINGS.items():
        setattr(app.config, name, value)
    _epub_base.MEDIA_TYPES[".woff2"] = "font/woff2"
    build = builder.build_content
    builder.build_content = lambda: (build(), declare(Path(builder.outdir)))


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
    """Leave out the style sheets of what needs scripts, which an EPUB does not have."""
    if app.builder.name == "epub":
        context["css_files"] = [
            file
            for file in context["css_files"]
            if not re.search("mystnb|figures/", str(file.filename))
        ]


def setup(app):
    app.connect("builder-inited", prepare, priority=400)
    app.connect("doctree-resolved", for_a_book)
    app.connect("html-page-context", own_styles, priority=995)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
