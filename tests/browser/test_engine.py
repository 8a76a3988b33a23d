"""The network in the page computes what Keras computes: weights, logits, gradients, attacks.

Run in a real browser, for it is JavaScript's arithmetic that is compared.
"""

import base64

import numpy as np
import pytest

from helpers import compression, datasets, page

CALLS = """
var { packedFile, layers, engine, worker } = ImageNetMoment;
var bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
var floats = (text) => new Float32Array(bytes(text).buffer);
var text = (array) => {
  const all = new Uint8Array(new Float32Array(array).buffer);
  let found = "";
  for (let i = 0; i < all.length; i += 8192) {
    found += String.fromCharCode(...all.subarray(i, i + 8192));
  }
  return btoa(found);
};
var cut = (all, size) => Array.from({ length: all.length / size },
  (_, i) => all.slice(i * size, (i + 1) * size));
"""


def packed(array):
    return base64.b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()


def unpacked(text, *shape):
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)


class Page:
    """A blank page with the engine's scripts, and a few of their calls from Python."""

    def __init__(self, tab):
        self.tab = tab
        for name in page.ENGINE:
            tab.add_script_tag(path=page.HERE / name)
        tab.add_script_tag(content=CALLS)

    def load(self, data):
        """Unpack a file there; the names and shapes of its layers, or the error."""
        return self.tab.evaluate(
            """async (data) => {
              try {
                window.file = await packedFile().unpack(bytes(data));
                window.network = new (engine(layers()).Network)(file);
                return network.layers.map(({ name, shape }) => [name, shape]);
              } catch (error) { return error.constructor.name + ": " + error.message; }
            }""",
            base64.b64encode(data).decode(),
        )

    def each(self, method, images, *per_image, given=()):
        """network.method(image, label..., given...) of each image, one below the other."""
        text = self.tab.evaluate(
            """([method, images, count, lists, given]) => text(cut(floats(images), count).flatMap(
                 (x, i) => [...network[method](x, ...lists.map((l) => l[i]), ...given)]))""",
            [method, packed(images), images[0].size, [list(map(int, p)) for p in per_image],
             list(given)],
        )  # fmt: skip
        return unpacked(text, len(images), -1)


@pytest.fixture(scope="module")
def blank(browser):
    tab = browser.new_page()
    yield Page(tab)
    tab.close()


@pytest.fixture(scope="module")
def file():
    return datasets.asset_path("alexnet28_fashion_mnist.axpk").read_bytes()


@pytest.fixture(scope="module")
def model(file):
    return compression.unpack(file)


@pytest.fixture(scope="module")
def test_images():
    data = datasets.fashion_mnist("quick")
    return data.test_images[:200, ..., None] / np.float32(255), data.test_labels[:200]


@pytest.fixture
def network(blank, file):
    assert isinstance(blank.load(file), list)
    return blank


def keras_gradients(model, images, labels):
    import keras
    import tensorflow as tf

    x = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = model(x, training=False)
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        loss = tf.reduce_sum(losses)
    return tape.gradient(loss, x).numpy()


def test_weights_are_those_of_unpack_bit_for_bit(network, model):
    texts = network.tab.evaluate("file.arrays.map(({ shape, values }) => [shape, text(values)])")
    assert len(texts) == len(model.weights)
    for (shape, text), weight in zip(texts, model.weights, strict=True):
        assert tuple(shape) == tuple(weight.shape)
        assert base64.b64decode(text) == weight.numpy().astype("<f4").tobytes(), weight.path


def test_logits_are_those_of_keras(network, model, test_images):
    images, _ = test_images
    theirs = model.predict(images, verbose=0)
    assert np.abs(network.each("forward", images) - theirs).max() < 1e-4


