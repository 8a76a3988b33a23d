"""Assignment 6 (chapters 11 and 12): a mask, shared weights, a layer of eight bits.

The right functions are made from the book's; ``assignments.py`` says what a ``Question`` is.
"""

import numpy as np

from helpers.check.assignments import Assignment, Question, changed, given
from helpers.check.compression import codebook_gradient, magnitude_mask
from helpers.check.engine import case
from helpers.datasets import asset_path

AXIS = {
    0: "four weights stand below each other: four neighboring rows of one column",
    1: "four weights stand beside each other: four neighboring columns of one row",
}
KEEP = {
    1: "of every four weights, the largest 1 stays",
    2: "of every four weights, the largest 2 stay",
    3: "of every four weights, the largest 3 stay",
}
TIES = {
    "first": "of weights of equal size, the first one stays",
    "last": "of weights of equal size, the last one stays",
}
MIDWAY = {
    "lower": "a weight midway between two values goes to the lower one",
    "upper": "a weight midway between two values goes to the upper one",
}
ZERO = {
    "pinned": "the value 0 stays 0, whatever its gradient (it stands for the pruned weights)",
    "free": "the value 0 moves like all others",
}
GATHER = {
    "sum": "a value's gradient is the sum of the gradients of its weights",
    "mean": "a value's gradient is the mean of the gradients of its weights",
}
ROUND = {
    "even": "halves are rounded to the even neighbor (2.5 → 2, 3.5 → 4)",
    "away": "halves are rounded away from zero (2.5 → 3, −2.5 → −3)",
    "up": "halves are rounded up (2.5 → 3, −2.5 → −2)",
}
CODES = {
    "signed": "the codes go from −128 to 127",
    "narrow": "the codes go from −127 to 127",
    "unsigned": "the codes go from 0 to 255",
}
UNITS = {
    "columns": "q_w has a column for each unit: (inputs, units)",
    "rows": "q_w has a row for each unit: (units, inputs)",
}
LIMITS = {"signed": (-128, 127), "narrow": (-127, 127), "unsigned": (0, 255)}


def structured_mask(variant):
    """The right ``structured_mask``: the book's ``magnitude_mask`` of every four weights."""
    forward = slice(None, None, -1 if variant["ties"] == "first" else 1)

    def right(w):
        fours = np.moveaxis(w, variant["axis"], -1).reshape(-1, 4)
        mask = [magnitude_mask(four[forward], 1 - variant["keep"] / 4)[forward] for four in fours]
        shape = np.moveaxis(w, variant["axis"], -1).shape
        return np.moveaxis(np.reshape(mask, shape), -1, variant["axis"])

    return right


def shared_step(variant):
    """The right ``shared_step``: (codes, moved)."""

    def right(w, dw, values, rate):
        distance = np.abs(w[..., None] - values)
        codes = distance.argmin(axis=-1)
        if variant["midway"] == "upper":
            codes = len(values) - 1 - distance[..., ::-1].argmin(axis=-1)
        gradient = codebook_gradient(dw, codes, len(values))
        if variant["gather"] == "mean":
            gradient = gradient / np.maximum(np.bincount(codes.ravel(), minlength=len(values)), 1)
        if variant["zero"] == "pinned":
            gradient = np.where(values == 0, 0, gradient)
        return codes, values - rate * gradient

    return right


def _rounded(x, how):
    if how == "even":
        return np.round(x)
    return np.floor(x + 0.5) if how == "up" else np.sign(x) * np.floor(np.abs(x) + 0.5)


def _sums(variant, q_x, q_w, q_b, zero_x, dtype=np.int32):
    q_w = q_w.T if variant["units"] == "rows" else q_w
    return (q_x.astype(dtype) - dtype(zero_x)) @ q_w.astype(dtype) + q_b


def _dtype(variant):
    return np.uint8 if variant["codes"] == "unsigned" else np.int8


def layer_int8(variant):
    """The right ``layer_int8``: sums as in the book's ``dense_int8``, the end as in the variant."""

    def right(q_x, q_w, q_b, zero_x, multiplier, zero_z):
        sums = _sums(variant, q_x, q_w, q_b, zero_x)
        q = _rounded(sums * multiplier, variant["round"]) + zero_z
        return np.clip(q, *LIMITS[variant["codes"]]).astype(_dtype(variant))

    return right


