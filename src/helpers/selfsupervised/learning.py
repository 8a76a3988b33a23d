"""An encoder of three convolutions, the tasks that it learns from without labels, and the loop.

A task is a function without arguments that makes what it needs beside the encoder:
``(objective, parts)``, where ``objective(encoder, images, seed)`` is the loss of a batch and
``parts`` are Keras models that are trained with the encoder. All tasks show the encoder the same
number of pictures in a step, two for each image of the batch, so equal steps are equal work.
"""

from collections import namedtuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from helpers.selfsupervised import losses, views

WIDTHS, MAP = (24, 48, 64), (4, 4, 64)
PROJECTION = 64  # numbers that the losses of two views see
RATE, BATCH = 2e-3, 128

# encoder: a Keras model; parts: those of the task, such as a projector; losses: (steps,) array;
# watched: what ``watch`` gave, with its step.
Learned = namedtuple("Learned", "encoder parts losses watched")


def encoder():
    """Three 3×3 convolutions with stride 2: (n, 28, 28, 1) from 0 to 1 -> maps (n, 4, 4, 64)."""
    convolutions = [
        layers.Conv2D(width, 3, strides=2, padding="same", activation="relu", name=f"conv{i + 1}")
        for i, width in enumerate(WIDTHS)
    ]
    return keras.Sequential([keras.Input((28, 28, 1)), *convolutions], name="encoder")


def projector():
    """From maps to what the loss of two views sees, which is thrown away afterwards."""
    return keras.Sequential(
        [
            keras.Input(MAP),
            layers.GlobalAveragePooling2D(),
            layers.Dense(256, activation="relu"),
            layers.Dense(PROJECTION),
        ],
        name="projector",
    )


def joint(loss, view=None):
    """A task: two views of each image, whose projections ``loss(a, b)`` compares."""
    view = view or views.view()

    def task():
        head = projector()

        def objective(net, images, seed):
            return loss(*tf.split(head(net(_two(view, images, seed), training=True)), 2))

        return objective, [head]

    return task


def byol(view=None, momentum=0.99, stop=True):
    """A task: predict the projection that a slowly following copy of the network makes of the other
    view (Grill et al., 2020). Without ``stop`` gradients reach the copy's place, too: it is the
    network itself, and nothing keeps all images from getting one answer."""
    view = view or views.view()

    def task():
        head, target = projector(), keras.Sequential([encoder(), projector()])
        predictor = keras.Sequential(
            [
                keras.Input((PROJECTION,)),
                layers.Dense(256, activation="relu"),
                layers.Dense(PROJECTION),
            ]
        )
        begun = tf.Variable(False)

        def objective(net, images, seed):
            pictures = _two(view, images, seed)
            own = head(net(pictures, training=True))
            if stop:
                keep = tf.where(begun, momentum, 0.0)
                pairs = zip(target.weights, [*net.weights, *head.weights], strict=True)
                for slow, fast in pairs:
                    slow.assign(keep * slow + (1 - keep) * fast)
                begun.assign(True)
                other = tf.stop_gradient(target(pictures))
            else:
                other = own
            first, second = tf.split(predictor(own), 2)
            one, two = tf.split(other, 2)
            return (losses.agreement(first, two) + losses.agreement(second, one)) / 2

        return objective, [head, predictor]

    return task