def test_gradients_are_those_of_keras_where_there_are_no_ties(network, model, test_images):
    images, labels = test_images[0][:50], test_images[1][:50]
    noise = np.random.default_rng(0).random(images.shape, np.float32)
    images = np.float32(0.9) * images + np.float32(0.1) * noise  # no two windows are equal now
    theirs = keras_gradients(model, images, labels).reshape(50, -1)
    ours = network.each("lossGradient", images, labels)
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_gradients_at_ties_go_to_the_first_as_in_the_book(network, model, test_images):
    """Flat parts of a photograph tie in the pools; there our own NumPy layers are the reference."""
    images, labels = test_images[0][:20], test_images[1][:20]
    ours = network.each("lossGradient", images, labels)
    theirs = numpy_gradients(model, images, labels)
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def numpy_gradients(model, images, labels):
    from helpers import layers as L

    x, back = images, []
    for layer in model.layers[1:]:
        kind, config = type(layer).__name__, layer.get_config()
        w = layer.get_weights()
        if kind in ("Conv2D", "GroupedConv2D"):
            x, cache = L.conv2d(x, *w, padding=config["padding"], groups=config["groups"])
            back.append((lambda d, c: L.conv2d_backward(d, c)[0], cache))
        elif kind == "LocalResponseNormalization":
            x, cache = L.lrn(x)
            back.append((L.lrn_backward, cache))
        elif kind == "MaxPooling2D":
            x, cache = L.max_pool(x)
            back.append((L.max_pool_backward, cache))
        elif kind == "Flatten":
            x, cache = L.flatten(x)
            back.append((L.flatten_backward, cache))
        elif kind == "Dense":
            x, cache = L.dense(x, *w)
            back.append((lambda d, c: L.dense_backward(d, c)[0], cache))
        if config.get("activation") == "relu":
            x, cache = L.relu(x)
            back.append((L.relu_backward, cache))
    d = L.softmax_cross_entropy(x, labels)[1] * np.float32(len(x))
    for backward, cache in reversed(back):
        d = backward(d, cache)
    return d.reshape(len(images), -1)


def keras_attack(model, images, labels, epsilon, steps):
    x = images.copy()
    for _ in range(steps):
        moved = x + np.float32(2.5 * epsilon / steps) * np.sign(keras_gradients(model, x, labels))
        x = np.clip(np.clip(moved, images - epsilon, images + epsilon), 0, 1).astype("float32")
    return x


@pytest.mark.parametrize("epsilon", [2, 8, 16])
def test_attack_is_as_strong_as_with_keras(network, model, test_images, epsilon):
    """PGD with ten steps on 100 images: as many are still named rightly, here and there."""
    images, labels = test_images[0][:100], test_images[1][:100]
    box = np.float32(epsilon / 255)
    theirs = keras_attack(model, images, labels, box, 10)
    ours = network.each("attack", images, labels, given=(float(box), 10)).reshape(images.shape)
    assert np.abs(ours - images).max() <= box + 1e-6
    assert ours.min() >= 0
    assert ours.max() <= 1
    right = [np.sum(model.predict(x, verbose=0).argmax(1) == labels) for x in (ours, theirs)]
    print(f"epsilon {epsilon}/255: {right[0]} and {right[1]} of 100 right")
    assert right[0] == right[1]
    before = np.sum(model.predict(images, verbose=0).argmax(1) == labels)
    assert right[0] < before  # the attack does something


def test_saliency_is_the_slope_of_a_logit(network, test_images):
    images, labels = test_images[0][:3], test_images[1][:3]
    noise = np.random.default_rng(1).random(images.shape, np.float32)
    images = np.float32(0.5) * images + np.float32(0.5) * noise
    maps = network.each("saliency", images, labels)
    step = np.float32(1e-2)
    for image, label, found in zip(images, labels, maps, strict=True):
        pixel = int(found.argmax())
        pair = np.stack([image, image])
        pair.reshape(2, -1)[:, pixel] += step * np.float32([1, -1])
        up, down = network.each("forward", pair)[:, label]
        assert abs(abs(up - down) / (2 * step) - found[pixel]) < 0.1 * found[pixel]


def test_occlusion_is_the_fall_of_a_logit(network, model, test_images):
    image, label = test_images[0][:1], test_images[1][:1]
    found = network.each("occlusion", image, label, given=(28, 28)).reshape(28, 28)
    logits = model.predict(np.concatenate([image, 0 * image]), verbose=0)[:, label[0]]
    assert found == pytest.approx(logits[0] - logits[1], abs=1e-4)  # one square hides everything
    small = network.each("occlusion", image, label)
    assert np.isfinite(small).all()
    assert small.std() > 0


def test_the_worker_gives_the_same(network, test_images):
    images, labels = test_images[0][:2], test_images[1][:2]
    here = network.each("attack", images, labels, given=(8 / 255, 10))
    there = network.tab.evaluate(
        """async ([images, labels]) => {
          const run = worker(file);
          const all = await Promise.all(cut(floats(images), 784)
            .map((x, i) => run("attack", x, labels[i], 8 / 255, 10)));
          return text(all.flatMap((x) => [...x]));
        }""",
        [packed(images), labels.tolist()],
    )
    assert np.array_equal(here, unpacked(there, 2, -1))


