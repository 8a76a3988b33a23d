"""Several processes of this machine that train one network: ``run(2)``, each with one thread.

A worker is ``python -m helpers.scaling.workers``; it knows the others from ``TF_CONFIG``. Keras's
``fit`` does not run under ``MultiWorkerMirroredStrategy`` (keras issue 20585), a step of one's own
does, and this is one.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from helpers.words import shown

BATCH, RATE, MOMENTUM = 64, 0.02, 0.9
NETWORKS = ("conv", "dense")
MINUTES = 3  # that a run may last


def network(name):
    """``"conv"``: many multiplications for each weight; ``"dense"``: one for each weight."""
    import keras
    from keras import layers

    if name not in NETWORKS:
        raise ValueError(f"network {shown(name)}; there are {', '.join(NETWORKS)}")
    keras.utils.set_random_seed(14)
    if name == "dense":
        hidden = [layers.Dense(2048, activation="relu"), layers.Dense(2048, activation="relu")]
        return keras.Sequential(
            [keras.Input((28, 28, 1)), layers.Flatten(), *hidden, layers.Dense(10)]
        )
    stages = [
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
    ]
    return keras.Sequential([keras.Input((28, 28, 1)), *stages, layers.Flatten(), layers.Dense(10)])


def batches(steps):
    """The same ``steps`` batches in every process: images (64, 28, 28, 1) from 0 to 1, labels."""
    from helpers import datasets

    data = datasets.fashion_mnist("quick")
    for step in range(steps):
        rows = np.random.default_rng([14, step]).permutation(len(data.train_images))[:BATCH]
        yield (
            np.float32(data.train_images[rows, ..., None]) / 255,
            data.train_labels[rows].astype(int),
        )


def devices(count):
    """The strategy for ``count`` logical CPUs of this process.

    The sum is formed on one of them: TensorFlow's own all-reduce between CPUs refuses a second
    number of devices in the same process.
    """
    import tensorflow as tf

    if count == 1:
        return tf.distribute.get_strategy()
    places = [f"CPU:{i}" for i in range(count)]
    return tf.distribute.MirroredStrategy(places, tf.distribute.ReductionToOneDevice())


def train(strategy, name, steps, rank=0, workers=1):
    """``steps`` steps on this worker's part of each batch: the weights, and each step's seconds."""
    import keras
    import tensorflow as tf

    with strategy.scope():
        model = network(name)
        optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM)
        optimizer.build(model.trainable_variables)

    def update(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_sum(losses) / BATCH  # by the whole batch, not by this worker's part
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)  # adds the workers' gradients up
        return loss

    run = tf.function(lambda x, y: strategy.reduce("SUM", strategy.run(update, (x, y)), axis=None))
    part, seconds = BATCH // workers, []
    for images, labels in batches(steps):
        mine = slice(rank * part, (rank + 1) * part)
        begun = time.perf_counter()
        run(tf.constant(images[mine]), tf.constant(labels[mine])).numpy()
        seconds.append(time.perf_counter() - begun)
    return [variable.numpy() for variable in model.trainable_variables], seconds


def run(count, name="conv", steps=5):
    """Train with ``count`` processes on this machine; the first one's weights, seconds a step.

    Raises ``RuntimeError`` with the last line of a worker's log if one fails or all take too long.
    """
    if count < 1 or BATCH % count:
        raise ValueError(f"{count} workers cannot share a batch of {BATCH} evenly")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        ports = free_ports(count)
        processes = [_start(folder, ports, rank, name, steps) for rank in range(count)]
        end = time.monotonic() + 60 * MINUTES
        try:
            # The first writes the weights after the last step, and then the others are done, too.
            while processes[0].poll() is None and time.monotonic() < end:
                if any(process.poll() for process in processes):
                    break
                time.sleep(0.05)
            if processes[0].poll() != 0:
                raise RuntimeError(_told(folder, processes))
        finally:
            for process in processes:
                process.kill()
                process.wait()
        with np.load(folder / "weights.npz") as file:
            return [file[f"w{i}"] for i in range(len(file.files) - 1)], file["seconds"]


def _start(folder, ports, rank, name, steps):
    addresses = [f"localhost:{port}" for port in ports]
    config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
    threads = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    environment = {**os.environ, **dict.fromkeys(threads, "1"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["TF_CONFIG"] = json.dumps(config)
    command = [sys.executable, "-m", "helpers.scaling.workers", str(folder), name, str(steps)]
    with open(folder / f"{rank}.log", "w") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _told(folder, processes):
    """What went wrong: the worker that failed, or the first if none has, and its last line."""
    rank = next((k for k, process in enumerate(processes) if process.poll()), 0)
    code, log = processes[rank].poll(), folder / f"{rank}.log"
    how = f"ended with {code}" if code is not None else f"took over {MINUTES} minutes"
    lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return f"worker {rank} of {len(processes)} {how}: {lines[-1][-500:]}"


def free_ports(count):
    """Numbers of ports of this machine that nothing listens at."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def main(folder, name, steps):
    import tensorflow as tf

    config = json.loads(os.environ["TF_CONFIG"])
    rank, workers = config["task"]["index"], len(config["cluster"]["worker"])
    tf.config.experimental.enable_op_determinism()
    if workers > 1:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        strategy = tf.distribute.get_strategy()
    weights, seconds = train(strategy, name, int(steps), rank, workers)
    if rank == 0:
        arrays = {f"w{i}": w for i, w in enumerate(weights)}
        np.savez(Path(folder) / "weights.npz", **arrays, seconds=seconds)


if __name__ == "__main__":
    import keras

    keras.utils.set_random_seed(0)
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # TensorFlow would wait for the other workers
