"""The build stands alone: links to the published book become links inside it, and equations need no
network, for MathJax comes from a package where that is installed, not from the web.
"""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from docutils import nodes
from sphinx.util import logging
from sphinx.util.fileutil import copy_asset

logger = logging.getLogger(__name__)


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


def setup(app):
    app.connect("doctree-resolved", localize_links)
    app.connect("config-inited", use_mathjax_of_package)
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
