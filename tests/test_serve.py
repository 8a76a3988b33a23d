"""``helpers.serve`` over HTTP: what it answers, what it refuses, and that nothing stops it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from serving import clothes, picture, with_card

from helpers import datasets
from helpers.serve import app, local
from helpers.serve.model import Model
from helpers.serve.uploads import Limits

PNG, JPEG = {"Content-Type": "image/png"}, {"Content-Type": "image/jpeg"}
LEAKS = re.compile(r"Traceback|/(?:root|home|tmp|usr|work|site-packages)/|\.py\b|0x[0-9a-f]{6}")
STATUSES = {200, 400, 404, 405, 408, 411, 413, 415, 422, 429, 503}


@pytest.fixture(scope="module")
def images():
    return datasets.fashion_mnist("quick").test_images[:64]


@pytest.fixture(scope="module")
def data():
    return clothes()


@pytest.fixture(scope="module")
def file(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "clothes.tflite"
    path.write_bytes(with_card(data))
    return path


@pytest.fixture(scope="module")
def client(file):
    with local.running(file) as address, httpx.Client(base_url=address, timeout=20) as client:
        yield client


def send(client, content, headers=PNG, **options):
    return client.post("/predict", content=content, headers=headers, **options)


def form(*files):
    return [("images", (f"{n}.png", one, "image/png")) for n, one in enumerate(files)]


# --- what is answered ------------------------------------------------------------------------


def test_a_picture_gets_its_name_its_probability_and_the_models_own_logits(client, data, images):
    from helpers import quantization

    reply = send(client, picture(images[0]), params={"logits": True})
    assert reply.status_code == 200
    told = reply.json()
    one = told["answers"][0]
    expected = quantization.run(data, images[:1, ..., None] / np.float32(255))[0]
    assert np.allclose(one["logits"], expected, rtol=1e-5, atol=1e-5)
    p = np.exp(expected / 1.5) / np.exp(expected / 1.5).sum()
    assert one["answer"] == datasets.FASHION_CLASSES[expected.argmax()]
    assert one["probability"] == pytest.approx(p.max(), abs=1e-4)
    assert list(one["classes"].values()) == sorted(one["classes"].values(), reverse=True)
    assert one["set"] == [datasets.FASHION_CLASSES[k] for k in np.argsort(-p) if p[k] >= 0.1]
    assert one["unsure"] == (p.max() < 0.6)
    health = client.get("/health").json()
    assert told["model"] == {"name": "clothes", "version": "1", "sha256": health["sha256"]}


def test_a_batch_is_answered_as_its_pictures_are_alone(client, images):
    files = [picture(image) for image in images[:16]]
    together = client.post("/predict?logits=true", files=form(*files)).json()["answers"]
    alone = [send(client, f, params={"logits": True}).json()["answers"][0] for f in files]
    assert [one["file"] for one in together] == [f"{n}.png" for n in range(16)]
    for one, other in zip(together, alone, strict=True):
        assert np.allclose(one["logits"], other["logits"], rtol=1e-5, atol=1e-4)


def looks(client, content, headers=PNG):
    return np.array(
        send(client, content, headers, params={"logits": True}).json()["answers"][0]["logits"]
    )


def test_every_kind_of_picture_becomes_the_same_input(client, images):
    image = Image.fromarray(images[3])
    plain = looks(client, picture(image))
    transparent = image.convert("RGBA")
    deep = Image.fromarray(images[3].astype(np.uint16) * 257)  # 16 bits
    kinds = [image.convert("RGB"), transparent, image.convert("LA"), deep, image.convert("P")]
    for kind in kinds:
        assert np.allclose(looks(client, picture(kind)), plain, atol=1e-4), kind.mode
    large = image.resize((280, 280), Image.Resampling.NEAREST)
    assert np.allclose(looks(client, picture(large)), plain, atol=1e-4)
    inks = image.convert("RGB").convert("CMYK")
    assert send(client, picture(inks, "JPEG"), JPEG).status_code == 200


def test_a_picture_that_the_camera_took_lying_is_turned(client, images):
    image = Image.fromarray(images[3]).resize((112, 112))
    upright = looks(client, picture(image, "JPEG", quality=100), JPEG)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me by 90 degrees to the right"
    lying = image.transpose(Image.Transpose.ROTATE_90)
    turned = looks(client, picture(lying, "JPEG", quality=100, exif=exif), JPEG)
    ignored = looks(client, picture(lying, "JPEG", quality=100), JPEG)
    assert np.abs(turned - upright).max() < 0.5 < np.abs(ignored - upright).max()


def test_pages_load_nothing_from_elsewhere(client):
    for address in ("/", "/docs"):
        reply = client.get(address)
        assert reply.status_code == 200 and "default-src 'none'" in str(reply.headers)
        found = re.findall(r"https?://[^\s\"'<]+", reply.text)
        assert all(one.startswith("http://localhost:8000") for one in found)
        assert "{" + "bytes}" not in reply.text and "8,000,000" in reply.text
    schema = client.get("/openapi.json").json()
    assert set(schema["paths"]) == {"/predict", "/health", "/metrics"}


# --- what is refused -------------------------------------------------------------------------


def bomb(width, height):
    """A PNG whose head promises so many pixels, and little else."""
    import struct
    import zlib

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(9999)))


GIF = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"
REFUSED = {
    "an empty body": (b"", PNG, 400, "empty"),
    "text": (b"hello", PNG, 415, "no JPEG or PNG"),
    "a GIF that says it is a PNG": (GIF, PNG, 415, "no JPEG or PNG"),
    "JSON": (b"{}", {"Content-Type": "application/json"}, 415, "multipart/form-data"),
    "no type": (b"hello", {}, 415, "multipart/form-data"),
    "a bomb": (bomb(40_000, 40_000), PNG, 413, "pixels; at most 25,000,000"),
    "a long strip": (bomb(21_000, 1), PNG, 413, "21000 × 1 pixels"),
    "too many bytes": (bytes(8_000_001), PNG, 413, "too long"),
    "a form without a boundary": (b"x", {"Content-Type": "multipart/form-data"}, 400, "damaged"),
    "a broken form": (
        b"--b\r\nContent-Disposition: nonsense\r\n\r\nx",
        {"Content-Type": "multipart/form-data; boundary=b"}, 400, "damaged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_refused_with_a_sentence(client, what):
    content, headers, status, words = REFUSED[what]
    start = time.perf_counter()
    reply = send(client, content, headers)
    assert reply.status_code == status
    sentence = reply.json()["error"]
    assert re.search(words, sentence) and sentence.endswith(".") and not LEAKS.search(reply.text)
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize("kind", ["image/jpg", "image/pjpeg", "Image/X-PNG; charset=binary"])
def test_other_names_for_jpeg_and_png_are_understood(client, images, kind):
    assert send(client, picture(images[0]), {"Content-Type": kind}).status_code == 200


def test_the_refusal_of_a_type_names_it(client, images):
    sent = {"Content-Type": "application/octet-stream"}
    reply = send(client, picture(images[0]), sent)
    assert "type image/jpeg or image/png, not 'application/octet" in reply.json()["error"]


def test_a_damaged_file_among_good_ones_is_named(client, images):
    good = picture(images[0])
    reply = client.post("/predict", files=form(good, good[: len(good) // 2]))
    assert reply.status_code == 400 and "File 2 (1.png)" in reply.json()["error"]
    reply = client.post("/predict", files=form(*[good] * 17))
    assert reply.status_code == 413 and "At most 16 files" in reply.json()["error"]
    reply = client.post("/predict", data={"name": "x"}, files={})
    assert reply.status_code == 415
    only_text = {"name": (None, "x")}
    assert "no file" in client.post("/predict", files=only_text).json()["error"]


def test_other_addresses_and_methods(client):
    assert client.get("/predict").status_code == 405
    assert client.get("/nothing").status_code == 404
    assert client.get("/docs/../../etc/passwd").status_code == 404
    assert client.post("/predict?logits=perhaps", content=b"", headers=PNG).status_code == 422
    for address in ("/predict", "/nothing"):
        assert client.get(address).json()["error"].endswith(".")


def test_a_chunked_body_without_a_length_is_bounded_too(client):
    def endless():
        for _ in range(300):
            yield bytes(100_000)

    reply = client.post("/predict", content=endless(), headers=PNG)
    assert reply.status_code == 413


def test_a_failure_inside_tells_nothing(client, images, monkeypatch):
    def broken(self, images):
        raise RuntimeError("secret /home/me/model.py")

    monkeypatch.setattr(Model, "logits", broken)
    reply = send(client, picture(images[0]))
    assert reply.status_code == 500 and "secret" not in reply.text and not LEAKS.search(reply.text)
    assert reply.headers["Connection"] == "close"  # or the next request meets a line hung up
    monkeypatch.undo()
    assert send(client, picture(images[0])).status_code == 200


# --- load ------------------------------------------------------------------------------------


@pytest.fixture
def slow_network(monkeypatch):
    real = Model.logits

    def slow(self, images):
        time.sleep(0.15)
        return real(self, images)

    monkeypatch.setattr(Model, "logits", slow)


def test_a_full_queue_says_try_again_and_those_inside_are_answered(file, images, slow_network):
    sent = picture(images[0])
    with (
        local.running(file, Limits(requests=4), batch=1) as address,
        ThreadPoolExecutor(16) as pool,
    ):
        replies = list(
            pool.map(
                lambda _: httpx.post(f"{address}/predict", content=sent, headers=PNG), range(16)
            )
        )
    busy = [reply for reply in replies if reply.status_code == 429]
    assert {reply.status_code for reply in replies} == {200, 429}
    assert len(replies) - len(busy) >= 4
    assert all(reply.headers["retry-after"] == "1" for reply in busy)


def test_too_late_an_answer_is_503(file, images, slow_network):
    with local.running(file, Limits(answer=0.05)) as address:
        reply = httpx.post(f"{address}/predict", content=picture(images[0]), headers=PNG)
    assert reply.status_code == 503 and "0.05 seconds" in reply.json()["error"]


def test_a_slow_upload_ends_and_keeps_nobody_waiting(file, images):
    with local.running(file, Limits(upload=0.5)) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as slow:
            slow.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
                         b"Content-Length: 1000\r\n\r\n")  # fmt: skip
            start, answered = time.perf_counter(), 0
            slow.settimeout(0.05)
            received = b""
            while not received and time.perf_counter() - start < 4:
                try:
                    received = slow.recv(4096)
                except TimeoutError:
                    slow.sendall(b"x")
                reply = httpx.post(f"{address}/predict", content=picture(images[0]), headers=PNG)
                answered += reply.status_code == 200
            assert b" 408 " in received.splitlines()[0] and answered >= 3
            assert 0.4 < time.perf_counter() - start < 3


def test_a_new_model_takes_over_under_load_and_no_request_is_lost(
    data, images, tmp_path, monkeypatch
):
    monkeypatch.setattr(app, "LOOK", 0.05)
    path, sent = tmp_path / "model.tflite", picture(images[0])
    path.write_bytes(with_card(data))
    stop, replies = threading.Event(), []

    def ask(address):
        with httpx.Client(base_url=address, timeout=20) as client:
            while not stop.is_set():
                replies.append(send(client, sent))

    def put(content):
        (tmp_path / "new").write_bytes(content)
        os.replace(tmp_path / "new", path)
        time.sleep(0.6)

    with local.running(path, threads=2) as address:
        askers = [threading.Thread(target=ask, args=(address,)) for _ in range(4)]
        for asker in askers:
            asker.start()
        time.sleep(0.3)
        for version in ("2", "3"):
            put(with_card(data, version=version, temperature=1.5 * int(version)))
        put(b"this is no model")
        put(with_card(data, version="4")[:-50])  # cut off while it was copied
        metrics = httpx.get(f"{address}/metrics").text
        stop.set()
        for asker in askers:
            asker.join()
    assert {reply.status_code for reply in replies} == {200} and len(replies) > 100
    told = [reply.json() for reply in replies]
    by_version = {}
    for one in told:  # whoever answered used his own temperature
        by_version.setdefault(one["model"]["version"], set()).add(one["answers"][0]["probability"])
    assert sorted(by_version) == ["1", "2", "3"]
    assert all(len(found) == 1 for found in by_version.values())
    assert 'serve_loads_total{result="refused"} 2.0' in metrics
    assert 'serve_loads_total{result="taken"} 3.0' in metrics
    assert metrics.count("serve_model{") == 1 and 'version="3"' in metrics


def families(text):
    return {f.name: f.samples for f in text_string_to_metric_families(text)}


def test_metrics_count_and_see_drift(file, images):
    with local.running(file) as address, httpx.Client(base_url=address) as client:
        send(client, b"hello")
        for _ in range(4):
            client.post("/predict", files=form(*[picture(image) for image in images[:16]]))
        before = families(client.get("/metrics").text)
        noise = np.random.default_rng(0).integers(0, 256, (16, 28, 28), np.uint8)
        for _ in range(14):
            client.post("/predict", files=form(*[picture(image) for image in noise]))
        after = families(client.get("/metrics").text)
    statuses = {
        s.labels["status"]: s.value for s in before["serve_requests"] if s.name.endswith("total")
    }
    assert statuses == {"415": 1, "200": 4}
    answers = [s for s in before["serve_answers"] if s.name.endswith("_total")]
    assert {s.labels["answer"] for s in answers} == set(datasets.FASHION_CLASSES)
    assert sum(s.value for s in answers) == 64
    assert next(s.value for s in before["serve_seconds"] if s.name.endswith("_count")) == 5
    assert before["serve_drift_gap"][0].value == 0  # too few answers to say
    assert after["serve_drift_gap"][0].value > after["serve_drift_bound"][0].value > 0


# --- one thousand strangers ------------------------------------------------------------------


def mutated(rng, content):
    content = bytearray(content)
    for _ in range(rng.integers(1, 6)):
        kind, at = rng.integers(5), int(rng.integers(len(content)))
        if kind == 0:
            content[at] = int(rng.integers(256))
        elif kind == 1:
            del content[at : at + int(rng.integers(1, 64))]
        elif kind == 2:
            content[at:at] = rng.bytes(int(rng.integers(1, 64)))
        elif kind == 3:
            content = content[: max(at, 1)]
        else:
            content[at : at + 4] = b"\xff\xff\xff\xff"
        if not content:
            content = bytearray(b"\x00")
    return bytes(content)


def raw(address, request):
    """The status of the answer to these very bytes, or 0 if there was none; and the answer."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as line:
        line.settimeout(5)
        try:
            line.sendall(request)
            line.shutdown(socket.SHUT_WR)
            answer = line.recv(65536)
        except (ConnectionError, BrokenPipeError):
            return 0, b""
    found = re.match(rb"HTTP/1\.1 (\d+)", answer)
    return int(found[1]) if found else 0, answer


