"""The flags of the ImageNet command."""

import argparse
from pathlib import Path


def arguments(argv=None):
    """The command line as a namespace; ends the program with a message if it makes no sense."""
    parser = argparse.ArgumentParser(
        "python -m helpers.imagenet",
        description="Train AlexNet on ImageNet. The same command again goes on where it stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )

    def path(text):  # a shell leaves the ~ of --data=~/images
        return Path(text).expanduser()

    def number(kind, low, high):
        def parse(text):
            if not low <= kind(text) <= high:
                raise argparse.ArgumentTypeError(f"{text} is not from {low:g} to {high:g}")
            return kind(text)

        parse.__name__ = {int: "whole number", float: "number"}[kind]  # for argparse's messages
        return parse

    add, count = parser.add_argument, number(int, 1, 10**9)
    hidden = argparse.SUPPRESS
    add("--data", type=path, required=True, metavar="DIR", default=hidden, help="has train and val")
    add("--output", type=path, default="runs/imagenet", metavar="DIR", help="where all is kept")
    add("--epochs", type=count, default=90, help="passes through the training set")
    add("--batch", type=count, default=128, help="images a step, of all devices together")
    add("--rate", type=number(float, 1e-9, 1e3), default=0.01, help="learning rate at the start")
    add("--patience", type=count, default=5, help="epochs without progress before rate / 10")
    add("--dropout", type=number(float, 0, 0.99), default=0.5, help="in fc6 and fc7")
    add("--width", type=number(float, 1e-3, 10), default=1.0, help="factor on all channels")
    add("--seed", type=number(int, 0, 2**30), default=0, help="another number, another run")
    kinds = ["auto", "float32", "mixed_float16", "mixed_bfloat16"]
    add("--precision", choices=kinds, default="auto", help="auto: mixed where a GPU is fast at it")
    add("--deterministic", action="store_true", help="bit for bit on GPUs too, but slower")
    add("--save-every", type=count, default=500, help="steps between checkpoints")
    add("--wait", type=number(float, 0, 1e6), default=10, help="minutes to wait for other workers")
    add("--restarts", type=number(int, 0, 1e6), default=100, help="after the loss of a worker")
    add("--evaluate", action="store_true", help="only measure the network trained so far")
    add("--debug", action="store_true", help="show the whole traceback of an error")
    return parser.parse_args(argv)
