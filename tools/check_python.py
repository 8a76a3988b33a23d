"""Stop early, with a clear word, when Python is too old or lacks venv."""

import importlib.util
import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(
        f"The book's tools need Python 3.11, 3.12 or 3.13, and {sys.executable} is "
        f"{sys.version.split()[0]}. Name another: make PYTHON=/path/to/python3.11 ..."
    )
if importlib.util.find_spec("ensurepip") is None:
    sys.exit(f"{sys.executable} has no venv; on Debian: apt-get install python3-venv")
