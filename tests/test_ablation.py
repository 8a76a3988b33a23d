"""Lab 5's variants, the script that trains them, and what the table of runs allows one to say."""

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from helpers import ablation, ablation_table, alexnet

TOOLS = Path(__file__).resolve().parent.parent / "tools"


# --- the variants ------------------------------------------------------------------------------


def test_the_base_is_alexnet28():
    base, known = ablation.network(width=1.0), alexnet.alexnet28()
    known.set_weights([w for w in base.get_weights() if w.dtype == np.float32])
    images = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)
    assert base.count_params() == known.count_params()
    np.testing.assert_allclose(base(images), known(images), rtol=1e-4, atol=1e-5)


def test_a_variant_changes_one_thing_and_says_which():
    for name, changes in ablation.VARIANTS.items():
        differing = set(changes)
        # Two settings: half the kernels on one GPU is the paper's own comparison; the normalization
        # before the ReLU is compared with the strong one after it.
        together = {
            "half the kernels": {"groups", "halved"},
            "strong, before ReLU": {"alpha", "lrn"},
        }
        assert differing == together.get(name, differing) and len(differing) <= 2
        assert len(differing) == 1 or name in together or name == ablation.BASE
        ablation.settings(name)
    assert ablation.BASE == ablation_table.BASE
    with pytest.raises(ValueError, match="no variant"):
        ablation.settings("no LNR")


def shapes(model):
    return {w.path: tuple(w.shape) for w in model.trainable_variables}


def test_what_else_a_variant_changes():
    base = shapes(ablation.network())
    for name in ablation.VARIANTS:
        found = shapes(ablation.network(name))
        changed = {path.split("/")[0] for path in base if found.get(path) != base[path]}
        expected = {
            "one group": {"conv2", "conv4", "conv5"},
            "half the kernels": {
                "conv1",
                "conv2",
                "conv3",
                "conv4",
            },  # conv5 saw half of them before
            "without conv4": {"conv4"},
        }
        assert changed == expected.get(name, set()), name


def test_half_the_kernels_are_the_papers_one_gpu_net():
    model = ablation.network("half the kernels", width=1.0)
    kernels = [model.get_layer(f"conv{i}").kernel.shape for i in range(1, 6)]
    assert [shape[-1] for shape in kernels] == [12, 32, 48, 48, 64]  # conv5 keeps all (3.2)
    assert [shape[-2] for shape in kernels] == [1, 12, 32, 48, 48]


def test_what_two_variants_share_starts_alike():
    base = {v.path: v.numpy() for v in ablation.network(seed=3).trainable_variables}
    for name in ("no LRN", "without conv4", "tanh"):
        for variable in ablation.network(name, 3).trainable_variables:
            np.testing.assert_array_equal(variable.numpy(), base[variable.path])
    other = ablation.network(seed=4).get_layer("fc6").kernel
    assert abs(np.corrcoef(base["fc6/kernel"].ravel(), other.numpy().ravel())[0, 1]) < 0.02


def test_the_start_of_2012():
    model = ablation.network("start of 2012")
    for layer in ("conv1", "conv2", "fc7", "fc8"):
        kernel, bias = (v.numpy() for v in model.get_layer(layer).trainable_variables)
        assert kernel.std() == pytest.approx(0.01, rel=0.05)
        assert np.all(bias == (layer in ("conv2", "fc7")))


def test_the_order_of_normalization_and_activation():
    for name, order in (("strong LRN", 1), ("strong, before ReLU", -1)):
        names = [layer.name for layer in ablation.network(name).layers]
        assert names.index("lrn1") - names.index("relu1") == order, name
    assert not [
        n for n in (layer.name for layer in ablation.network("no LRN").layers) if "lrn" in n
    ]


def clothes(n):
    from helpers import datasets

    data = datasets.fashion_mnist("quick")
    return data.train_images[:n], data.train_labels[:n]


