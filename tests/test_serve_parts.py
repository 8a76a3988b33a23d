"""The rooms of ``helpers.serve``, each alone: card, pictures, engine."""

import dataclasses
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from serving import CARD, picture, with_card

from helpers.serve import bundle, pictures, watch
from helpers.serve.engine import Engine
from helpers.serve.pictures import Refused

PLAIN = b"0000TFL3" + bytes(range(200))  # begins as a LiteRT file does


def test_the_card_travels_with_the_file_and_unzip_shows_it(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(with_card(PLAIN))
    assert bundle.split(path.read_bytes()) == (PLAIN, CARD)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["card.json"]
    assert with_card(PLAIN) == with_card(PLAIN), "the same bytes every time"
    again = bundle.attach(with_card(PLAIN, version="7"), CARD)
    assert again == with_card(PLAIN), "a card that is there is replaced"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"classes": ["one"]}, "no list of two classes"),
        ({"channels": 4}, "channels = 4"),
        ({"height": 0}, "height = 0"),
        ({"temperature": 0}, "temperature = 0; it is positive"),
        ({"temperature": float("nan")}, "temperature = nan"),
        ({"resize": "magic"}, "resize = 'magic'"),
        ({"fit": "squeeze"}, "fit = 'squeeze'"),
        ({"reference": [0.9, 0.1]}, "not sorted"),
        ({"version": 3}, "version = 3"),
    ],
)
def test_a_senseless_card_is_refused_by_name(wrong, named):
    with pytest.raises(bundle.ModelError, match=named):
        dataclasses.replace(CARD, **wrong)


def test_a_file_without_a_whole_card_is_refused():
    whole = with_card(PLAIN)
    for data in (PLAIN, whole[:-30], whole[: len(PLAIN) + 40]):
        with pytest.raises(bundle.ModelError, match="no card"):
            bundle.split(data)
    with pytest.raises(bundle.ModelError, match="no LiteRT file"):
        bundle.attach(b"hello", CARD)


def test_gray_levels_and_scale():
    card = dataclasses.replace(CARD, height=1, width=3, low=-1.0, high=1.0)
    image = np.array([[0, 51, 255]], np.uint8)
    made = pictures.array_of(picture(image), card)
    assert made.shape == (1, 3, 1) and made.dtype == np.float32
    assert np.allclose(made[0, :, 0], [-1, -0.6, 1])


def test_red_stays_red():
    card = dataclasses.replace(CARD, height=2, width=2, channels=3)
    made = pictures.array_of(picture(Image.new("RGB", (2, 2), (255, 0, 0))), card)
    assert np.array_equal(made[0, 0], [1, 0, 0])


def test_what_is_below_transparent_pixels_is_the_cards_background():
    clear = picture(Image.new("RGBA", (28, 28), (200, 100, 50, 0)))
    for gray in (0, 255):
        made = pictures.array_of(clear, dataclasses.replace(CARD, background=gray))
        assert np.all(made == gray / 255)


def test_shrinking_averages_and_other_shapes_are_cut_or_stretched():
    rng = np.random.default_rng(0)
    large = rng.integers(0, 256, (56, 56), np.uint8)
    made = pictures.array_of(picture(large), CARD)[..., 0]
    means = large.reshape(28, 2, 28, 2).mean(axis=(1, 3)) / 255
    assert np.abs(made - means).max() <= 1.01 / 255  # rounded twice: rows, then columns
    wide = np.zeros((28, 84), np.uint8)
    wide[:, 28:56] = 255
    assert np.all(pictures.array_of(picture(wide), CARD) == 1)
    stretched = pictures.array_of(picture(wide), dataclasses.replace(CARD, fit="stretch"))
    assert abs(stretched.mean() - 1 / 3) < 0.02


class Network:
    """Doubles the mean of each image; remembers its calls."""

    def __init__(self, seconds=0.0):
        self.calls, self.seconds = [], seconds

    def logits(self, images):
        time.sleep(self.seconds)
        self.calls.append(len(images))
        if np.isnan(images).any():
            raise SystemExit  # the worst that a network can do to its thread
        return 2 * images.mean(axis=(1, 2, 3))[:, None]


def batch(*values):
    return np.stack([np.full((2, 2, 1), v, np.float32) for v in values])


