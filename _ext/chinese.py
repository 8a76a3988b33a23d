"""Chinese words are marked as Chinese: a screen reader's voice and the font follow the language."""

import re

from docutils import nodes

# A run of Chinese characters, with what may stand between them.
CHINESE = re.compile(r"([⺀-鿿](?:[⺀-鿿、（）：·／ 0-9A-Z]*[⺀-鿿）])?)")


def mark_chinese(app, doctree, docname):
    """Wrap each run of Chinese characters outside of code in a span with its language."""
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
    app.connect("doctree-resolved", mark_chinese)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