def test_training_repeats_and_depends_on_the_seed():
    ends = []
    for seed in (1, 1, 2):
        model = ablation.train(ablation.BASE, seed, *clothes(256), passes=1, width=0.1)
        ends.append(np.concatenate([w.ravel() for w in model.get_weights()]).astype(float))
    np.testing.assert_array_equal(ends[0], ends[1])
    assert np.abs(ends[0] - ends[2]).max() > 0.01


def test_weight_decay_shrinks_kernels():
    norms = {}
    for name in (ablation.BASE, "weight decay"):
        model = ablation.train(name, 0, *clothes(256), passes=4, width=0.1, rate=0.02)
        norms[name] = np.linalg.norm(model.get_layer("fc7").kernel)
    assert norms["weight decay"] < 0.97 * norms[ablation.BASE]


def test_steps_to_an_error():
    images, labels = clothes(1000)
    easy, hard = ablation.steps_to(
        ablation.BASE, 0, images, labels, rate=0.001, errors=(0.95, 0.0), every=2, most=4
    )
    assert easy == 2 and hard == 5  # 5 stands for "not within 4"


# --- what differences say ----------------------------------------------------------------------


def test_verdicts():
    spread = np.array([-1, 0, 1, 0.5, -0.5]) / 1000
    words = {0.004: "gains", -0.004: "costs", 0.0: "too small"}
    for shift, word in words.items():
        assert ablation_table.verdict(spread + shift).word == word
    assert ablation_table.verdict(10 * spread).word == "cannot tell"
    assert ablation_table.verdict([0.01]).word == "too few runs"
    assert ablation_table.verdict([]).n == 0
    assert ablation_table.verdict(spread, worth=1e-4).word == "cannot tell"


def test_the_smallest_effect_is_seen_four_times_in_five():
    effect, rng = ablation_table.smallest_effect(2.0, 8), np.random.default_rng(1)
    drawn = rng.normal(effect, 2.0, (4000, 8))
    seen = np.mean(stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05)
    assert seen == pytest.approx(0.8, abs=0.025)
    with pytest.raises(ValueError, match="two pairs"):
        ablation_table.smallest_effect(1.0, 1)


def row(variant, seed, test1, test2, **more):
    values = {"part": "train", "variant": variant, "width": 0.5, "images": 10_000}
    values |= {"passes": 24, "rate": 0.001}
    values |= {"seed": seed, "test1": test1, "test2": test2, **more}
    return {name: str(values.get(name, "")) for name in ablation_table.KEY + ablation_table.RESULT}


@pytest.fixture
def runs(monkeypatch):
    found = []
    monkeypatch.setattr(ablation_table.datasets, "table_rows", lambda name: found)
    return found


def test_differences_are_paired_by_seed(runs):
    runs += [row(ablation.BASE, s, 0.8 + s / 100, 0.8) for s in (0, 1, 2)]
    runs += [row("tanh", 2, 0.8, 0.8), row("tanh", 1, 0.82, 0.8), row("tanh", 7, 0.1, 0.1)]
    runs += [row("tanh", 0, 0.5, 0.5, passes=3), row("tanh", 100, "", "", choice=0.9)]
    np.testing.assert_allclose(ablation_table.differences("tanh"), [0.005, -0.01])
    assert ablation_table.accuracies("tanh", passes=3) == {0: 0.5}


def test_the_best_rate_is_chosen_by_the_images_for_choices(runs):
    runs += [row("tanh", 100, "", "", choice=c, rate=r) for r, c in ((0.001, 0.8), (0.002, 0.85))]
    runs += [row("tanh", 0, 0.99, 0.99, rate=0.001)]
    runs += [row("tanh", 100, "", "", choice=0.9, rate=0.008, images=5000)]
    assert ablation_table.best_rate(runs, "tanh") == 0.002
    with pytest.raises(ValueError, match="no rate was tried"):
        ablation_table.best_rate(runs, "no LRN")
    speed = [(0.001, 100, 90), (0.003, 100, 70), (0.0003, 0, 10)]
    few = {"part": "speed", "images": 5000}
    runs += [row("tanh", s, "", "", rate=r, steps10=n, **few) for r, s, n in speed]
    runs += [row("tanh", 1, "", "", part="speed", rate=0.001, steps10=5, images=100)]
    assert ablation_table.fastest_rate(runs, "tanh") == 0.003
    assert ablation_table.steps("tanh") == {0: 10}


