"""What lab 14 uses to scale out: workers on this machine, a small network, and laws of its error.

``workers`` starts processes that train one network together, ``small`` is a network so cheap that
it can be trained hundreds of times, ``laws`` fits a power law and says how far it can be trusted,
``speed`` is the model of compute and communication, ``jobs`` a run to kill, ``profile`` says what
a loop over images spends its time on.
"""

TABLE = "scaling.csv"


def rows(stage):
    """``tools/measure_scaling.py``'s rows of one stage, dictionaries of text."""
    from helpers.datasets import table_rows

    return [row for row in table_rows(TABLE) if row["stage"] == stage]


def runs(stage):
    """Errors by seed, arrays: ``"batch"`` has ``{(rule, batch): ...}``, ``"images"`` and
    ``"width"`` have ``{("error", images or units): ...}``."""
    import numpy as np

    found, column = {}, "y" if stage == "width" else "x"
    for row in sorted(rows(stage), key=lambda row: int(row["seed"])):
        found.setdefault((row["what"], int(row[column])), []).append(float(row["value"]))
    return {key: np.array(values) for key, values in found.items()}


def seconds():
    """Seconds a step, the median of all rounds: ``{(network, workers): ...}``."""
    import numpy as np

    return {key: float(np.median(values)) for key, values in runs("speed").items()}


def cores():
    """Cores of the machine on which ``seconds`` were measured."""
    return int(rows("speed")[0]["y"])
