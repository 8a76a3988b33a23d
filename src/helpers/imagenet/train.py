"""The ImageNet command: its flags, its workers, and the training itself.

Every random choice follows from the seed, the epoch or step, and the image or device, so the same
command goes on after a kill. Section numbers are those of Krizhevsky, Sutskever and Hinton, NIPS
2012.
"""

import argparse
import ctypes
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

SAMPLE = 10_000  # training images from which the mean and the principal colors are taken
DROPS = 3  # times that the rate is divided by ten (section 5)
REFUSED, NO_PEERS, LOST_PEER, INTERRUPTED = 2, 3, 75, 130  # exit codes
READY = "IMAGENET_READY_FD"  # set in the environment of a worker that has a supervisor


class SetupError(RuntimeError):
    """Flags, machines and data do not fit together. The message says what and how to change it."""


def arguments(argv=None):
    """The command line as a namespace; ends the program with a message if it makes no sense."""
    parser = argparse.ArgumentParser(
        "python -m helpers.imagenet",
        description="Train AlexNet on ImageNet. The same command again goes on where it stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )

    def number(kind, low, high):
        def parse(text):
            if not low <= kind(text) <= high:
                raise argparse.ArgumentTypeError(f"{text} is not from {low:g} to {high:g}")
            return kind(text)

        parse.__name__ = {int: "whole number", float: "number"}[kind]  # for argparse's messages
        return parse

    add, count = parser.add_argument, number(int, 1, 10**9)
    hidden = argparse.SUPPRESS
    add("--data", type=Path, required=True, metavar="DIR", default=hidden, help="has train and val")
    add("--output", type=Path, default="runs/imagenet", metavar="DIR", help="where all is kept")
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
    return parser.parse_args(argv)


def cluster():
    """The addresses of all workers and this one's rank, from ``TF_CONFIG``; ``([], 0)`` without."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return [], 0
    try:
        config = json.loads(text)
        addresses, rank = config["cluster"]["worker"], int(config["task"]["index"])
        fits = set(config["cluster"]) == {config["task"]["type"]} and 0 <= rank < len(addresses)
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        form = '"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}'
        raise SetupError(f"TF_CONFIG is {text!r}; its form is {{{form}}}")
    return addresses, rank


def supervise(argv, args, addresses):
    """Run the worker as a child; start it again when it was killed or has lost another worker."""
    for attempt in range(args.restarts + 1):
        ready, childs_end = os.pipe()
        command = [sys.executable, "-m", "helpers.imagenet", *argv]
        environment = {**os.environ, READY: str(childs_end)}
        child = subprocess.Popen(command, env=environment, pass_fds=[childs_end])
        os.close(childs_end)
        try:
            # A worker that waits for the others inside TensorFlow hears no signal but SIGKILL.
            if not select.select([ready], [], [], 60 * args.wait)[0]:
                print(f"error: not all of {addresses} answered in {args.wait:g} minutes; start all")
                return NO_PEERS
            code = child.wait()
        finally:
            child.kill()
            child.wait()
            os.close(ready)
        if 0 <= code != LOST_PEER:
            return code
        reason = "lost another worker" if code == LOST_PEER else f"was killed by signal {-code}"
        print(f"the worker {reason}; start {attempt + 2} goes on from the last checkpoint")
        time.sleep(1)
    return LOST_PEER


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


def start(args, workers):
    """The distribution strategy for the devices that there are; sets seed and precision."""
    import keras
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    keras.utils.set_random_seed(args.seed)
    if args.deterministic or not gpus:
        tf.config.experimental.enable_op_determinism()
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    # Fast float16 came with compute capability 7.0, bfloat16 with 8.0.
    able = min([each.get("compute_capability", (0, 0)) for each in details], default=(0, 0))
    fast = "mixed_bfloat16" if able >= (8, 0) else "mixed_float16" if able >= (7, 0) else "float32"
    keras.config.set_dtype_policy(fast if args.precision == "auto" else args.precision)
    if workers > 1:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        os.write(int(os.environ[READY]), b"1")
        return strategy
    devices = tf.config.list_logical_devices("GPU" if gpus else "CPU")
    many = len(devices) > 1
    return tf.distribute.MirroredStrategy(devices) if many else tf.distribute.get_strategy()


def sums(probabilities, labels, weights):
    """Sums over a batch of cross-entropy, top-1 hits, top-5 hits and examples, float64 (4,).

    probabilities (n, classes), labels (n,), weights (n,): 0 for rows that only fill the batch
    """
    import tensorflow as tf

    chosen = tf.gather(probabilities, labels[:, None], axis=1, batch_dims=1)[:, 0]
    top1, top5 = (
        tf.cast(tf.math.in_top_k(labels, probabilities, min(k, probabilities.shape[-1])), "float")
        for k in (1, 5)
    )
    parts = [-tf.math.log(tf.maximum(chosen, 1e-30)), top1, top5, tf.ones_like(top1)]
    return tf.stack([tf.reduce_sum(tf.cast(part * weights, tf.float64)) for part in parts])


def compiled_steps(strategy, model, optimizer, batch, seed):
    """``update(step, images, labels, weights)`` and ``measure(ten, images, labels, weights)``: both
    return the ``sums`` over the batch."""
    import keras
    import tensorflow as tf

    from helpers.imagenet.data import crops

    dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    # float16 loses gradients below 6e-8, so the loss is scaled up and the gradients down again.
    scale = 1024.0 if keras.config.dtype_policy().compute_dtype == "float16" else 1.0

    def update(step, images, labels, weights):
        # Dropout that follows from (seed, step, device) leaves no state to save or to share.
        device = tf.distribute.get_replica_context().replica_id_in_sync_group
        number = step * strategy.num_replicas_in_sync + device
        seeds = [tf.cast([seed + i, number], tf.uint32) for i in range(len(dropouts))]
        states = [(d.seed_generator.state, s) for d, s in zip(dropouts, seeds, strict=True)]
        with tf.GradientTape() as tape:
            with keras.StatelessScope(state_mapping=states):
                logits = tf.cast(model(images, training=True), tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_sum(losses) / batch * scale
        gradients = tape.gradient(loss, model.trainable_variables)
        if scale != 1:  # an entry that overflowed sits this step out
            gradients = [tf.where(tf.math.is_finite(g), g / scale, 0.0) for g in gradients]
        optimizer.apply(gradients, model.trainable_variables)
        return sums(tf.nn.softmax(logits), labels, weights)

    def measure(ten, images, labels, weights):
        views = [tf.cast(model(view, training=False), tf.float32) for view in crops(images, ten)]
        mean = tf.add_n([tf.nn.softmax(logits) for logits in views]) / len(views)
        return sums(mean, labels, weights)

    def over_devices(function):
        def run(first, *part):
            return strategy.reduce("SUM", strategy.run(function, (first, *part)), axis=None)

        return tf.function(run, reduce_retracing=True)

    return over_devices(update), over_devices(measure)


def share(strategy, run):
    """Give every worker the first one's state of the run; refuse if its data or flags differ."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def firsts(value):
        def replica(value):
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group == 0
            return context.all_reduce("SUM", tf.where(first, value, tf.zeros_like(value)))

        return strategy.run(replica, (value,))

    def broadcast(value):
        value = tf.constant(value, None if value.dtype.kind == "f" else tf.float64)
        return strategy.experimental_local_results(firsts(value))[0].numpy()

    state = {"settings": run.settings, "step": run.step, "history": run.history}
    codes = np.frombuffer(json.dumps(state).encode(), np.uint8)
    codes = broadcast(np.pad(codes, (0, 2**18 - len(codes))))
    state = json.loads(bytes(codes[codes > 0].astype(np.uint8)))
    other = [name for name, value in run.settings.items() if state["settings"].get(name) != value]
    if other:
        raise SetupError(f"this worker and the first differ in {', '.join(other)}: make them equal")
    run.step, run.history = state["step"], state["history"]
    for variable in run.variables:
        variable.assign(broadcast(variable.numpy()).astype(variable.numpy().dtype))


class Training:
    """One worker's part of the command: check the data, train, measure."""

    def __init__(self, args, workers, rank):
        from helpers.imagenet import data

        self.args, self.chief, self.io = args, rank == 0, data
        entries = {split: data.list_images(args.data, split) for split in ("train", "val")}
        args.output.mkdir(parents=True, exist_ok=True)
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
        from helpers.training import PaperSGD, Run

        args, side = self.args, self.io.SIDE
        images = [image for split in self.data.values() for image in split]
        listing = [(os.path.relpath(e[0], args.data), *e[1:], label) for e, label in images]
        settings = {"--data": hashlib.sha256(repr(listing).encode()).hexdigest()}
        for flag in ("batch", "rate", "patience", "dropout", "width", "seed"):
            settings["--" + flag] = getattr(args, flag)
        with self.strategy.scope():
            self.model = alexnet(classes, width=args.width, dropout=args.dropout)
            self.optimizer = PaperSGD(args.rate)
            self.optimizer.build(self.model.trainable_variables)
        extra = [tf.Variable(tf.zeros(shape)) for shape in ((side, side, 3), (3, 3))]
        directory = args.output if self.chief else None
        self.run = Run(self.model, self.optimizer, directory, settings, extra)
        if args.evaluate and self.chief and not self.run.step:
            raise SetupError(f"--evaluate: there is no trained network in {args.output}")
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
        """Keep the network and measure it as the paper does, on ten crops (section 4.1)."""
        from helpers.training import replace

        if self.chief:
            replace(self.args.output / "alexnet.keras", self.model.save)
        _, top1, top5 = self.validate(ten=True)
        if self.chief:
            count = f"{len(self.data['val']):,} images"
            print(f"ten crops of {count}: error {1 - top1:.2%}, top-5 {1 - top5:.2%}")


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
        from tensorflow import errors

        from helpers.datasets import DataError
        from helpers.training import TrainingError

        own = errors.InvalidArgumentError, errors.NotFoundError, errors.ResourceExhaustedError
        if len(addresses) > 1 and isinstance(error, errors.OpError) and not isinstance(error, own):
            print(str(error)[:300], file=sys.stderr)
            return LOST_PEER
        if not isinstance(error, SetupError | DataError | TrainingError):
            raise
        problem = error
    print(f"error: {problem}", file=sys.stderr)
    return REFUSED