def rotation(view=None):
    """A task: by how many quarters was the image turned? (Gidaris et al., ICLR 2018). Half of the
    batch in all four positions, each seen through ``view``."""
    view = view or views.view()

    def task():
        head = keras.Sequential(
            [
                keras.Input(MAP),
                layers.Flatten(),
                layers.Dense(64, activation="relu"),
                layers.Dense(4),
            ]
        )

        def objective(net, images, seed):
            some = view(images[: tf.shape(images)[0] // 2], seed)
            pictures, answers = turned(some)
            logits = head(net(pictures, training=True))
            return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(answers, logits))

        return objective, [head]

    return task


def turned(images):
    """Images in all four positions, (4n, h, w, c), and by how many quarters each is turned."""
    across = tf.transpose(images, (0, 2, 1, 3))
    quarter, half = tf.reverse(across, (1,)), tf.reverse(images, (1, 2))
    pictures = tf.concat([images, quarter, half, tf.reverse(across, (2,))], 0)
    return pictures, tf.repeat(tf.range(4), tf.shape(images)[0])


def masked(share=0.5, patch=7):
    """A task: paint the squares that were hidden (as He et al., CVPR 2022, do with a transformer).
    Each of 4×4 squares is hidden with probability ``share``; the error counts there only."""

    def task():
        painter = keras.Sequential(
            [
                keras.Input(MAP),
                layers.Flatten(),
                layers.Dense(256, activation="relu"),
                layers.Dense(784),
                layers.Reshape((28, 28, 1)),
            ]
        )

        def objective(net, images, seed):
            images = tf.concat([images, images], 0)
            seen = visible(images, seed, share, patch)
            painted = painter(net(images * seen, training=True))
            error = (1 - seen) * (painted - images) ** 2
            return tf.reduce_sum(error) / tf.reduce_sum(1 - seen)

        return objective, [painter]

    return task


def visible(images, seed, share=0.5, patch=7):
    """1 where an image may be seen and 0 in the hidden squares, (n, h, w, 1)."""
    count, height, width = tf.unstack(tf.shape(images)[:3])
    grid = tf.random.stateless_uniform((count, height // patch, width // patch, 1), seed) >= share
    return tf.repeat(tf.repeat(tf.cast(grid, tf.float32), patch, axis=1), patch, axis=2)


def pretrain(task, images, *, steps, seed, rate=RATE, batch=BATCH, watch=None, every=50):
    """Train a new encoder on ``task`` with Adam, its rate falling along half a cosine to 0.

    images   (n, 28, 28) uint8 or (n, 28, 28, 1) float from 0 to 1, at least ``batch``; no labels
    watch    called as ``watch(encoder, parts)`` before the first step and after each ``every``

    Returns ``Learned``. Raises ``ValueError`` if the images are too few for a batch.
    """
    if len(images) < batch:
        raise ValueError(f"{len(images)} images are fewer than a batch of {batch}")
    keras.utils.set_random_seed(seed)
    net = encoder()
    objective, parts = task()
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = keras.optimizers.Adam(schedule)
    variables = [v for model in (net, *parts) for v in model.trainable_variables]
    optimizer.build(variables)
    pixels = as_input(images)

    @tf.function
    def update(index, number):
        with tf.GradientTape() as tape:
            loss = objective(net, tf.gather(pixels, index), tf.stack([seed + 1, number]))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    found, watched = [], []
    for step, index in enumerate(_order(len(pixels), steps, batch, seed)):
        if watch and step % every == 0:
            watched.append((step, watch(net, parts)))
        found.append(update(tf.constant(index), tf.constant(step)))
    if watch:
        watched.append((steps, watch(net, parts)))
    return Learned(net, parts, np.array([float(loss) for loss in found]), watched)


def as_input(images):
    """Images as the encoder takes them: a tensor (n, 28, 28, 1), float32 from 0 to 1."""
    images = np.asarray(images)
    images = images[..., None] if images.ndim == 3 else images
    scale = 255 if images.dtype == np.uint8 else 1
    return tf.constant(images / np.float32(scale), tf.float32)


def _two(view, images, seed):
    seed = tf.convert_to_tensor(seed, tf.int32)
    return tf.concat([view(images, seed), view(images, seed + tf.constant([500009, 0]))], 0)


def _order(count, steps, batch, seed):
    """Batches of indices: every image once, in a new order each time round."""
    rng = np.random.default_rng([3, seed])
    rounds = -(-steps * batch // (count - count % batch))
    order = [rng.permutation(count)[: count - count % batch] for _ in range(rounds)]
    return np.concatenate(order).astype(np.int32)[: steps * batch].reshape(steps, batch)


# The rival: the same network, with labels


def classifier():
    """The encoder with a head of ten on all cells of its last map."""
    return keras.Sequential(
        [keras.Input((28, 28, 1)), *encoder().layers, layers.Flatten(), layers.Dense(10)]
    )


def supervise(net, optimizer, images, labels, view, seed, *, look, every, most, patience):
    """Train with labels until ``look()`` has not risen for ``patience`` looks, ``every`` steps one,
    and at most ``most`` steps; the weights of the best look are kept. Returns its step."""
    pixels, answers = as_input(images), tf.constant(labels, tf.int32)
    optimizer.build(net.trainable_variables)

    @tf.function
    def update(index, number):
        x = view(tf.gather(pixels, index), tf.stack([seed + 1, number]))
        with tf.GradientTape() as tape:
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(
                tf.gather(answers, index), net(x, training=True)
            )
            loss = tf.reduce_mean(each)
        optimizer.apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)

    rng, best, at, kept, step = np.random.default_rng([4, seed]), -1.0, 0, None, 0
    while step < most and step - at < patience * every:
        for _ in range(every):
            index = rng.integers(0, len(labels), 64).astype(np.int32)
            update(tf.constant(index), tf.constant(step))
            step += 1
        if (score := look()) > best:
            best, at, kept = score, step, net.get_weights()
    net.set_weights(kept)
    return at
