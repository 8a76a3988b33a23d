"""How a message names what it was given. Importing this needs nothing else."""

import re


def plain(text):
    """``text`` in one line, without an address in memory."""
    return " ".join(re.sub(r" at 0x[0-9a-fA-F]+", "", text).split())


def shown(value, most=80):
    """``repr(value)`` in one line of at most ``most`` signs, without an address in memory."""
    text = plain(repr(value))
    return text if len(text) <= most else text[: most - 3] + "..."
