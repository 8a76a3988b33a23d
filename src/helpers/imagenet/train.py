"""The ImageNet command: the training itself, and what it says when it cannot go on.

Every random choice follows from the seed, the epoch or step, and the image or device, so the same
command goes on after a kill. Section numbers are those of Krizhevsky, Sutskever and Hinton, NIPS
2012.
"""

import ctypes
import hashlib
import os
import signal
import sys
import traceback

import numpy as np
from tqdm import tqdm

from helpers.imagenet.arguments import arguments
from helpers.imagenet.cluster import LOST_PEER, READY, SetupError, cluster, share, supervise

SAMPLE = 10_000  # training images from which the mean and the principal colors are taken
DROPS = 3  # times that the rate is divided by ten (section 5)
REFUSED, INTERRUPTED = 2, 130  # exit codes


def drops(errors, patience):
    """How often the rate was divided by ten: each time that ``errors``, one an epoch, have not
    improved on the best for ``patience`` epochs."""
    best, since, count = float("inf"), 0, 0
    for error in errors:
        since = 0 if error < best else since + 1
        best = min(best, error)
        if since == patience:
            since, count = 0, count + 1
    return count


class Training:
    """One worker's part of the command: check the data, train, measure."""

    def __init__(self, args, workers, rank):
        from helpers.imagenet import data, pixels
        from helpers.imagenet.steps import start

        self.args, self.chief, self.io = args, rank == 0, pixels
        self.lock = claim_folder(args.output, rank)
        if args.evaluate and self.chief and not (args.output / "last.npz").exists():
            raise SetupError(f"--evaluate: there is no trained network in {args.output}")
        entries = {split: data.list_images(args.data, split) for split in ("train", "val")}
        self.strategy = start(args, workers)
        if args.batch % self.strategy.num_replicas_in_sync:
            devices = self.strategy.num_replicas_in_sync
            raise SetupError(f"--batch {args.batch} is not divisible by the {devices} devices")
        self.data, classes = data.scan(entries, args.output, rank)
        self.steps = len(self.data["train"]) // args.batch
        if not self.steps:
            count = len(self.data["train"])
            raise SetupError(f"--batch {args.batch}, but only {count} training images: lower it")
        self._build(classes, workers)

    def _build(self, classes, workers):
        import tensorflow as tf

        from helpers.alexnet import alexnet
        from helpers.imagenet.steps import compiled_steps
        from helpers.training import PaperSGD, Run

        args, side = self.args, self.io.SIDE
        images = [image for split in self.data.values() for image in split]
        listing = [(os.path.relpath(e.path, args.data), *e[1:4], label) for e, label in images]
        content = hashlib.sha256(repr(listing).encode("utf-8", "surrogatepass")).hexdigest()
        settings = {f"--data, images in {k}": len(split) for k, split in self.data.items()}
        settings |= {"--data, classes": classes, "--data, names and sizes of images": content}
        for flag in ("batch", "rate", "patience", "dropout", "width", "seed"):
            settings["--" + flag] = getattr(args, flag)
        with self.strategy.scope():
            self.model = alexnet(classes, width=args.width, dropout=args.dropout)
            self.optimizer = PaperSGD(args.rate)
            self.optimizer.build(self.model.trainable_variables)
        extra = [tf.Variable(tf.zeros(shape)) for shape in ((side, side, 3), (3, 3))]
        directory = args.output if self.chief else None
        self.run = Run(self.model, self.optimizer, directory, settings, extra)
        if self.chief and not self.run.step:
            order = np.random.default_rng(args.seed).permutation(len(self.data["train"]))
            found = self.io.statistics(self.data["train"], order[:SAMPLE])
            for variable, value in zip(extra, found, strict=True):
                variable.assign(value)
        if workers > 1:
            share(self.strategy, self.run)
        self.mean, self.basis = (tf.constant(variable.numpy()) for variable in extra)
        self.update, self.measure = compiled_steps(
            self.strategy, self.model, self.optimizer, args.batch, args.seed
        )

    def batches(self, split, rows, prepare):
        """``rows`` of ``split``, of which each worker and each of its devices gets its part."""

        def local(context):
            by_worker = rows.reshape(len(rows) // self.args.batch, context.num_input_pipelines, -1)
            size = self.args.batch // context.num_replicas_in_sync
            mine = by_worker[:, context.input_pipeline_id].ravel()
            return self.io.batches(self.data[split], mine, size, prepare)

        return self.strategy.distribute_datasets_from_function(local)

    def epoch(self, epoch):
        """What is left of one pass through the training set, in an order of its own."""
        import tensorflow as tf

        order = np.random.default_rng([self.args.seed, epoch]).permutation(len(self.data["train"]))
        done = self.run.step % self.steps

        def prepare(image, row):
            key = tf.random.experimental.stateless_fold_in(
                [self.args.seed, epoch], tf.cast(row, tf.int32)
            )
            return self.io.augment(image - self.mean, key, self.basis)

        rows = order[done * self.args.batch : self.steps * self.args.batch]
        return self.batches("train", rows, prepare)

    def validate(self, ten):
        """Mean loss, top-1 and top-5 accuracy on the validation set, from one crop or ten."""
        rows = np.arange(len(self.data["val"]))
        rows = np.pad(rows, (0, -len(rows) % self.args.batch), constant_values=-1)
        parts = self.batches("val", rows, lambda image, row: image - self.mean)
        *sums, count = sum(self.measure(ten, *part).numpy() for part in parts).tolist()
        return [each / count for each in sums]

    def train(self):
        """Train to the last epoch, or until three divisions of the rate help no more."""
        import tensorflow as tf

        args, run, total = self.args, self.run, self.steps * self.args.epochs
        bar = tqdm(total=total, initial=run.step, file=sys.stdout, disable=not self.chief)
        while run.step < total:
            lowered = drops([1 - row["val_accuracy"] for row in run.history], args.patience)
            if lowered > DROPS:
                break
            self.optimizer.learning_rate.assign(args.rate / 10**lowered)
            for part in self.epoch(run.step // self.steps):
                sums = self.update(tf.constant(run.step), *part)
                run.totals.assign_add(tf.gather(sums, [0, 1, 3]))
                run.step += 1
                bar.update()
                if run.step % args.save_every == 0 and run.step % self.steps:
                    run.save()
            loss, top1, top5 = self.validate(ten=False)
            run.end_epoch(loss, top1, val_top5=top5)
            bar.write(
                f"epoch {len(run.history)}, rate {args.rate / 10**lowered:g}: "
                f"training loss {run.history[-1]['loss']:.3f}, "
                f"validation error {1 - top1:.2%}, top-5 {1 - top5:.2%}"
            )
        bar.close()

    def finish(self):
        """Keep the network, with the mean image that it wants subtracted, and measure it as the
        paper does, on ten crops (section 4.1)."""
        from helpers.files import replace

        if self.chief:
            replace(self.args.output / "alexnet.keras", self.model.save)
            mean = self.mean.numpy()
            replace(self.args.output / "mean.npy", lambda path: np.save(path, mean))
        _, top1, top5 = self.validate(ten=True)
        if self.chief:
            count = f"{len(self.data['val']):,} images"
            print(f"ten crops of {count}: error {1 - top1:.2%}, top-5 {1 - top5:.2%}")


def claim_folder(folder, rank):
    """Make the output folder, see that it can be written, and keep other processes out of it.

    Returns the open lock file, which frees the folder when the process ends, however it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = open(folder / f"lock-{rank}", "a+")  # noqa: SIM115 (open as long as the process lives)
    try:
        import fcntl
    except ImportError:  # Windows, where this command runs on one machine only
        return lock
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise SetupError(
            f"{folder} is in use by process {lock.read() or '?'}: wait for it, or choose another "
            "--output"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def main(argv=None):
    """Run the command; returns its exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    argv = sys.argv[1:] if argv is None else argv
    args, addresses = arguments(argv), []
    try:
        addresses, rank = cluster()
        if len(addresses) > 1 and READY not in os.environ:
            return supervise(argv, args, addresses)
        if READY in os.environ and sys.platform == "linux":
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end with the supervisor
        job = Training(args, len(addresses), rank)
        if not args.evaluate:
            job.train()
        job.finish()
        return 0
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last checkpoint", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if args.debug:
            traceback.print_exc()
        code, message = explained(error, len(addresses) > 1)
        if message is None:
            raise
        print(message, file=sys.stderr)
        return code


def explained(error, many):
    """The exit code for an error and one line that says what to do, or ``None`` for a bug of ours.

    many   whether there are other workers, whose loss shows as an error of TensorFlow
    """
    from tensorflow import errors

    from helpers.datasets import DataError
    from helpers.training import TrainingError

    text = " ".join(str(error).split("\n")[0].split())[:300]
    if isinstance(error, SetupError | DataError | TrainingError):
        return REFUSED, f"error: {error}"
    if isinstance(error, errors.ResourceExhaustedError | MemoryError):
        return REFUSED, f"error: out of memory: lower --batch or --width ({text})"
    if isinstance(error, errors.InvalidArgumentError | errors.NotFoundError):
        return REFUSED, (
            f"error: an image could be read at the start and no longer ({text}); did the data "
            "change? The same command checks them again"
        )
    if isinstance(error, errors.OpError) and many:
        return LOST_PEER, text
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return REFUSED, f"error: {place}{error.strerror or text}"
    return REFUSED, None
