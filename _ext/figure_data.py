"""What the interactive figures need from the labs: ``DATA[name]()`` gives values and files.

The values travel in the page as JSON; the files are what they were read from, so that the page is
made anew when one of them changes. Nothing here is typed: ``tools/make_figure_data.py`` measured
it, as labs 1 and 11 do, and the tests hold it to what they print. What is missing is a
``LookupError``.
"""

import json
from pathlib import Path

TABLE = Path(__file__).resolve().parent / "figure_data.json"
DATA = {}


def data_of(name):
    """Decorator: the function picks the data of the figure ``name`` from the table."""

    def register(pick):
        DATA[name] = lambda: (pick(json.loads(TABLE.read_text(encoding="utf-8"))), [TABLE])
        return pick

    return register


@data_of("top-five")
def guesses(table):
    return table["photographs"]


@data_of("codebook")
def histogram_and_files(table):
    weights = table["weights"]
    return {"conv3": weights["conv3"], "books": weights["books"], "files": table["codebook"]}


@data_of("pruning")
def weights_and_curve(table):
    return {"fc7": table["weights"]["fc7"], "rows": table["pruning"]}
