# %% [markdown]
# # 14 · Scaling out
#
# [Run in Colab](https://colab.research.google.com/github/imagenet-moment/book/blob/main/notebooks/14-scaling-out.ipynb) · [Read the chapter](https://imagenet-moment.github.io/book/chapters/14-scaling-out.html)
#
# At the end you have trained one network with several processes and got the weights of one, know from two measurements whether a third machine will help, and have said how well a large run will do before you started it.
#
# By the end you can
#
# - split a batch among workers so that nothing but rounding changes, and name the layers with which that fails
# - count what an all-reduce sends, and predict from two timings when more workers make training slower
# - fit a power law to small runs, say how far it can be trusted, and keep a long run alive when its machine dies
#
# Time: read and run 50 min, do 110 min. Builds on: [chapter 14](https://imagenet-moment.github.io/book/chapters/14-scaling-out.html), [lab 3](https://imagenet-moment.github.io/book/notebooks/03-backward-pass.html), [lab 4](https://imagenet-moment.github.io/book/notebooks/04-training-alexnet.html).
# %% tags=["setup", "nbval-ignore-output"]
# In Colab this installs the book's helper package; anywhere else it does nothing.
import sys
from importlib.util import find_spec

if "google.colab" in sys.modules and getattr(find_spec("helpers"), "origin", None) is None:
    %pip install -q "git+https://github.com/imagenet-moment/book"

from helpers import session  # An error? Rename any helpers of your own, or install the book's.

session.begin()
# %%
import io
import os
import subprocess
import tempfile
import time
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from PIL import Image

from helpers import check, continual, datasets, intervals, scaling
from helpers.claims import claim, report
from helpers.scaling import laws, small, speed, workers
# %% [markdown]
# No second machine is at hand, so we make do with this one. TensorFlow can treat one processor as several **logical devices**: they share its cores, so nothing becomes faster, but what is computed where, and what is sent, is the same as on several graphics cards. It must be told before it is first used.
# %%
DEVICES = 4
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * DEVICES)
data = datasets.fashion_mnist("quick")
images = np.float32(data.train_images[..., None]) / 255
labels = data.train_labels.astype(int)
# %% [markdown]
# ## 1. Is the mean of the gradients the gradient?
#
# **Data parallelism** is the plainest way to use many machines: each **worker** has a copy of the network and gets a part of the batch, all compute gradients, the gradients are combined, and every worker takes the same step. The loss is a mean over images, and the derivative of a mean is the mean of the derivatives. So what each worker needs to know from the others is little: how many images they had, and their gradient.
#
# **Predict.** Three workers have 32, 20 and 12 of 64 images, and each computes the mean gradient over its own. If all three are simply averaged, is that the gradient of the whole batch?
#
# <details><summary>Answer</summary>
#
# No. An image on the worker with 12 then counts 32/12 times as much as one on the worker with 32. Each gradient must be weighted by its number of images. With equal parts both are the same, which is why the mistake can go unnoticed until the last, uneven batch of an epoch.
#
# </details>
#
# **Your turn.** One line.
# %%
def whole_gradient(gradients, counts):
    """The mean gradient over all images.

    gradients   (workers, numbers): each worker's mean over its own images
    counts      (workers,): how many images it had
    """
    ...


whole_gradient = check.whole_gradient(whole_gradient)
# %%
x, y = images[:64].reshape(64, -1)[:, :196], labels[:64]  # any 196 numbers will do
weights = small.start(width=50, seed=session.seed())


def flat(rows):
    """The mean gradient over some of the images, as one row of numbers."""
    return np.concatenate([g.ravel() for g in small.gradients(weights, x[rows], y[rows])])


def off(value, truth):
    """The largest difference, as a share of the largest number."""
    pairs = list(zip(value, truth, strict=True))
    return max(np.abs(a - b).max() for a, b in pairs) / max(np.abs(b).max() for _, b in pairs)


counts = np.array([32, 20, 12])
parts = np.stack([flat(rows) for rows in np.split(np.arange(64), np.cumsum(counts)[:-1])])
whole = flat(np.arange(64))
claim("uneven parts, weighted: gradient against one worker's", off([whole_gradient(parts, counts)], [whole]), rounding="float32")
claim("uneven parts, plain mean: gradient off", off([parts.mean(axis=0)], [whole]), at_least=UNEVEN)
# %% [markdown]
# Now with TensorFlow. Under a `MirroredStrategy` every variable has a copy on each device, `strategy.run` runs a function on all of them, and Keras's optimizer adds the gradients up before it steps. Adds, not averages: so each device divides its loss by the size of the *whole* batch, and uneven parts come out right by themselves.
# %%
BATCH, STEPS = 64, 5
batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(BATCH)
cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits


