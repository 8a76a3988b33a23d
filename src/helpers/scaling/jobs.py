"""A job to kill: the ImageNet command on a folder of a few colored pictures."""

import os
import subprocess
import sys

import numpy as np
from PIL import Image

CLASSES = ("n01440764", "n02084071", "n04037443")
FLAGS = ["--batch", "6", "--width", "0.05", "--save-every", "1", "--rate", "0.001"]


def pictures(root, rng, train=4, val=1):
    """Write ``train`` and ``val`` pictures of three classes, one color each, below ``root``."""
    for split, count in (("train", train), ("val", val)):
        for k, name in enumerate(CLASSES):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                picture = rng.integers(0, 120, (256, 256, 3))
                picture[..., k] += 120
                file = root / split / name / f"{name}_{i}.JPEG"
                Image.fromarray(picture.astype(np.uint8)).save(file)
    return root


def start(data, output, epochs=2):
    """The command in a process of its own; the same call goes on with a run that was stopped."""
    command = [sys.executable, "-m", "helpers.imagenet", "--data", str(data)]
    command += ["--output", str(output), "--epochs", str(epochs), *FLAGS]
    environment = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, env=environment, **quiet)