def test_one_changed_weight_is_noticed(network, model, test_images):
    """The comparison above can fail: it does, when one weight of the engine is another."""
    images, _ = test_images
    network.tab.evaluate("file.arrays[2].values[file.arrays[2].values.findIndex((w) => w)] += 0.1")
    theirs = model.predict(images, verbose=0)
    assert np.abs(network.each("forward", images) - theirs).max() > 1e-4


@pytest.mark.parametrize("place", [0, 4, 6, 15, 30, 2000, 40000, 70000, -1])
def test_an_altered_file_is_refused(blank, file, place):
    altered = bytearray(file)
    altered[place] ^= 4
    assert blank.load(bytes(altered)).startswith("PackedFileError"), place


@pytest.mark.parametrize("size", [0, 16, 500, 1400, 71000])
def test_a_truncated_file_is_refused(blank, file, size):
    assert blank.load(file[:size]).startswith("PackedFileError")


def other_networks():
    import keras

    def sequential(shape, *layers):
        return keras.Sequential([keras.Input(shape), *layers])

    K = keras.layers
    return {
        "strides": sequential(
            (31, 30, 3), K.Conv2D(8, (5, 3), 2, "same", activation="relu"),
            K.MaxPooling2D(3, 2, "same"), K.BatchNormalization(), K.ReLU(),
            K.Conv2D(6, 3, dilation_rate=2, activation="tanh"), K.GlobalAveragePooling2D(),
            K.Dense(7, activation="sigmoid"), K.Dense(4, activation="softmax"),
        ),
        "plain": sequential(
            (12, 12, 1), K.Conv2D(4, 3, use_bias=False), K.BatchNormalization(),
            K.Activation("relu6"), K.MaxPooling2D(), K.Flatten(), K.Dropout(0.5), K.Dense(5),
            K.Softmax(),
        ),
        "groups": sequential(
            (9, 9, 4), K.Conv2D(6, 3, groups=2, padding="same", activation="relu"), K.Flatten(),
            K.Dense(3, use_bias=False),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["strides", "plain", "groups"])
def test_other_networks_run_too(blank, name):
    import keras

    keras.utils.set_random_seed(1)
    model = other_networks()[name]
    for weight in model.weights:  # a batch normalization that does something
        weight.assign(np.abs(weight) + 0.3 if "variance" in weight.path else weight + 0.1)
    assert isinstance(blank.load(compression.pack(model)), list)
    images = np.random.default_rng(2).random((4, *model.input_shape[1:]), np.float32)
    labels = np.arange(4) % 3
    softmax = name in ("strides", "plain")
    theirs = model.predict(images, verbose=0)
    ours = blank.each("forward", images)
    if softmax:  # the engine stops at the logits
        ours = np.exp(ours) / np.exp(ours).sum(1, keepdims=True)
    assert np.abs(ours - theirs).max() < 1e-6 * max(1, np.abs(theirs).max())
    if not softmax:
        gradients = keras_gradients(model, images, labels).reshape(4, -1)
        found = blank.each("lossGradient", images, labels)
        assert np.abs(found - gradients).max() < 1e-4 * np.abs(gradients).max()


def test_what_it_does_not_know_is_refused(blank):
    import keras

    def answer(shape, *layers):
        return blank.load(compression.pack(keras.Sequential([keras.Input(shape), *layers])))

    K = keras.layers
    found = answer((8, 8, 1), K.AveragePooling2D(2, name="mean"), K.Flatten(), K.Dense(2))
    assert found.startswith("UnknownLayerError")
    assert "mean" in found
    assert "AveragePooling2D" in found
    found = answer((8, 8, 1), K.Flatten(), K.Dense(2, activation="gelu"))
    assert found.startswith("UnknownLayerError")
    assert "gelu" in found
    assert answer((8, 8, 1), K.Flatten(), K.ReLU(max_value=3.0), K.Dense(2)).startswith("UnknownL")
    inputs = keras.Input((8, 8, 1))
    x = K.Flatten()(inputs)
    branched = keras.Model(inputs, K.Add()([K.Dense(3)(x), K.Dense(3)(x)]))
    assert blank.load(compression.pack(branched)).startswith("UnknownLayerError")
