"""AlexNet against the figures of the paper, and each of its parts against an independent one."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import alexnet, datasets

# Output shape, parameters, multiply-adds. Shapes: figure 2 and sections 3.2 to 3.5 of the paper;
# the counts follow from them by hand: 11·11·3·96 + 96 = 34,944, and so on.
PAPER = {
    "conv1": ((55, 55, 96), 34_944, 105_415_200),
    "pool1": ((27, 27, 96), 0, 0),
    "conv2": ((27, 27, 256), 307_456, 223_948_800),
    "pool2": ((13, 13, 256), 0, 0),
    "conv3": ((13, 13, 384), 885_120, 149_520_384),
    "conv4": ((13, 13, 384), 663_936, 112_140_288),
    "conv5": ((13, 13, 256), 442_624, 74_760_192),
    "pool5": ((6, 6, 256), 0, 0),
    "flatten": ((9216,), 0, 0),
    "fc6": ((4096,), 37_752_832, 37_748_736),
    "fc7": ((4096,), 16_781_312, 16_777_216),
    "fc8": ((1000,), 4_097_000, 4_096_000),
}


@pytest.fixture(scope="module")
def full():
    return alexnet.alexnet()


def test_layer_table_equals_the_papers(full):
    rows = {row.name: row for row in alexnet.layer_table(full)}
    for name, (shape, parameters, multiply_adds) in PAPER.items():
        assert rows[name][:4] == (name, shape, parameters, multiply_adds)
        assert rows[name].activation_bytes == 4 * np.prod(shape)
    others = {"lrn1", "lrn2", "dropout6", "dropout7"}
    assert list(rows)[:4] == ["conv1", "lrn1", "pool1", "conv2"]
    assert set(rows) == {*PAPER, *others}
    assert sum(row.parameters for row in rows.values()) == full.count_params() == 60_965_224
    assert sum(row.multiply_adds for row in rows.values()) == 724_406_816


def test_without_groups(full):
    assert alexnet.alexnet(groups=1).count_params() == 62_378_344


def test_the_papers_start(full):
    for layer in full.layers:
        if hasattr(layer, "kernel"):
            one = layer.name in ("conv2", "conv4", "conv5", "fc6", "fc7")
            assert (layer.bias.numpy() == one).all()
            kernel = layer.kernel.numpy()
            assert kernel.std() == pytest.approx(0.01, rel=0.02) and abs(kernel.mean()) < 2e-4
    assert full.layers[-1].activation is keras.activations.linear
    assert full.get_layer("conv4").activation is keras.activations.relu
    assert full.get_layer("dropout6").rate == 0.5


@pytest.mark.parametrize("training", [False, True])
def test_lrn_is_the_papers_sum(training):
    a = np.random.default_rng(0).normal(size=(2, 3, 4, 9)).astype("float32") * 30
    layer = alexnet.LocalResponseNormalization()
    b = layer(a, training=training).numpy()
    for c in range(9):
        sums = (a[..., max(0, c - 2) : c + 3].astype(float) ** 2).sum(-1)
        assert np.allclose(b[..., c], a[..., c] / (2 + 1e-4 * sums) ** 0.75, rtol=1e-5)


def test_lrn_has_one_gradient_in_both_forms_and_respects_half_precision():
    a = tf.constant(np.random.default_rng(0).normal(size=(2, 3, 4, 9)).astype("float32") * 30)
    layer = alexnet.LocalResponseNormalization()
    gradients = []
    for training in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = tf.reduce_sum(tf.sin(layer(a, training=training)))
        gradients.append(tape.gradient(y, a).numpy())
    assert np.allclose(*gradients, atol=1e-5)
    half = alexnet.LocalResponseNormalization(dtype="float16")
    assert half(tf.cast(a, tf.float16), training=True).dtype == tf.float16
    other = alexnet.LocalResponseNormalization(n=3, beta=0.5)
    expected = tf.nn.local_response_normalization(a, 1, 2.0, 1e-4, 0.5)
    assert np.allclose(other(a, training=True), expected, rtol=1e-6)
    for n in (0, 4):
        with pytest.raises(ValueError, match="odd width"):
            alexnet.LocalResponseNormalization(n=n)


@pytest.mark.parametrize("more", [{"strides": 2}, {"dilation_rate": 2}, {"use_bias": False}])
def test_grouped_convolution_equals_kerass_in_value_and_gradient(more):
    x = tf.random.stateless_normal((2, 9, 9, 6), (1, 2))
    options = {"filters": 8, "kernel_size": 3, "padding": "same", "groups": 2, **more}
    ours = alexnet.GroupedConv2D(**options, activation="relu")
    theirs = keras.layers.Conv2D(**options, activation="relu")
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights([ours.kernel.numpy(), np.linspace(-1, 1, 8)][: len(theirs.weights)])
    ours.set_weights(theirs.get_weights())
    results = []
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y**2)
        results.append([y, *tape.gradient(loss, [x, *layer.trainable_variables])])
    for a, b in zip(*results, strict=True):
        assert np.allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("build", [alexnet.alexnet28, lambda: alexnet.alexnet(width=0.1)])
def test_saves_and_loads_without_custom_objects(build, tmp_path):
    model = build()
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype("float32")
    before = model(x).numpy()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert np.array_equal(again(x).numpy(), before)
    assert isinstance(again.get_layer("conv2"), alexnet.GroupedConv2D)
    assert isinstance(again.get_layer("lrn1"), alexnet.LocalResponseNormalization)


def test_alexnet28_has_the_same_layers_and_most_parameters_in_the_dense_ones(full):
    small = alexnet.alexnet28()
    assert [layer.name for layer in small.layers] == [layer.name for layer in full.layers]
    rows = alexnet.layer_table(small)
    dense = sum(row.parameters for row in rows if row.name.startswith("fc"))
    assert small.count_params() == sum(row.parameters for row in rows) == 940_482
    assert dense / small.count_params() > 0.8
    quarter = [layer.filters * 4 for layer in small.layers if layer.name.startswith("conv")]
    assert quarter == [96, 256, 384, 384, 256]


def test_options_switch_single_ingredients():
    base = alexnet.alexnet28()
    assert alexnet.alexnet28(overlap=False).count_params() == base.count_params()
    assert alexnet.alexnet28(overlap=False).get_layer("pool1").pool_size == (2, 2)
    names = [layer.name for layer in alexnet.alexnet28(lrn=False, dropout=0).layers]
    assert not {"lrn1", "lrn2", "dropout6", "dropout7"} & set(names)
    assert (
        alexnet.alexnet28(activation="tanh").get_layer("fc7").activation is keras.activations.tanh
    )
    assert alexnet.alexnet28(classes=3, width=0.5).output_shape == (None, 3)
    assert alexnet.alexnet28(groups=1).get_layer("conv2").kernel.shape == (5, 5, 24, 64)
    shapes = [
        [
            row.output[:-1]
            for row in alexnet.layer_table(alexnet.alexnet(width=0.05, overlap=overlap))
        ]
        for overlap in (True, False)
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    "options", [{"classes": 1}, {"width": 0}, {"groups": 3}, {"dropout": 1}, {"dropout": -0.1}]
)
def test_options_that_make_no_sense(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        alexnet.alexnet28(**options)


def test_the_bundled_weights_recognize_clothes():
    data = datasets.fashion_mnist("quick")
    model = alexnet.alexnet28(weights="fashion_mnist")
    images = data.train_images[9_000:, ..., None].astype("float32") / 255
    logits = np.concatenate([model(images[i : i + 250]).numpy() for i in range(0, 1_000, 250)])
    assert (logits.argmax(1) == data.train_labels[9_000:]).mean() >= 0.88


def test_weights_that_are_unknown_or_do_not_fit():
    with pytest.raises(ValueError, match=r"weights='imagenet'; use None or one of .*fashion_mnist"):
        alexnet.alexnet28(weights="imagenet")
    with pytest.raises(ValueError, match="leave classes, width and groups as they are"):
        alexnet.alexnet28(classes=7, weights="fashion_mnist")


def sequential(*layers):
    return keras.Sequential([keras.Input((8, 8, 3)), *layers])


def test_layer_table_has_every_layer_of_a_sequential_and_of_networks_within():
    conv = keras.layers.Conv2D(8, 3, name="conv")
    base = sequential(conv, keras.layers.MaxPooling2D(name="pool"))
    base.name = "base"
    model = sequential(base, keras.layers.Flatten(name="flat"), keras.layers.Dense(2, name="fc"))
    rows = alexnet.layer_table(model)
    assert [row.name for row in rows] == ["base/conv", "base/pool", "flat", "fc"]
    assert sum(row.parameters for row in rows) == model.count_params()
    assert rows[0].multiply_adds == 6 * 6 * 3 * 3 * 3 * 8
    assert [row.name for row in alexnet.layer_table(base)] == ["conv", "pool"]


@pytest.mark.parametrize(
    ("layer", "adds"),
    [
        (keras.layers.SeparableConv2D(4, 3), 6 * 6 * (3 * 3 * 3 + 3 * 4)),
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=2), 6 * 6 * 3 * 3 * 3 * 2),
        (keras.layers.Conv2DTranspose(4, 2, strides=2), 8 * 8 * 2 * 2 * 3 * 4),
        (keras.layers.Conv2D(6, 3, 2, groups=3, padding="same"), 4 * 4 * 3 * 3 * 1 * 6),
    ],
)
def test_multiply_adds_of_all_kinds_of_convolutions(layer, adds):
    [row] = alexnet.layer_table(sequential(layer))
    assert row.multiply_adds == adds and row.parameters == layer.count_params()


def test_layer_table_says_what_it_does_not_count_and_refuses_what_it_cannot(capsys):
    inputs = keras.Input((4, 6))
    attention = keras.layers.MultiHeadAttention(2, 3, name="attention")
    [row] = alexnet.layer_table(keras.Model(inputs, attention(inputs, inputs)))
    assert row.parameters == attention.count_params() > 0
    expected = "left out: the multiply-adds of attention, a MultiHeadAttention\n"
    assert capsys.readouterr().out == expected

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.fc = keras.layers.Dense(3)

        def call(self, x):
            return self.fc(x)

    own = Own()
    own(np.zeros((1, 4), np.float32))
    any_size = keras.Input((None, None, 3))
    for model, message in (
        (own, "would lack 15 parameters of 'own"),
        (keras.Sequential([keras.layers.Dense(3)]), "has no weights yet"),
        (keras.Model(any_size, keras.layers.Conv2D(2, 3)(any_size)), "for images of one size"),
    ):
        with pytest.raises(ValueError, match=message):
            alexnet.layer_table(model)