def structured_mask_cases(rng, variant):
    yield case("4×4 weights, all of different size", 1.0 * rng.permutation(16).reshape(4, 4))
    yield case("large negative weights", -10.0 - rng.permutation(32).reshape(4, 8))
    yield case("all weights equal", np.full((4, 4), 2.0))
    yield case("2 and −2, which are of equal size", 2.0 * rng.choice([-1, 1], (8, 4)))
    yield case("zeros", np.zeros((4, 8)))
    yield case("a four that would be pruned whole by one threshold",
               np.kron(np.array([[100.0, 1], [1, 100]]), np.ones((4, 4)))
               + rng.normal(size=(8, 8)))  # fmt: skip
    for rows, columns in 4 * rng.integers(1, 5, (5, 2)):
        w = rng.integers(-3, 4, (rows, columns)) / 2
        yield case(f"{rows}×{columns} weights with many ties", w)


def shared_step_cases(rng, variant):
    one = np.array([0.9, 2.2, -1.2])
    yield case("3 weights, 3 values", one, np.array([1.0, 2, 4]), np.array([-1.0, 0, 2]), 0.5)
    yield case("midway", np.array([0.5, 1.5, -0.5]), np.ones(3), np.array([-1.0, 0, 1, 2]), 1.0)
    yield case("a value that no weight is nearest to", one, one, np.array([-1.0, 0, 2, 50]), 0.1)
    yield case("no value is 0", one, np.array([1.0, -2, 4]), np.array([-1.5, 1.0, 3.0]), 0.2)
    for shape, number in (((12,), 3), ((6, 5), 5), ((4, 3, 2), 4), ((9, 9), 7)):
        values = np.sort(rng.choice(np.arange(-12, 13), number, False)) / 4
        values[int(rng.integers(number))] = 0
        values = np.unique(values)
        w, dw = rng.integers(-24, 25, shape) / 8, rng.normal(size=shape)
        label = f"weights of shape {shape}, {len(values)} values"
        yield case(label, w, dw, values, float(rng.uniform(0.1, 1)))


def layer_int8_cases(rng, variant):
    low, high = LIMITS[variant["codes"]]
    middle = (low + high + 1) // 2

    def given(label, x, w, b, zero_x, multiplier, zero_z):
        w = np.array(w, np.int8).T if variant["units"] == "rows" else np.array(w, np.int8)
        x, b = np.array(x).astype(_dtype(variant)), np.array(b, np.int32)
        return case(label, x, w, b, zero_x, multiplier, zero_z)

    one, minus = [[1], [1]], [[-1], [-1]]
    yield given("two ones, no bias", [[1, 1]], one, [0], 0, 1.0, middle)
    yield given("zero point 3 of the input", [[9, 1]], one, [0], 3, 1.0, middle)
    halves = [[k, 0] for k in range(1, 12, 2)]
    yield given("halves above zero", halves, one, [0], 0, 0.5, middle)
    yield given("halves below zero", halves, minus, [0], 0, 0.5, middle)
    yield given("halves below zero, an odd zero_z", halves, minus, [0], 0, 0.5, middle + 5)
    yield given("a bias of 50, multiplier 0.11", [[1, 1]], one, [50], 0, 0.11, middle)
    big = np.full((1, 64), high), np.full((64, 2), 127)
    yield given("sums beyond 16 bits", *big, [7, -7], low, 2e-5, middle)
    yield given("beyond the largest code", *big, [7, -7], 0, 0.01, middle)
    yield given("beyond the smallest code", big[0], -big[1], [7, -7], 0, 0.01, middle)
    yield given("clipped only without zero_z", [[1, 1]], one, [198], 0, 1.0, middle - 100)
    for n, inputs, units in [(3, 4, 4), *rng.integers(2, 7, (4, 3))]:
        q_x, q_w = (
            rng.integers(low, high + 1, (n, inputs)),
            rng.integers(-127, 128, (inputs, units)),
        )
        zero_x, zero_z = (middle + int(z) for z in rng.integers(-40, 41, 2))
        label = f"{n} images, {inputs} inputs, {units} units, a multiplier a unit"
        multipliers = rng.choice([1, 2, 4], units) / 512
        yield given(label, q_x, q_w, rng.integers(-900, 900, units), zero_x, multipliers, zero_z)


def _whole_mask(variant):
    """One threshold for the whole matrix."""
    return lambda w: magnitude_mask(w, 1 - variant["keep"] / 4)


def _stay_by_value(variant):
    return lambda w: structured_mask(variant)(w - w.min() + 1)


def _strided_mask(variant):
    """Every n/4-th weight belongs together, not four neighbors."""

    def wrong(w):
        w = np.moveaxis(w, variant["axis"], -1)
        order = np.arange(w.shape[-1]).reshape(4, -1).T.ravel()
        mask = structured_mask({**variant, "axis": 1})(w[:, order])
        return np.moveaxis(mask[:, np.argsort(order)], -1, variant["axis"])

    return wrong


