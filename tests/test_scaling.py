"""``helpers.scaling``: gradients, the schedule, the law and its interval, the model of speed, the
workers on this machine, the table that the lab reads, and the recipes of chapter 14."""

import os
import re
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers import scaling
from helpers.datasets import asset_path
from helpers.imagenet.cluster import cluster
from helpers.scaling import jobs, laws, small, speed, workers
from helpers.scaling.profile import profile

CHAPTER = Path(__file__).resolve().parent.parent / "chapters" / "14-scaling-out.md"


def test_the_gradients_are_those_of_central_differences():
    rng = np.random.default_rng(0)
    x, y = rng.random((7, 12)), rng.integers(0, 10, 7)
    weights = [w.astype(float) for w in small.start(5, 0, 12)]

    def loss():
        w1, b1, w2, b2 = weights
        z = np.maximum(x @ w1 + b1, 0) @ w2 + b2
        return np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(7), y])

    for w, gradient in zip(weights, small.gradients(weights, x, y), strict=True):
        for place in np.ndindex(w.shape):
            kept, ends = w[place], []
            for h in (1e-6, -1e-6):
                w[place] = kept + h
                ends.append(loss())
            w[place] = kept
            assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-7)


def test_the_rate_rises_to_its_peak_and_falls_to_nothing():
    rates = [small.rate_at(step, 100, 0.4, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.04) and rates[9] == pytest.approx(0.4)
    assert max(rates) == pytest.approx(0.4) and rates[55] == pytest.approx(0.2)
    assert 0 < rates[-1] < 0.005
    assert np.all(np.diff(rates[:10]) > 0) and np.all(np.diff(rates[10:]) < 0)


def blobs(count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    return np.float32(np.eye(10)[labels] + rng.normal(0, 0.2, (count, 10))), labels


def test_training_learns_repeats_itself_and_depends_on_the_seed():
    (x, y), (test, truth) = blobs(400, 0), blobs(400, 1)
    how = {"width": 20, "seen": 8_000, "batch": 20}
    first = small.train(x, y, seed=3, **how)
    assert small.error(first, test, truth) < 0.02 < small.error(small.start(20, 3, 10), test, truth)
    again, other = small.train(x, y, seed=3, **how), small.train(x, y, seed=4, **how)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_a_rate_that_is_far_too_high_counts_as_guessing():
    x, y = blobs(200, 0)
    assert small.error(small.train(1e10 * x, y, rate=1e10, seen=4_000), x, y) == 0.9


def test_an_exact_law_is_found_and_its_interval_is_a_point():
    sizes = np.array([500, 1000, 2000, 4000])
    law = laws.fit(sizes, 1.5 * sizes**-0.3)
    assert (law.exponent, law.factor) == pytest.approx((0.3, 1.5))
    assert law.interval(10_000) == pytest.approx((law.at(10_000), law.at(10_000)))


def test_the_interval_holds_a_new_run_as_often_as_it_says():
    rng, sizes = np.random.default_rng(0), np.geomspace(500, 5600, 8)
    held = 0
    for _ in range(2000):
        law = laws.fit(sizes, 2 * sizes**-0.2 * np.exp(rng.normal(0, 0.03, 8)))
        low, high = law.interval(10_000)
        held += low <= 2 * 10_000**-0.2 * np.exp(rng.normal(0, 0.03)) <= high
    assert 0.935 <= held / 2000 <= 0.965  # three standard errors about 95%


def test_the_interval_grows_with_the_distance():
    sizes = np.array([500, 700, 1000, 1400, 2000])
    law = laws.fit(sizes, [0.22, 0.21, 0.19, 0.185, 0.17])
    widths = [np.log(high / low) for low, high in map(law.interval, (2_000, 10_000, 60_000))]
    assert widths[0] < widths[1] < widths[2]


@pytest.mark.parametrize(
    ("sizes", "errors", "message"),
    [
        ([1, 2], [0.2, 0.1], "three runs"),
        ([1, 2, 3], [0.2, 0.1], "three runs"),
        ([1, 2, 3], [0.2, 0.1, 0.0], "above 0"),
        ([0, 2, 3], [0.2, 0.1, 0.1], "above 0"),
        ([2, 2, 2], [0.2, 0.1, 0.1], "two sizes"),
    ],
)
def test_a_law_of_nothing_is_refused(sizes, errors, message):
    with pytest.raises(ValueError, match=message):
        laws.fit(sizes, errors)


def test_two_timings_give_the_third():
    truth = speed.Speed(0.8, 0.1)
    found = speed.fit(truth.seconds(1), truth.seconds(2), cores=64)
    assert found.seconds(8) == pytest.approx(0.8 / 8 + 0.1 * 2 * 7 / 8)
    assert speed.Speed(0.8, 0.1, cores=2).seconds(4) == pytest.approx(0.4 + 0.15)
    assert speed.fit(0.8, 0.3, 2).send == 0.0  # faster than twice as fast: nothing to send


def test_two_processes_reach_the_weights_of_one():
    (one, _), (two, seconds) = (workers.run(count, "conv", 3) for count in (1, 2))
    assert len(seconds) == 3
    before = max(np.abs(w).max() for w in one)
    assert max(np.abs(a - b).max() for a, b in zip(one, two, strict=True)) < 1e-5 * before
    model = workers.network("conv")
    moved = [np.abs(a - b).max() for a, b in zip(one, model.get_weights(), strict=True)]
    assert min(moved) > 1e-4  # else nothing was compared


def test_workers_that_cannot_be_are_refused():
    for count in (0, 3):
        with pytest.raises(ValueError, match=f"{count} workers"):
            workers.run(count)
    with pytest.raises(ValueError, match="'mlp'; there are conv, dense"):
        workers.network("mlp")
    with pytest.raises(RuntimeError, match=r"worker 0 of 1 ended with 1: .*there are conv"):
        workers.run(1, "mlp", 1)


def sleepy(count, seconds):
    """A dataset whose every element takes a line of Python this long, and a loop over it."""
    import tensorflow as tf

    def slowly(x):
        return tf.py_function(lambda v: time.sleep(seconds) or v, [x], tf.int64)

    def loop():
        for batch in tf.data.Dataset.range(count).map(slowly).batch(5):
            assert len(batch) == 5

    return loop


def test_a_profile_tells_the_waiting_and_the_operation_that_is_to_blame():
    loop = sleepy(20, 0.02)
    loop()
    seen = profile(loop)
    assert seen.whole >= seen.waiting >= 0.4  # the sum of the sleeps, none of them hidden
    assert seen.operations["EagerPyFunc"] >= 0.4
    assert max(seen.operations, key=seen.operations.get) == "EagerPyFunc"
    nothing = profile(lambda: None)
    assert nothing.waiting == 0 and "EagerPyFunc" not in nothing.operations


def test_one_profile_at_a_time_and_a_failed_one_ends():
    with pytest.raises(RuntimeError, match="another profile is being made"):
        profile(lambda: profile(lambda: None))
    with pytest.raises(ZeroDivisionError):
        profile(lambda: 1 / 0)
    assert profile(sleepy(5, 0.0)).waiting > 0


def test_a_profiler_that_writes_nothing_is_named(monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf.profiler.experimental, "start", lambda folder: None)
    monkeypatch.setattr(tf.profiler.experimental, "stop", lambda: None)
    with pytest.raises(RuntimeError, match="profiler wrote no file"):
        profile(lambda: None)


def test_the_job_s_pictures_are_of_three_classes(tmp_path):
    root = jobs.pictures(tmp_path / "data", np.random.default_rng(0), 2, 1)
    names = sorted(str(p.relative_to(root)) for p in root.rglob("*.JPEG"))
    assert len(names) == 9 and names[0] == "train/n01440764/n01440764_0.JPEG"


def test_the_table_is_whole():
    asset_path(scaling.TABLE)  # its size and checksum
    images, width, batch = (scaling.runs(stage) for stage in ("images", "width", "batch"))
    assert {len(v) for runs in (images, width, batch) for v in runs.values()} == {5}
    assert len(images) == 11 and len(width) == 8 and len(batch) == 16
    assert all(v.min() > 0.05 and v.max() <= 0.9 for v in (*images.values(), *width.values()))
    wanted = {(name, count) for name in workers.NETWORKS for count in (1, 2, 4)}
    assert scaling.seconds().keys() == wanted
    assert scaling.cores() >= 1


# The recipes: no cluster is at hand, but what they tell each worker can be read.


def recipe(language, word):
    blocks = re.findall(rf"```{language}\n(.*?)```", CHAPTER.read_text("utf-8"), re.S)
    return next(block for block in blocks if word in block)


def told(script, folder, monkeypatch, **variables):
    """What ``helpers.imagenet`` reads from the ``TF_CONFIG`` with which ``script`` calls it."""
    (folder / "python").write_text('#!/bin/sh\nprintf %s "$TF_CONFIG"\n')
    (folder / "python").chmod(0o755)
    environment = {**os.environ, **variables, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    monkeypatch.setenv("TF_CONFIG", done.stdout)
    return cluster()


def test_the_recipe_for_slurm_tells_each_worker_who_it_is(tmp_path, monkeypatch):
    stand_ins = {"scontrol": "printf 'node-a\\nnode-b\\n'", "srun": '"$@"'}
    for name, body in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    script = recipe("bash", "#SBATCH")
    for rank in (0, 1):
        found = told(script, tmp_path, monkeypatch, SLURM_PROCID=str(rank), SLURM_JOB_NODELIST="x")
        assert found == (["node-a:12345", "node-b:12345"], rank)


def test_the_recipe_for_kubernetes_names_its_pods_and_tells_them_who_they_are(
    tmp_path, monkeypatch
):
    service, job = yaml.safe_load_all(recipe("yaml", "kind: Job"))
    name, spec = job["metadata"]["name"], job["spec"]
    assert service["spec"]["clusterIP"] == "None" and spec["completionMode"] == "Indexed"
    assert service["spec"]["selector"] == {"job-name": name}
    assert spec["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == ["bash", "-c"]
    pods = [f"{name}-{k}.{service['metadata']['name']}:12345" for k in range(spec["completions"])]
    for rank in range(spec["parallelism"]):
        found = told(container["args"][0], tmp_path, monkeypatch, JOB_COMPLETION_INDEX=str(rank))
        assert found == (pods, rank)
