"""What lab 14 uses to scale out: workers on this machine, a small network, and laws of its error.

``workers`` starts processes that train one network together, ``small`` is a network so cheap that
it can be trained hundreds of times, ``laws`` fits a power law and says how far it can be trusted,
``speed`` is the model of compute and communication.
"""

TABLE = "scaling.csv"


def table(stage):
    """``tools/measure_scaling.py``'s rows of one stage: dictionaries with numbers for all but
    ``stage`` and ``what``."""
    from helpers.datasets import table_rows

    rows = [row for row in table_rows(TABLE) if row["stage"] == stage]
    numbers = ("x", "y", "seed", "value")
    return [{**row, **{name: float(row[name]) for name in numbers}} for row in rows]
