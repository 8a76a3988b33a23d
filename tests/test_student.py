"""The packed student of lab 12: the file does what its table says."""

import numpy as np
import pytest

from helpers import compression, datasets, intervals

FILE = "student_fashion_mnist.axpk"


@pytest.fixture(scope="module")
def five():
    rows = datasets.table_rows("student.csv")
    return [row for row in rows if row["part"] == "test"]


def test_the_file_is_the_first_of_the_table_and_answers_as_it_says(five):
    packed = datasets.asset_path(FILE).read_bytes()
    assert five[0]["seed"] == "0" and int(five[0]["bytes"]) == len(packed)
    data = datasets.fashion_mnist("quick")
    images = np.float32(data.test_images[..., None] / 255)
    says = compression.unpack(packed).predict(images, 500, verbose=0).argmax(axis=1)
    right = np.sum(says == data.test_labels)
    low, high = intervals.share(right, len(images))
    # The 2,000 bundled images are a part of the 10,000, one or two points harder.
    assert low - 0.02 < float(five[0]["accuracy"]) < high + 0.02


def test_the_counts_of_the_table_agree_with_its_shares(five):
    assert [row["seed"] for row in five] == list("01234")
    for row in five:
        gain = (int(row["won_from"]) - int(row["lost_to"])) / 10_000
        assert abs(float(row["accuracy"]) - float(row["teacher"]) - gain) < 1e-9
        assert int(row["bytes"]) < 20_000


def test_the_choice_was_made_on_other_images_as_the_tool_says(five):
    rows = [row for row in datasets.table_rows("student.csv") if row["part"] == "choice"]
    good = [row for row in rows if float(row["accuracy"]) >= float(row["teacher"])]
    best = min(good, key=lambda row: int(row["bytes"]))
    assert len(rows) == 12
    assert {(r["sparsity"], r["values"]) for r in five} == {(best["sparsity"], best["values"])}
