"""``python -m helpers.imagenet``; the package's docstring says what it does."""

import os
import sys

from helpers.imagenet.cluster import READY
from helpers.imagenet.train import main

if __name__ == "__main__":
    # A log file shows what happens at once, and names that its encoding lacks appear as escapes.
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if READY in os.environ:
        os._exit(code)  # TensorFlow would wait for the other workers
    sys.exit(code)