def test_what_the_halves_share(runs):
    rng = np.random.default_rng(0)
    true, errors = rng.normal(0.88, 0.003, 400), rng.normal(0, 0.004, (400, 2))
    runs += [row(ablation.BASE, s, *(true[s] + errors[s])) for s in range(400)]
    measured, shared = ablation_table.split_spread()
    assert shared == pytest.approx(0.003, rel=0.15)
    assert measured == pytest.approx(np.hypot(0.003, 0.004 / np.sqrt(2)), rel=0.1)
    del runs[1:]
    with pytest.raises(ValueError, match="two runs"):
        ablation_table.split_spread()


# --- the script --------------------------------------------------------------------------------


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    spec = importlib.util.spec_from_file_location(
        "measure_ablations", TOOLS / "measure_ablations.py"
    )
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "measure_ablations", module)
    spec.loader.exec_module(module)
    return module


def test_the_script_keeps_the_table_paired_and_goes_on(tool, tmp_path, monkeypatch):
    trained = []

    def train(variant, seed, x, y, *, passes, rate, width):
        trained.append((variant, seed, passes, rate))
        return rate

    def right(model, images, labels):
        return np.arange(len(labels)) % 100 < (80 if model == 0.001 else 70)

    monkeypatch.setattr(ablation, "train", train)
    monkeypatch.setattr(ablation, "right", right)
    monkeypatch.setattr(ablation, "steps_to", lambda *a, rate, **k: [10, 20, int(1 / rate)])
    pair = np.zeros((6000, 2, 2), np.uint8), np.zeros(6000, np.uint8)
    whole = dict(
        zip(("train_images", "train_labels", "test_images", "test_labels"), pair * 2, strict=True)
    )
    monkeypatch.setattr(tool.datasets, "read_idx_folder", lambda folder: whole)
    bench = tool.Bench(None, tmp_path / "table.csv", images=100)
    for seed in range(4):
        for stage in ("rates", "grid", "speed"):
            tool.STAGES[stage](bench, seed)
    judged = [(seed, variant) for variant, seed, *_ in trained if seed < 100]
    every = [(seed, variant) for seed in range(4) for variant in ablation.VARIANTS]
    assert judged == every[: every.index((3, tool.STUCK))]  # which three seeds have shown stuck
    assert {rate for _, seed, _, rate in trained if seed < 100} == {0.001}  # the best was taken
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(
        r["test1"] == "" for r in rows if r["seed"] == "100"
    )  # the test images choose nothing
    assert {r["rate"] for r in rows if r["part"] == "speed" and r["seed"] == "1"} == {"0.003"}
    count = len(trained)
    again = tool.Bench(None, tmp_path / "table.csv", images=100)
    for stage in ("rates", "grid", "speed"):
        tool.STAGES[stage](again, 0)
    assert len(trained) == count


def test_the_table_pairs_every_variant_with_the_base():
    for short in ({}, {"images": 5000, "passes": 12}):  # the second: a table that stopped too early
        base = ablation_table.accuracies(**short)
        assert len(base) >= 10 and all(0.8 < share < 0.9 for share in base.values())
        for name in ablation.VARIANTS:
            found = ablation_table.accuracies(name, **short)
            assert found.keys() <= base.keys()
            assert len(found) >= 10 or (name == "start of 2012" and set(found.values()) == {0.1})
    for name in ("no dropout", "no mirroring", "tanh"):
        for passes in (3, 12, 48):
            assert len(ablation_table.differences(name, passes=passes)) >= 2
    assert len(ablation_table.steps("tanh")) >= 10