def train(devices, network):
    """The weights after a few steps on batches that some logical devices share."""
    names = [f"CPU:{i}" for i in range(devices)]
    strategy = tf.distribute.MirroredStrategy(names) if devices > 1 else tf.distribute.get_strategy()
    with strategy.scope():
        model, optimizer = network(), keras.optimizers.SGD(0.02, momentum=0.9)
        optimizer.build(model.trainable_variables)
    run = tf.function(lambda x, y: strategy.run(lambda x, y: step(model, optimizer, x, y), (x, y)))
    for x, y in strategy.experimental_distribute_dataset(batches.take(STEPS)):
        run(x, y)
    return [variable.numpy() for variable in model.trainable_variables]
# %%
def step(model, optimizer, x, y):
    """One step; runs on each device with its own part of the batch."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(cross_entropy(y, model(x, training=True))) / BATCH
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)


def plain():
    return workers.network("conv")


alone = train(1, plain)
for devices in (2, DEVICES):
    gap = off(train(devices, plain), alone)
    claim(f"{devices} devices: weights after {STEPS} steps against one device", gap, rounding="float32")
# %% [markdown]
# ## 2. With which layers does that fail?
#
# The derivation used one thing: the loss is a mean of terms, each of which depends on *one* image. **Batch normalization** breaks that. It subtracts the mean over the batch and divides by its deviation, so that an image's output depends on which others are there. With two devices, "the batch" is each device's half.
#
# **Predict.** The same network with one layer of batch normalization, on 1, 2 and 4 devices with the same 64 images a step. Do the weights still agree up to rounding? And if not, which of the three is right?
#
# <details><summary>Answer</summary>
#
# They no longer agree: each device normalizes with the statistics of its own 32 or 16 images, and the difference is larger by several powers of ten than rounding. None is wrong. It is another network, trained with another, smaller batch in this one layer. Whoever reports results on 8 devices should say how many images each had.
#
# </details>
# %%
def normalized(synchronized):
    """The network with batch normalization after its first pooling."""
    keras.utils.set_random_seed(session.seed())
    before = [keras.layers.Conv2D(8, 5, strides=2, activation="relu")]
    after = [keras.layers.Conv2D(16, 3, strides=2), keras.layers.Flatten(), keras.layers.Dense(10)]
    middle = keras.layers.BatchNormalization(synchronized=synchronized)
    return keras.Sequential([keras.Input((28, 28, 1)), *before, middle, *after])


gaps = {"no batch normalization": [off(train(n, plain), alone) for n in (2, 4)]}
for name, kind in (("per device", False), ("synchronized", True)):
    one = train(1, lambda: normalized(kind))
    gaps[name] = [off(train(n, lambda: normalized(kind)), one) for n in (2, 4)]
claim("batch normalization per device, 4 devices: weights off", gaps["per device"][1], at_least=BNOFF)
claim("batch normalization synchronized, 4 devices: weights off", gaps["synchronized"][1], rounding="float32")
# %% tags=["hide-input"] alt="Differences between the weights of several devices and of one, on a logarithmic scale, for 2 and 4 devices. Without batch normalization and with synchronized batch normalization they lie near one ten-millionth; with batch normalization per device they lie several powers of ten higher."
axis = plt.figure(figsize=(6.4, 2.8)).gca()
for row, (name, pair) in enumerate(gaps.items()):
    axis.semilogx(np.maximum(pair, 1e-9), [row, row], "o", color="C1" if name == "per device" else "C0")
    axis.annotate(name, (2e-9, row + 0.16))
axis.axvline(1e-5, color="0.7", zorder=0)
axis.annotate("rounding", (1e-5, 2.45), ha="right", color="0.4")
axis.set(yticks=[], ylim=(-0.5, 2.8), xlim=(1e-9, 1), xlabel="difference of the weights, 2 and 4 devices")
axis.set_title("Only batch normalization per device tells devices apart")
plt.show()
# %% [markdown]
# `BatchNormalization(synchronized=True)` computes the statistics over all devices, at the price of two more small all-reduces a layer in each direction. **Dropout** differs, too, but in another way: every device draws its own mask, so the numbers are others and their distribution is the same. If a run must be repeatable, the mask has to follow from the seed, the step and the device; [the book's ImageNet command](https://github.com/imagenet-moment/book/blob/main/src/helpers/imagenet/steps.py) does that.
#
# ## 3. What has to be sent?
#
# Every worker has a row of numbers, its gradient, and every worker needs the sum of all rows. That is an **all-reduce**. The obvious way is to send everything to one worker, which adds up and sends the sum back to all; but then everything goes through that one's wire.
#
# The **ring** shares the load. Each row is cut into as many parts as there are workers. In the first time around, each worker hands one part to its right neighbor, who adds its own and hands it on; after $V - 1$ rounds, each of the $V$ workers holds the complete sum of one part. In the second time around the complete parts are handed on, and overwrite.
#
# **Predict.** AlexNet has 61 million parameters, 244 MB in float32. How much must each worker send for one step, with 2 workers, with 8, and with 1,000?
#
# <details><summary>Answer</summary>
#
# In each round a worker sends one part, $1/V$ of the row, and there are $2(V - 1)$ rounds: together $2(V-1)/V$ times the row. That is 244 MB with 2 workers, 427 MB with 8 and 488 MB with 1,000. The amount hardly grows with the number of workers; that is the reason for the ring. What does grow is the number of rounds, and each has its delay.
#
# </details>
#
# **Your turn.** The first time around is written; write the second.
# %%
def ring_all_reduce(vectors):
    """The sum of all rows, at every worker, and how many numbers each worker has sent for it.

    vectors   (workers, n): one row a worker; n is a multiple of the number of workers
    """
    count, n = vectors.shape
    held, sent = vectors.reshape(count, count, n // count).copy(), 0  # worker, part, number
    for lap in range(count - 1):
        going = [held[u, (u - lap) % count].copy() for u in range(count)]
        for u in range(count):
            held[(u + 1) % count, (u - lap) % count] += going[u]
        sent += n // count
    ...


ring_all_reduce = check.ring_all_reduce(ring_all_reduce)
# %%
rng = session.rng(3)
rows = rng.normal(size=(8, 8_000))
sums, sent = ring_all_reduce(rows)
claim("ring of 8: sums at every worker against NumPy's", off(sums, [rows.sum(axis=0)] * 8), rounding="float64")
ALEXNET = 60_965_224
for count in (2, 8, 1000):
    print(f"AlexNet, {count:4} workers: {4e-6 * ALEXNET * 2 * (count - 1) / count:.0f} MB each sends a step")
print("sent by each of the 8:", sent, "of", rows.shape[1])
# %% tags=["hide-input"] alt="Seven small tables of four workers by four parts, one for each round of the ring. A number says how many workers' gradients are in it. It begins with ones, grows to one 4 in each row after three rounds, and the fours spread over the whole table in the next three."
V, panels = 4, []
held = np.ones((V, V), int)
for lap in range(2 * V - 1):
    panels.append(held.copy())
    for u in range(V):
        part = (u - lap) % V
        held[(u + 1) % V, part] = panels[-1][u, part] + (1 if lap < V - 1 else 0)
figure, axes = plt.subplots(2, 4, figsize=(7.2, 4.0))
for lap, (axis, table) in enumerate(zip(axes.flat, panels, strict=False)):
    axis.imshow(table, cmap="Blues", vmin=0, vmax=6)
    for (u, part), number in np.ndenumerate(table):
        axis.text(part, u, number, ha="center", va="center")
    axis.set(xticks=[], yticks=[], title="start" if lap == 0 else f"round {lap}")
axes[0, 0].set(ylabel="worker"), axes[1, 0].set(ylabel="worker", xlabel="part")
axes[1, 3].axis("off")
figure.suptitle("Three rounds complete one part at each worker, three more share them")
plt.show()
# %% [markdown]
# ## 4. When are two slower than one?
#
# Now in earnest, with two processes that know each other by address, as two machines would: `MultiWorkerMirroredStrategy`. Each gets one thread and half of each batch of 64. (Keras 3's `fit` does not run under this strategy, [an open bug](https://github.com/keras-team/keras/issues/20585) since 2024. A step of our own does, the very one of section 1.)
# %%
in_pairs, seconds = workers.run(2, "conv", STEPS)
by_one, _ = workers.train(tf.distribute.get_strategy(), "conv", STEPS)
claim("two processes: weights after 5 steps against one process", off(in_pairs, by_one), rounding="float32")
report("two processes, conv: a step", 1e3 * float(np.median(seconds[2:])), unit="ms")
# %% [markdown]
# Two networks are timed with 1, 2 and 4 such workers, on a machine with two cores:
#
# - **conv**: two convolutions and a linear layer, 50,000 parameters, each used at many places of the image;
# - **dense**: three dense layers, 5.8 million parameters, each used once an image.
#
# **Predict.** Which of the two gains from a second worker? Does either gain from the third and fourth?
#
# <details><summary>Answer</summary>
#
# The first sends 0.2 MB a step and computes most of the time, so two workers are faster than one. The second sends 23 MB for a batch of 64 and is slower with two than with one. Neither can gain from four workers on two cores: they compute no faster than two, and have more to say to each other. The table says by how much.
#
# </details>
#
# A model with two parameters should know this. Of the time that one worker needs, $\tau_1$, each of $V$ workers needs a share, as long as each has a core of its own; and sending the whole gradient once takes $\tau_2$:
#
# $$\tau(V) = \frac{\tau_1}{\min(V, \text{cores})} + \tau_2 \, \frac{2 (V - 1)}{V}$$
#
# One worker's time gives $\tau_1$, two workers' time then gives $\tau_2$. What four need is a prediction.
# %%
rows = scaling.table("speed")
cores = int(rows[0]["y"])
took = {(r["what"], int(r["x"])): [] for r in rows}
for r in rows:
    took[r["what"], int(r["x"])].append(r["value"])
took = {key: float(np.median(values)) for key, values in took.items()}
print(f"images a second on {cores} cores")
for name in workers.NETWORKS:
    model = speed.fit(took[name, 1], took[name, 2], cores)
    rates = [workers.BATCH / took[name, count] for count in (1, 2, 4)]
    print(f"{name:6}", *(f"{rate:7.0f}" for rate in rates), f"  predicted for 4: {workers.BATCH / model.seconds(4):.0f}")
    claim(f"{name}: predicted seconds of 4 workers over measured, off by", abs(model.seconds(4) / took[name, 4] - 1), at_most=PREDICTED)
claim("conv: speed of 2 workers over that of 1", took["conv", 1] / took["conv", 2], at_least=CONVTWO)
claim("dense: speed of 2 workers over that of 1", took["dense", 1] / took["dense", 2], at_most=DENSETWO)
# %% tags=["hide-input"] alt="Images a second over one, two and four workers for two networks, measured as dots and by the model as lines, each divided by what one worker does. The convolutional network rises toward two and stays there; the dense one falls below one."
axis = plt.figure(figsize=(6.4, 3.4)).gca()
grid = np.linspace(1, 4, 61)
for name, color in (("conv", "C0"), ("dense", "C1")):
    model = speed.fit(took[name, 1], took[name, 2], cores)
    axis.plot(grid, [took[name, 1] / model.seconds(v) for v in grid], color=color)
    axis.plot([1, 2, 4], [took[name, 1] / took[name, v] for v in (1, 2, 4)], "o", color=color)
    axis.annotate(name, (3.5, took[name, 1] / model.seconds(3.5) + 0.08), color=color)
axis.plot([1, 2], [1, 2], color="0.7", ls=":")
axis.set(xticks=[1, 2, 4], xlabel="workers (the machine has two cores)", ylabel="speed, one worker = 1", ylim=(0, 2.3))
axis.set_title("Where weights are used once, a second worker costs time")
plt.show()
# %% [markdown]
# ## 5. Do the images come fast enough?
#
# Ten workers that wait for images are ten times the waste. ImageNet's 1.3 million JPEGs do not lie in 1.3 million files, because opening a file takes longer than reading a small one: they lie in **shards**, some hundred files with thousands of images each, which are read several at a time, their images **interleaved**. We make a small set of that kind: 10 classes, 10 shards, and, as so often, the shards sorted by class.
# %%
folder = Path(tempfile.mkdtemp())


def encoded(image):
    file = io.BytesIO()
    Image.fromarray(image).resize((224, 224)).save(file, "JPEG")
    return file.getvalue()


order = np.argsort(labels[:600], kind="stable")
shards = [str(folder / f"{k}.tfrecord") for k in range(10)]
for path, rows in zip(shards, np.array_split(order, 10), strict=True):
    with tf.io.TFRecordWriter(path) as file:
        for row in rows:
            file.write(bytes([labels[row]]) + encoded(data.train_images[row]))
# %% [markdown]
# **Predict.** The shards are read one after the other, and a buffer of 100 images is shuffled. How many of the 10 classes are in a batch of 32? And if instead 10 shards are read in turns?
#
# <details><summary>Answer</summary>
#
# Read one after the other, a buffer of 100 holds two or three classes, and so does a batch: the network sees nothing but trousers and pullovers for a while. In turns, a batch has nearly all ten. The shuffle buffer mixes only what is near; mixing what is far is the interleave's task, or should have been done when the shards were written.
#
# </details>
# %%
def mixed(cycle):
    """The records, ``cycle`` shards at a time, through a shuffle buffer of 100."""
    files = tf.data.Dataset.from_tensor_slices(shards)
    records = files.interleave(tf.data.TFRecordDataset, cycle_length=cycle)
    return records.shuffle(100, seed=session.seed())


classes = {}
for cycle in (1, 10):
    first = [tf.strings.substr(batch, 0, 1).numpy() for batch in mixed(cycle).batch(32)]
    classes[cycle] = np.mean([len(set(labels_)) for labels_ in first[:-1]])
claim("sorted shards, one at a time: classes in a batch of 32", classes[1], at_most=ONESHARD)
claim("sorted shards, ten at a time: classes in a batch of 32", classes[10], at_least=TENSHARDS)
# %%
def decode(record):
    return tf.io.decode_jpeg(tf.strings.substr(record, 1, -1), channels=1)


def rate(dataset):
    """Images a second of the second pass (the first fills a cache)."""
    for _ in dataset:
        pass
    begun = time.perf_counter()
    count = sum(len(batch) for batch in dataset)
    return count / (time.perf_counter() - begun)


records = tf.data.TFRecordDataset(shards)
decoded = records.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
stages = {"read": records, "read, decode": decoded, "decode once, cache": decoded.cache()}
slow = decoded.map(lambda image: tf.py_function(lambda x: time.sleep(0.002) or x, [image], tf.uint8))
stages["with a slow line of Python"] = slow
rates = {name: rate(stage.batch(32)) for name, stage in stages.items()}
for name, value in rates.items():
    report(f"input, {name}", value, unit="images a second")
# %% [markdown]
# Each line is one stage longer than the last, so the difference is that stage's price: the way to find a bottleneck with nothing but a clock. Compare the last rate with what the network needs. An input that is faster than the network by a factor costs nothing (`prefetch` hides it); one that is slower sets the pace of the whole machine, however many devices it has. The line of Python runs one image at a time and can be hidden by no device. (`tf.profiler` draws the same as a timeline; [its guide](https://www.tensorflow.org/guide/profiler) needs TensorBoard's plugin.)
#
# ## 6. What does a larger batch cost?
#
# Sixteen workers with 64 images each make batches of 1,024, and an epoch has a sixteenth of the steps. If each step is no longer than before, the network goes a sixteenth of the way. The **linear rule** says: $k$ times the batch, $k$ times the rate, because $k$ small steps in nearly the same direction make one large one. It must fail somewhere, since no step may be longer than the valley is wide; a **warm-up** helps at the start, where the valley is narrow.
#
# We test it on the smallest network of the book, a hidden layer of 100 units on pictures shrunk to 14×14, which trains in a second: 120,000 images in every run, whatever the batch.
#
# **Predict.** Batch 64 at a rate of 0.05 is the reference. At batch 1,024 and 4,096: which is worse, the rate left as it was, or raised 16-fold and 64-fold?
#
# <details><summary>Answer</summary>
#
# The rate left as it was is much worse: there are too few steps. Raised in proportion, 1,024 comes close to the reference. At 4,096 the rule asks for a rate of 3.2, and there it breaks. The table shows by how much.
#
# </details>
# %%
runs = {}
for r in scaling.table("batch"):
    runs.setdefault((r["what"], int(r["x"])), []).append(r["value"])
reference = np.array(runs["same rate", 64])
for name in ("same rate", "linear", "linear, no warm-up", "square root"):
    cells = []
    for size in (256, 1024, 4096):
        mean, low, high = intervals.paired(np.array(runs[name, size]) - reference)
        cells.append(f"{100 * low:+6.1f} to {100 * high:+5.1f}")
    print(f"{name:20}", *cells)
at = {key: np.mean(np.array(values) - reference) for key, values in runs.items()}
claim("batch 4,096, rate unchanged: error added", at["same rate", 4096], at_least=SAME4096)
claim("batch 1,024, linear rule: error added", at["linear", 1024], margin=0.01)
claim("batch 4,096, linear rule: error added", at["linear", 4096], at_least=LINEAR4096)
# %% [markdown]
# Five seeds; the intervals are those of the difference to batch 64 in points of error, on the 10,000 test images of the full set. One row of it again, live, on the bundled images and with this run's seed:
# %%
x, y = continual.shrunk(data.train_images), labels
test, truth = continual.shrunk(data.test_images), data.test_labels.astype(int)


def error(**how):
    return small.error(small.train(x, y, seed=session.seed(), **how), test, truth)


here = {"reference": error(), "same": error(batch=4096), "linear": error(batch=1024, rate=0.8)}
claim("here: batch 4,096, rate unchanged: error added", here["same"] - here["reference"], at_least=HERE4096)
# %% [markdown]
# ## 7. Does half the precision take half the time?
#
# Numbers of 16 bits need half the memory and half the wire, and graphics processors since 2017 multiply them several times as fast. **float16** has 10 bits of fraction and cannot hold numbers below 6·10⁻⁸; **bfloat16** has float32's range and 7 bits. In **mixed precision** the weights stay in float32 and the layers compute in 16 bits.
#
# **Predict.** What share of this network's gradient becomes 0 when it is stored in float16? And is a step faster on this machine's processor?
#
# <details><summary>Answer</summary>
#
# Gradients are small numbers, and those below 6·10⁻⁸ vanish. How many depends on how the loss is divided: after a good deal of training, or with the loss divided by a large batch, many do. Multiplying the loss by 1,024 before the backward pass and dividing after it, **loss scaling**, brings them back at no cost. As to time, most processors have no 16-bit multipliers, convert back and forth, and are slower: measure before you believe.
#
# </details>
# %%
def step_of(policy):
    """The network in this precision, and a step's gradient as a function of the loss's scale."""
    keras.config.set_dtype_policy(policy)
    model = workers.network("conv")
    keras.config.set_dtype_policy("float32")

    @tf.function
    def gradient(scale):
        with tf.GradientTape() as tape:
            logits = tf.cast(model(images[:64], training=True), tf.float32)
            loss = tf.reduce_mean(cross_entropy(labels[:64], logits)) * scale
        rows = [tf.reshape(g / scale, [-1]) for g in tape.gradient(loss, model.trainable_variables)]
        return tf.concat(rows, 0)

    return gradient
# %%
exact, milliseconds, apart = None, {}, {}
for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
    gradient = step_of(policy)
    found = gradient(tf.constant(1024.0)).numpy()
    exact = found if exact is None else exact
    apart[policy] = np.linalg.norm(found - exact) / np.linalg.norm(exact)
    begun = time.perf_counter()
    for _ in range(3):
        gradient(tf.constant(1024.0)).numpy()
    report(f"{policy}: a step of 64 images", (time.perf_counter() - begun) / 3e-3, unit="ms")
claim("bfloat16: gradient off, relative", float(apart["mixed_bfloat16"]), at_most=BFOFF)
claim("float16 with the loss scaled: gradient off, relative", float(apart["mixed_float16"]), at_most=F16OFF)
small_ones = np.float16(exact / 1024)[exact != 0] == 0  # as if divided by a batch of 65,536
claim("float16, divided by a batch of 65,536: share of the gradient that vanishes", float(small_ones.mean()), at_least=VANISH)
# %% [markdown]
# ## 8. Can small runs predict a large one?
#
# Before one pays for a run with ten times the images, one would like to know what it brings. Over a wide range the error of many networks falls as a **power law** of the images,
#
# $$E(N) = A\, N^{-\gamma}$$
#
# a straight line if both axes are logarithmic. Fit it to small runs and read off the large one: a forecast, with an interval, made before anything is spent.
#
# **Your turn.** The whole function, and it needs three lines.
# %%
def power_law(sizes, errors):
    """``exponent`` and ``factor`` of error = factor · size ** −exponent, by least squares in logs."""
    ...


power_law = check.power_law(power_law)
# %% [markdown]
# Eight small runs, from 500 to 5,600 images, drawn so that each set contains the smaller ones:
# %%
drawn = session.rng(8).permutation(len(x))
sizes = np.array([500, 700, 1000, 1400, 2000, 2800, 4000, 5600])


def error_with(count):
    rows = drawn[:count]
    return small.error(small.train(x[rows], y[rows], seed=session.seed()), test, truth)


errors = np.array([error_with(count) for count in sizes])
exponent, factor = power_law(sizes, errors)
law = laws.fit(sizes, errors)
low, high = law.interval(10_000)
claim("the error's exponent in the number of images", exponent, at_least=EXPONENT)
print("the forecast for 10,000 images is made")
# %% [markdown]
# **Predict.** Twice the images: by what factor does the error fall? And how many more images would halve it?
#
# <details><summary>Answer</summary>
#
# With an exponent near 0.2, by a factor of $2^{-0.2} = 0.87$: an eighth of the error goes. To halve it takes $2^{1/0.2} = 32$ times the images. That is what a small exponent means, and why the last points are the dear ones.
#
# </details>
# %%
measured = error_with(10_000)
print(f"the forecast's interval is {100 * (high - low):.0f} points wide")
claim("10,000 images: error forecast minus error measured", float(law.at(10_000)) - measured, margin=0.01)
claim("10,000 images: the measured error lies in the interval that was forecast", low <= measured <= high, equals=True)
# %% tags=["hide-input"] alt="Error against the number of images, both logarithmic. Eight blue dots from 500 to 5,600 images lie near a falling line. The line goes on to 10,000 images, with a gray bar for the forecast's interval; the orange dot that was measured there lies inside."
axis = plt.figure(figsize=(6.4, 3.6)).gca()
grid = np.geomspace(450, 12_000, 50)
ends = np.array([law.interval(n) for n in grid])
axis.fill_between(grid, 100 * ends[:, 0], 100 * ends[:, 1], color="0.9")
axis.loglog(grid, 100 * law.at(grid), color="0.5")
axis.plot(sizes, 100 * errors, "o", color="C0")
axis.plot(10_000, 100 * measured, "o", color="C1")
axis.annotate("fitted", (500, 100 * errors[0]), (900, 100 * errors[0]), color="C0")
axis.annotate("forecast, then trained", (10_000, 100 * measured), (2_600, 100 * measured - 1), color="C1")
axis.set(xlabel="images", ylabel="error (%)", yticks=[10, 15, 20, 25], yticklabels=[10, 15, 20, 25])
axis.set_title("A line through small runs foretells the large one")
plt.show()
# %% [markdown]
# The interval knows the scatter of the runs; it does not know whether the line goes straight on. The table has five seeds, judged on 10,000 test images, and one size more: all 60,000. And it has the other axis, the width of the hidden layer at 10,000 images, where the law fails for a reason: a wider network still lacks images.
# %%
curve = {}
for r in scaling.table("images") + scaling.table("width"):
    curve.setdefault((r["stage"], int(r["x"] if r["stage"] == "images" else r["y"])), []).append(r["value"])
curve = {key: np.mean(values) for key, values in curve.items()}
small_runs = np.array([n for stage, n in curve if stage == "images" and n <= 10_000])
far = laws.fit(small_runs, [curve["images", n] for n in small_runs])
claim("60,000 images, five seeds: forecast over measured", far.at(60_000) / curve["images", 60_000], FARBOUND)
narrow = laws.fit([4, 8, 16], [curve["width", u] for u in (4, 8, 16)])
claim("width 1,024, from widths 4 to 16: forecast over measured", narrow.at(1024) / curve["width", 1024], at_most=NARROW)
# %% [markdown]
# ## 9. What if a machine dies?
#
# A thousand machines that each fail once in three years lose one a day. So a long run needs to lose little: every random choice follows from the seed and the step, a **checkpoint** is written beside the old one and then renamed, and the same command goes on from it. That is how the book's ImageNet command is built. We kill it.
# %%
def photographs(root):
    """A data set of three colors in the form that the command wants."""
    noise = session.rng(9)
    for split, count in (("train", 4), ("val", 1)):
        for k, name in enumerate(("n01440764", "n02084071", "n04037443")):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                picture = noise.integers(0, 120, (256, 256, 3))
                picture[..., k] += 120
                file = root / split / name / f"{name}_{i}.JPEG"
                Image.fromarray(picture.astype(np.uint8)).save(file)


photographs(folder / "images")
FLAGS = "--epochs 2 --batch 6 --width 0.05 --save-every 1 --rate 0.001".split()


def launch(output):
    command = [sys.executable, "-m", "helpers.imagenet", "--data", str(folder / "images")]
    environment = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
    command += ["--output", str(folder / output), *FLAGS]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
# %% [markdown]
# **Predict.** One run goes through. Another is killed without warning after its first checkpoint and started again with the same command. How far apart are the weights at the end?
#
# <details><summary>Answer</summary>
#
# Not at all: bit for bit the same, dropout, crops and order of the images included, because nothing is drawn from a generator whose state could be lost.
#
# </details>
# %%
launch("whole").communicate()
killed, saved = launch("killed"), folder / "killed" / "last.npz"
while killed.poll() is None and not saved.exists():
    time.sleep(0.01)
killed.kill()
killed.communicate()
launch("killed").communicate()
with np.load(folder / "whole" / "last.npz") as one, np.load(saved) as other:
    same = all(np.array_equal(one[name], other[name]) for name in one.files)
claim("killed and started again: every weight is that of the run that went through", bool(same), equals=True)
# %% [markdown]
# With several workers each has a supervisor, which starts it again when it was killed or has lost another. [The book's tests](https://github.com/imagenet-moment/book/blob/main/tests/test_imagenet.py) kill one of two workers in the middle of a run, and require the weights of one process at the end. [The chapter](https://imagenet-moment.github.io/book/chapters/14-scaling-out.html) has recipes for Slurm, Kubernetes and the cloud.
#
# ## Exercises
#
# **1. ★ (paper and pencil)** Two machines are joined by a wire of 1 Gbit/s, 125 MB a second. One alone needs 0.5 s for a step of AlexNet, with 244 MB of gradient. How long is a step with both? What wire would it take for a speed-up of 1.8?
#
# <details><summary>Solution</summary>
#
# Each sends 244 MB, 1.95 s, and computes for 0.25 s: 2.2 s, more than four times slower than one alone. For 1.8 the step may last 0.278 s, so 0.028 s are left for 244 MB: 8.8 GB/s, or 70 Gbit/s. Or a larger batch: it makes the computing longer and leaves the sending as it is.
# </details>
#
# **2. ★** Turn a knob: how many images must a batch have so that *dense* is as fast with two workers as with one? Use `speed`: computing grows with the batch, sending does not.
# %% tags=["hide-input", "hide-cell", "solution"] cellView="form"
# Two are as fast as one when half of the computing that is saved pays for the sending.
model = speed.fit(took["dense", 1], took["dense", 2], cores)
batch = workers.BATCH * model.send / (model.compute / 2)
claim("dense: batch at which two workers break even", float(batch), at_least=64)
# %% [markdown]
# **3. ★★** A master that gathers all rows and sends the sum back to each: how many numbers go through its wire, in and out, for $V$ workers? Measure both for 2 to 64 workers and 6,400 numbers. Where does the ring begin to win?
# %% tags=["hide-input", "hide-cell", "solution"] cellView="form"
# Through the master's wire go 2 (V − 1) rows; through each link of the ring 2 (V − 1) / V of one.
for count in (2, 8, 64):
    sent = ring_all_reduce(np.ones((count, 6400)))[1]
    print(f"{count:3} workers: ring {sent:6}, master {2 * (count - 1) * 6400:7}")
# %% [markdown]
# **4. ★★** In section 1 each device divided its loss by the whole batch. What happens to the step if it divides by its own part instead, as `reduce_mean` does? Predict the factor, then change `step` and look at the first step of four devices.
# %% tags=["hide-input", "hide-cell", "solution"] cellView="form"
# Gradients are added up, so the step is as many times too long as there are devices.
def first_move(devices, divisor):
    global BATCH, STEPS
    BATCH, STEPS = divisor, 1
    before = [v.numpy() for v in plain().trainable_variables]
    moved = [a - b for a, b in zip(train(devices, plain), before, strict=True)]
    BATCH, STEPS = 64, 5
    return np.sqrt(sum(np.sum(np.square(m)) for m in moved))


batches = tf.data.Dataset.from_tensor_slices((images, labels)).batch(64)
factor = first_move(4, 16) / first_move(1, 64)
claim("divided by its own part, 4 devices: step over the right one", float(factor), at_least=3.9)
# %% [markdown]
# **5. ★★★** A law needs runs, and runs cost. Fit section 8's law to the four smallest sizes only, and to the four largest. How wide are the two intervals for 10,000 images, and why does being near matter more than being many?
# %% tags=["hide-input", "hide-cell", "solution"] cellView="form"
# The term (log size − mean)² grows with the distance to what was measured.
widths = {}
for name, part in (("four smallest", slice(0, 4)), ("four largest", slice(4, 8)), ("all", slice(0, 8))):
    ends = laws.fit(sizes[part], errors[part]).interval(10_000)
    widths[name] = np.log(ends[1] / ends[0])
    print(f"{name}: done")
claim("interval from all eight over that from the four smallest", widths["all"] / widths["four smallest"], at_most=EIGHT)
# %% [markdown]
# ## What we measured
#
# - The gradients of the parts, weighted by their images, are the gradient of the batch; two and four devices and two processes reach the weights of one up to float32's rounding. The plain mean of uneven parts does not.
# - Batch normalization per device trains another network; synchronized, it trains the same.
# - A ring sends less than two gradients a worker, however many workers there are.
# - A network whose weights are used many times an image gains from a second worker; one that uses each once is slower with two. Two timings told what four workers would need.
# - Sorted shards read one after the other make batches of a few classes; read in turns, of nearly all.
# - The linear rule keeps the error up to a batch of 1,024 here and breaks at 4,096.
# - float16 loses small gradients; scaling the loss brings them back.
# - Eight small runs foretold the error with 10,000 images, before it was trained.
# - A run that was killed and started again ends with the same bits.
#
# Do you remember?
#
# <details><summary>Which property of the loss makes data parallelism exact, and which layer takes it away?</summary>
#
# It is a mean of terms that depend on one image each. Batch normalization makes every term depend on the other images of the batch.
# </details>
#
# <details><summary>Why is a network with few weights that are used often easier to spread than one with many that are used once?</summary>
#
# What is computed grows with the uses, what is sent grows with the weights. A convolution uses each weight at every place.
# </details>
#
# <details><summary>A forecast comes with an interval. What can the interval not know?</summary>
#
# Whether the law goes on: it measures the scatter about the line and the distance to the runs, and assumes the line.
# </details>
#
# Where next? [The chapter](https://imagenet-moment.github.io/book/chapters/14-scaling-out.html) has the derivations, what the field has reached with a thousand machines, and the recipes.
