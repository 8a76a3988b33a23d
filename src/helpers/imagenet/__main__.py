"""``python -m helpers.imagenet``; the package's docstring says what it does."""

import os
import sys

from helpers.imagenet.train import READY, main

if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # so that a log file shows what happens
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if READY in os.environ:
        os._exit(code)  # TensorFlow would wait for the other workers
    sys.exit(code)
