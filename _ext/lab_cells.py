"""A lab's hidden input says what it hides: code that only draws, or a solution with its answer."""

from docutils import nodes


def name_what_is_hidden(app, doctree):
    for cell in doctree.findall(nodes.container):
        if cell.get("hide_mode") == "input":
            cell["prompt_show"], cell["prompt_hide"] = "Show the code", "Hide the code"


def setup(app):
    app.connect("doctree-read", name_what_is_hidden)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