def _end(variant, finish, dtype=np.int32):
    """``layer_int8`` with another end, ``finish(sums, multiplier, zero_z)``, or shorter sums."""

    def wrong(q_x, q_w, q_b, zero_x, multiplier, zero_z):
        q = finish(_sums(variant, q_x, q_w, q_b, zero_x, dtype), multiplier, zero_z)
        return np.asarray(q).astype(np.int64).astype(_dtype(variant))

    return wrong


def _clipped(variant, q):
    return np.clip(q, *LIMITS[variant["codes"]])


QUESTIONS = [
    Question(
        "structured_mask",
        structured_mask,
        structured_mask_cases,
        {"axis": AXIS, "keep": KEEP, "ties": TIES},
        {
            "it says which weights go, not which stay": changed(structured_mask, lambda m, w: ~m),
            "the pruned weights came, not the mask": changed(structured_mask, lambda m, w: m * w),
            "there is one threshold for the whole matrix": _whole_mask,
            "the smallest stay": given(structured_mask, lambda w: (1 / (1 + np.abs(w)),)),
            "large negative weights are taken for small": _stay_by_value,
            "the four are not neighbors: every n/4-th weight is taken": _strided_mask,
        },
    ),
    Question(
        "shared_step",
        shared_step,
        shared_step_cases,
        {"midway": MIDWAY, "zero": ZERO, "gather": GATHER},
        {
            "the values go up the gradient, not down": given(
                shared_step, lambda w, dw, v, rate: (w, -dw, v, rate)
            ),
            "the values did not move": changed(shared_step, lambda r, w, dw, v, rate: (r[0], v)),
            "each weight goes to the farthest value": given(
                shared_step, lambda w, dw, v, rate: (100 * np.sign(v.mean() - w), dw, v, rate)
            ),
            "the value itself came, not its number": changed(
                shared_step, lambda r, w, dw, v, rate: (v[r[0]], r[1])
            ),
            "the two results are exchanged": changed(shared_step, lambda r, *a: r[::-1]),
        },
        returns=("codes", "moved"),
    ),
    Question(
        "layer_int8",
        layer_int8,
        layer_int8_cases,
        {"round": ROUND, "codes": CODES, "units": UNITS},
        {
            "the zero point of the input is left out": given(
                layer_int8, lambda x, w, b, zx, m, zz: (x, w, b, 0, m, zz)
            ),
            "the zero point of the output is left out": given(
                layer_int8, lambda x, w, b, zx, m, zz: (x, w, b, zx, m, 0)
            ),
            "sums are kept in 16 bits and overflow": lambda v: _end(
                v, lambda s, m, z: _clipped(v, _rounded(s * m, v["round"]) + z), np.int16
            ),
            "the fraction is cut off, not rounded": lambda v: _end(
                v, lambda s, m, z: _clipped(v, np.trunc(s * m) + z)
            ),
            "the fraction is rounded down": lambda v: _end(
                v, lambda s, m, z: _clipped(v, np.floor(s * m) + z)
            ),
            "zero_z is added before rounding, which moves the halves": lambda v: (
                None  # halves rounded up stay where they are
                if v["round"] == "up"
                else _end(v, lambda s, m, z: _clipped(v, _rounded(s * m + z, v["round"])))
            ),
            "nothing is clipped, so that large values wrap around": lambda v: _end(
                v, lambda s, m, z: _rounded(s * m, v["round"]) + z
            ),
        },
    ),
]


def data(rng, variants):
    """A piece of AlexNet-28's second dense layer, and inputs to it.

    Returns ``w`` (16, 12), 16 inputs of 12 of its units; ``dw``, a gradient of the same shape;
    ``values``, a codebook; and ``x`` (20, 16), inputs.
    """
    with np.load(asset_path("alexnet28_fashion_mnist.npz")) as arrays:
        kernel = arrays["fc7/kernel"]
    rows, columns = (np.sort(rng.choice(768, count, False)) for count in (16, 12))
    w = kernel[np.ix_(rows, columns)].astype(float)
    values = np.linspace(-1, 1, 5) * np.abs(w).max()
    x = np.maximum(rng.normal(size=(20, 16)), 0)
    return {"w": w, "dw": rng.normal(size=w.shape), "values": values, "x": x}


def int8_error(data, variants):
    """‖x ŵ − x w‖ / ‖x w‖, each column of w in whole steps of its largest size / 127."""
    x, w = data["x"], data["w"]
    scale = np.abs(w).max(axis=0) / 127
    return np.linalg.norm(x @ (np.round(w / scale) * scale) - x @ w) / np.linalg.norm(x @ w)


ASSIGNMENT = Assignment("a6", "Smaller by hand", QUESTIONS, "int8_error", data, int8_error)