def resident():
    """Megabytes of this process in memory."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def test_a_thousand_mutated_pictures_and_requests(file, images):
    rng, found = np.random.default_rng(0), {}
    seeds = [picture(images[0]), picture(images[1], "JPEG"), picture(Image.new("RGBA", (99, 40)))]
    exif = Image.Exif()
    exif[0x0112] = 6
    seeds.append(picture(Image.new("RGB", (60, 80)), "JPEG", exif=exif, progressive=True))
    body = seeds[0]
    head = (f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()  # fmt: skip
    parts = httpx.Request("POST", "http://x/predict", files=form(*seeds[:2]))
    parts.read()
    long_head = b"POST /predict HTTP/1.1\r\n" + b"".join(
        f"{k}: {v}\r\n".encode() for k, v in parts.headers.items()
    )
    with local.running(file, Limits(upload=2)) as address:
        with httpx.Client(base_url=address, timeout=10) as client:
            send(client, body)
            before = resident()
            for k in range(600):
                kind = PNG if k % 2 else JPEG
                reply = send(client, mutated(rng, seeds[k % 4]), kind)
                found[reply.status_code] = found.get(reply.status_code, 0) + 1
                assert not LEAKS.search(reply.text)
                if reply.status_code != 200:
                    assert reply.json()["error"].endswith(".")
        for k in range(400):
            whole = head + body if k % 2 else long_head + b"\r\n" + parts.content
            at_head = k % 4 < 2
            end = whole.index(b"\r\n\r\n")
            changed = (mutated(rng, whole[:end]) + whole[end:] if at_head
                       else whole[:end] + mutated(rng, whole[end:]))  # fmt: skip
            status, answer = raw(address, changed)
            found[status] = found.get(status, 0) + 1
            assert not LEAKS.search(answer.decode("latin-1"))
        grown = resident() - before
        assert httpx.get(f"{address}/health").status_code == 200
        assert httpx.post(f"{address}/predict", content=body, headers=PNG).status_code == 200
    assert set(found) <= STATUSES | {0}, found
    assert found[200] > 50 and found[400] > 200, found
    assert grown < 150, f"{grown:.0f} MB"


# --- the command -----------------------------------------------------------------------------


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Command:
    """``python -m helpers.serve`` on a free port."""

    def __init__(self, file, *options):
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "helpers.serve", file, "--port", str(self.port), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def __enter__(self):
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if httpx.get(f"{self.address}/health").status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError(self.process.communicate(timeout=5)[0].decode())

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def ask(command, content, **options):
    return httpx.post(f"{command.address}/predict", content=content, headers=PNG, **options)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGHUP")
def test_sighup_loads_and_sigterm_ends_when_the_last_request_is_answered(data, images, tmp_path):
    path, sent = tmp_path / "model.tflite", picture(images[0])
    path.write_bytes(with_card(data))
    with Command(path) as command:
        path.write_bytes(with_card(data, version="2"))
        command.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 10
        while ask(command, sent).json()["model"]["version"] != "2":
            assert time.monotonic() < until
            time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", command.port), timeout=10) as line:
            line.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
                         + f"Content-Length: {len(sent)}\r\n\r\n".encode() + sent[:50])  # fmt: skip
            time.sleep(0.3)
            command.process.terminate()
            time.sleep(0.5)
            with pytest.raises(httpx.TransportError):  # nobody new comes in
                ask(command, sent)
            line.sendall(sent[50:])
            assert b"200 OK" in line.recv(65536)
        assert command.process.wait(15) in (0, -signal.SIGTERM)
    assert "Traceback" not in command.process.stdout.read().decode()


def workers_of(parent):
    """The process numbers of the workers: children that run Python's multiprocessing."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat, open(f"/proc/{entry}/cmdline") as line:
                    ours = stat.read().rpartition(")")[2].split()[1] == str(parent)
                    if ours and "spawn_main" in line.read():
                        found.append(int(entry))
            except OSError:
                continue
    return sorted(found)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc to find the workers")
