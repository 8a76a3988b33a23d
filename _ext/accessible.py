"""What a screen reader needs and the theme leaves out: landmarks, names, lists that are lists."""

import re

# What is wrong in the theme's or docutils' output -> what is right.
REPAIRS = [
    # The sidebars are places that one can jump to.
    (
        r'<div id="pst-primary-sidebar"',
        '<div id="pst-primary-sidebar" role="region" aria-label="Book"',
    ),
    (
        r'<div id="pst-secondary-sidebar"',
        '<div id="pst-secondary-sidebar" role="region" aria-label="This page"',
    ),
    (
        r'<div id="pst-skip-link" class',
        '<div id="pst-skip-link" role="region" aria-label="Skip" class',
    ),
    # A list has items.
    (
        r'<div class="citation" id="([^"]*)" role="doc-biblioentry">',
        r'<div class="citation" id="\1" role="listitem">',
    ),
    # A column without a title has an empty cell, not an empty title.
    (r"<th\b([^>]*)>\s*(?:<p>\s*</p>)?\s*</th>", r"<td\1></td>"),
    # A title that is one letter of mathematics is read as that letter.
    (
        r"<th\b([^>]*)><p><math>(<mi>(\w)</mi>)</math></p></th>",
        r'<th\1><p><span class="visually-hidden">\3</span>'
        r'<math aria-hidden="true">\2</math></p></th>',
    ),
    # A button says what it does, and its name is what one sees.
    (r'(class="btn search-button-field[^>]*) aria-label="Search"', r"\1"),
    (
        r'title="Toggle primary sidebar"',
        'aria-label="Contents of the book" title="Contents of the book"',
    ),
    (
        r'title="Toggle secondary sidebar"',
        'aria-label="Contents of the page" title="Contents of the page"',
    ),
]
REPAIRS = [(re.compile(wrong), right) for wrong, right in REPAIRS]


def repaired(text):
    for wrong, right in REPAIRS:
        text = wrong.sub(right, text)
    return text


def setup(app):
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
