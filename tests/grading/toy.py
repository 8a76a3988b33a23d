"""A small assignment, to test the grader with: three functions, a number, a written answer."""

import hashlib
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from helpers.check.engine import Check, case
from helpers.grade.assignment import name_of


@dataclass(frozen=True)
class Question:
    name: str
    reference: object
    cases: object
    choices: dict
    points: float = 10

    def variants(self):
        ((option, values),) = self.choices.items()
        return [{option: value} for value in values]

    def check(self, variant):
        others = {
            f"{k} is {v}, not {variant[k]}": self.reference({k: v})
            for k, values in self.choices.items()
            for v in values
            if v != variant[k]
        }
        return Check(
            self.name,
            self.reference(variant),
            lambda rng: self.cases(rng, variant),
            others,
        )


def relu_backward(variant):
    at_zero = {"nothing": 0.0, "all": 1.0, "half": 0.5}[variant["zero"]]
    return lambda da, z: da * np.where(z > 0, 1.0, np.where(z == 0, at_zero, 0.0))


def relu_cases(rng, variant):
    for shape in ((3,), (4, 5), (2, 3, 4)):
        z = np.round(rng.normal(size=shape) * 2)
        z.flat[0] = 0
        yield case(f"shape {shape}", rng.normal(size=shape), z)


def max_pool_backward(variant):
    def right(da, x, size):
        out = np.zeros_like(x)
        for p, q in np.ndindex(da.shape):
            window = x[p * size : (p + 1) * size, q * size : (q + 1) * size]
            places = np.argwhere(window == window.max())
            if variant["ties"] != "shared":
                places = places[[0 if variant["ties"] == "first" else -1]]
            for i, j in places:
                out[p * size + i, q * size + j] += da[p, q] / len(places)
        return out

    return right


def pool_cases(rng, variant):
    for n, m, size in [(1, 1, 2), (2, 3, 2), (3, 2, 3), *rng.integers(2, 5, (3, 3))]:
        x = rng.integers(0, 3, (n * size, m * size)).astype(float)
        yield case(f"{n}×{m} windows of {size}", rng.normal(size=(n, m)), x, int(size))


def bias_gradient(variant):
    return lambda dz: (dz.sum if variant["reduce"] == "sum" else dz.mean)(axis=(0, 1, 2))


def bias_cases(rng, variant):
    for shape in ((2, 3, 4, 5), (1, 2, 2, 1), (3, 1, 2, 4)):
        yield case(f"dz of shape {shape}", rng.normal(size=shape))


QUESTIONS = [
    Question("relu_backward", relu_backward, relu_cases, {"zero": ("nothing", "all", "half")}),
    Question(
        "max_pool_backward", max_pool_backward, pool_cases, {"ties": ("shared", "first", "last")}
    ),
    Question("bias_gradient", bias_gradient, bias_cases, {"reduce": ("sum", "mean")}),
]


def _draw(*texts):
    digest = hashlib.sha256("\n".join(texts).encode()).digest()
    return int.from_bytes(digest[:8], "big")


class Assignment:
    id, title, questions = "toy", "A toy", QUESTIONS
    number, number_points, number_tolerance = "my_number", 5, 1e-6
    written = (SimpleNamespace(name="ties", title="Why do ties matter?", points=5),)

    def variants(self, key, student):
        choose = lambda q: q.variants()[  # noqa: E731
            _draw(key, name_of(student), q.name) % len(q.variants())
        ]
        return {q.name: choose(q) for q in self.questions}

    def data(self, key, student):
        rng = np.random.default_rng(_draw(key, name_of(student)))
        return {"values": rng.normal(size=50), "names": ["a", "b"], "size": (3, 4)}

    def expected(self, key, student):
        return float(np.maximum(self.data(key, student)["values"], 0).sum())


ASSIGNMENT = Assignment()