def test_a_killed_worker_is_replaced_and_requests_go_on(file, images):
    sent = picture(images[0])
    with Command(file, "--workers", "2") as command:
        until = time.monotonic() + 20
        while len(before := workers_of(command.process.pid)) < 2 and time.monotonic() < until:
            time.sleep(0.1)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        statuses = []
        while time.monotonic() < until:
            try:  # a connection that the dead one held is lost, which no server can help
                statuses.append(ask(command, sent, timeout=10).status_code)
            except httpx.TransportError:
                statuses.append(0)
            now = workers_of(command.process.pid)
            if len(now) == 2 and before[0] not in now and len(statuses) > 20:
                break
            time.sleep(0.05)
        assert len(now) == 2 and before[0] not in now
        assert statuses.count(0) <= 2 and set(statuses[-10:]) == {200}
        counted = families(httpx.get(f"{command.address}/metrics").text)["serve_requests"]
        assert sum(s.value for s in counted if s.labels.get("status") == "200") >= statuses.count(
            200
        )


@pytest.mark.parametrize("content", [None, b"hello", b"0000TFL3" + bytes(99)])
def test_the_command_says_why_it_does_not_serve(tmp_path, content):
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    command = [sys.executable, "-m", "helpers.serve", path, "--port", str(free_port())]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert told.returncode == 1 and "is not served: " in told.stderr
    assert "Traceback" not in told.stderr


def test_it_imports_no_tensorflow():
    code = "import sys, helpers.serve.local; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
