"""Directive ``{labfigure} NN-stem N``: the N-th figure of a lab, from its stored outputs.

The picture and its alt text are the lab's; options and caption are those of ``{figure}``.
"""

from base64 import b64decode
from pathlib import Path

import nbformat
from sphinx.directives.patches import Figure

ROOT = Path(__file__).resolve().parent.parent


def pictures_of(path):
    """The cells of the lab at ``path`` that drew something, each with the output that holds it."""
    cells = nbformat.read(path, as_version=4).cells if path.exists() else []
    for cell in cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                yield cell, output


class LabFigure(Figure):
    """A figure whose picture and alt text are those of a lab's cell."""

    def run(self):
        stem, place = self.arguments[0].split()
        path = ROOT / "notebooks" / f"{stem}.ipynb"
        self.state.document.settings.env.note_dependency(str(path))
        pictures = {
            str(k): (output.data["image/png"], cell.metadata)
            for k, (cell, output) in enumerate(pictures_of(path), start=1)
        }
        if place not in pictures:
            raise self.error(f"lab {stem} has {len(pictures)} figures, and no number {place}")
        picture, metadata = pictures[place]
        self.options["alt"] = metadata.mystnb.image.alt
        file = ROOT / "_build" / "labfigures" / f"{stem}-{place}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b64decode(picture))
        self.arguments = ["/" + file.relative_to(ROOT).as_posix()]
        return super().run()


def setup(app):
    app.add_directive("labfigure", LabFigure)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
