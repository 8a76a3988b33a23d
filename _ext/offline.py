"""The build stands alone: links to the published book become links inside it."""

from urllib.parse import quote

from docutils import nodes
from sphinx.util import logging

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


def setup(app):
    app.connect("doctree-resolved", localize_links)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