def test_waiting_jobs_share_a_call_and_each_gets_its_own_part():
    engine, network = Engine(batch=4, waiting=50), Network(0.05)
    futures = [engine.submit(batch(k, -k), network) for k in range(8)]
    for k, future in enumerate(futures):
        assert np.array_equal(future.result(5)[:, 0], [2 * k, -2 * k])
    assert network.calls[0] in (2, 4) and sum(network.calls) == 16 and max(network.calls) == 4
    engine.close()


def test_a_large_job_goes_alone_and_jobs_of_two_models_never_mix():
    engine, old, new = Engine(batch=4, waiting=50), Network(0.03), Network(0.03)
    jobs = [engine.submit(batch(*range(6)), old)]
    jobs += [engine.submit(batch(k), old if k < 3 else new) for k in range(6)]
    assert [len(job.result(5)) for job in jobs] == [6, 1, 1, 1, 1, 1, 1]
    assert sum(old.calls) == 9 and sum(new.calls) == 3
    engine.close()


def test_a_network_that_ends_its_thread_does_not():
    engine, network = Engine(), Network()
    with pytest.raises(RuntimeError, match="SystemExit"):
        engine.submit(batch(np.nan), network).result(5)
    assert engine.submit(batch(1), network).result(5)[0, 0] == 2
    engine.close()


def test_full_is_429_closed_is_503_and_what_waits_is_answered():
    engine, network = Engine(batch=1, waiting=3), Network(0.1)
    jobs = [engine.submit(batch(1), network)]
    time.sleep(0.02)
    jobs += [engine.submit(batch(k), network) for k in range(3)]
    with pytest.raises(Refused) as full:
        engine.submit(batch(9), network)
    assert full.value.status == 429
    closing = threading.Thread(target=engine.close)
    closing.start()
    time.sleep(0.02)
    with pytest.raises(Refused) as closed:
        engine.submit(batch(9), network)
    assert closed.value.status == 503
    assert [float(job.result(5)[0, 0]) for job in jobs] == [2, 0, 2, 4]
    closing.join()


def test_a_request_that_gave_up_costs_no_call():
    engine, network = Engine(batch=1), Network(0.05)
    first, second = (engine.submit(batch(1), network) for _ in range(2))
    second.cancel()
    first.result(5)
    engine.close()
    assert network.calls == [1]


def test_the_gap_between_two_samples():
    from scipy import stats

    rng = np.random.default_rng(0)
    a, b = rng.random(80), np.sort(np.round(rng.random(200) ** 2, 1))
    assert watch.gap(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)
    assert watch.gap(b, b) == 0


def test_the_dockerfile_copies_all_that_the_service_needs_and_installs_what_it_imports(tmp_path):
    """There is no Docker where this is tested, so its lines are followed by hand."""
    root = Path(bundle.__file__).parents[3]
    text = (root / "src/helpers/serve/Dockerfile").read_text("utf-8").replace("\\\n", " ")
    for line in re.findall(r"^COPY (.+)$", text, re.M):
        *sources, target = line.split()
        for source in sources:
            place = tmp_path / target
            if (root / source).is_dir():
                shutil.copytree(root / source, place)
            elif place.name == "helpers":
                place.mkdir(exist_ok=True)
                shutil.copy(root / source, place)
    imported = (
        "import sys, helpers.serve.local, helpers.serve.__main__, ai_edge_litert.interpreter; "
        "from importlib.metadata import packages_distributions; names = packages_distributions(); "
        "own = {n for m in sys.modules for n in names.get(m.partition('.')[0], [])}; "
        "print(helpers.__file__, *own)"
    )
    command = [sys.executable, "-c", imported]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    file, *found = told.stdout.split()
    assert Path(file).is_relative_to(tmp_path)
    installed = set(re.search(r"--constraint \S+\s+(.+?)\s+&&", text, re.S)[1].split())
    ours = {"ai-edge-litert", "fastapi", "numpy", "pillow", "prometheus_client", "uvicorn"}
    found = {name.lower() for name in found}  # older metadata say "Pillow"
    assert ours <= found and not {"tensorflow", "keras"} & found
    assert {name.replace("_", "-") for name in ours} | {"python-multipart"} == installed
    pins = (root / "constraints.txt").read_text("utf-8").lower().replace("_", "-")
    assert all(f"\n{name}==" in pins for name in installed)
