"""Each line of code in an element of its own, so that it can wrap below its own indent.

A printed table keeps its columns and scrolls.
"""

import html
import re

BLOCK = re.compile(r'(<div class="highlight"><pre>(?:<span></span>)?)(.*?)(</pre>)', re.DOTALL)
TABLE = re.compile(r"\S {2,}\S")


def plain(markup):
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


def in_lines(text):
    """The page with the lines of its code set apart; ``--in`` is a line's indent."""

    def block(match):
        start, inside, end = match.groups()
        lines = inside.splitlines(keepends=True)
        texts = [plain(line) for line in lines]
        if any(line.count("<span") != line.count("</span") for line in lines):
            return match[0]
        if sum(bool(TABLE.search(line.split("#")[0].strip())) for line in texts) > 1:
            return match[0]
        wrapped = []
        for line, words in zip(lines, texts, strict=True):
            indent = len(words) - len(words.lstrip(" "))
            style = f' style="--in:{indent}"' if indent else ""
            wrapped.append(f'<span class="ln"{style}>{line}</span>')
        return start + "".join(wrapped) + end

    return BLOCK.sub(block, text)


def setup(app):
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
