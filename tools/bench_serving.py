"""Measure the service of lab 13 beside the simplest one that could be written, over HTTP.

Run by `make bench`. The rival is the same web server with Keras' `predict` called for each request,
as most tutorials have it; a row is LiteRT without batching, to see what batching adds. Each server
is a process of its own, and gets the same pictures from 1, 8 and 32 connections, each of which
sends its next request when it has its answer. The servers take turns in every round, so that a busy
machine slows all of them; medians over the rounds are printed.

`python tools/bench_serving.py --rounds 5 --seconds 4` takes five minutes.
"""

import argparse
import asyncio
import io
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

CONNECTIONS = (1, 8, 32)
TOOLS = Path(__file__).resolve().parent


def keras_service(file):
    """The rival: decode and prepare as ours does, then `predict`, one request after the other."""
    import uvicorn
    from fastapi import FastAPI, Request

    from helpers import alexnet
    from helpers.serve import bundle, pictures

    card = bundle.split(Path(file).read_bytes())[1]
    model = alexnet.alexnet28(weights="fashion_mnist")
    model.predict(np.zeros((1, 28, 28, 1), np.float32), verbose=0)
    app = FastAPI()

    @app.get("/health")
    async def health():
        return {}

    @app.post("/predict")
    async def predict(request: Request):
        image = pictures.array_of(await request.body(), card)
        logits = model.predict(image[None], verbose=0)[0]
        p = np.exp(logits - logits.max())
        p /= p.sum()
        return {"answer": card.classes[int(p.argmax())], "probability": float(p.max())}

    uvicorn.run(app, port=int(os.environ["PORT"]), access_log=False, log_level="error")


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Server:
    def __init__(self, name, file, options):
        self.name, self.port = name, free_port()
        if options is None:
            command = [__file__, "--rival", str(file)]
        else:
            command = ["-m", "helpers.serve", str(file), "--port", str(self.port), *options]
        environment = {**os.environ, "PORT": str(self.port), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=subprocess.DEVNULL
        )
        until = time.monotonic() + 90
        while time.monotonic() < until:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise RuntimeError(f"{name} did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


async def one_client(port, pictures, until, times, failed):
    """A connection that stays, spoken to by hand: a library would cost more than the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    k = 0
    while time.perf_counter() < until:
        body = pictures[k % len(pictures)]
        head = (
            "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        start = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in answer.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        await reader.readexactly(length)
        times.append(time.perf_counter() - start)
        failed.append(not answer.startswith(b"HTTP/1.1 200"))
        k += 1
    writer.close()


async def load(port, pictures, connections, seconds):
    times, failed, start = [], [], time.perf_counter()
    clients = [
        one_client(port, pictures, start + seconds, times, failed) for _ in range(connections)
    ]
    await asyncio.gather(*clients)
    return len(times) / (time.perf_counter() - start), np.array(times) * 1e3, sum(failed)


def prepare(folder):
    """The model's file and a hundred pictures as PNG files."""
    from helpers import alexnet, datasets, quantization
    from helpers.serve import bundle

    data = datasets.fashion_mnist("quick")
    model = alexnet.alexnet28(weights="fashion_mnist")
    card = bundle.Card("clothes", "1", data.class_names, 28, 28, channels=1)
    file = folder / "clothes.tflite"
    file.write_bytes(bundle.attach(quantization.convert(model), card))
    pictures = []
    for image in data.test_images[:100]:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        pictures.append(buffer.getvalue())
    return file, pictures


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rival", help="be the rival, for this file")
    given = parser.parse_args()
    if given.rival:
        return keras_service(given.rival)
    with tempfile.TemporaryDirectory() as folder:
        file, pictures = prepare(Path(folder))
        servers = [
            Server("Keras predict, one by one", file, None),
            Server("LiteRT, one by one", file, ["--batch", "1"]),
            Server("LiteRT, micro-batches", file, []),
            Server("LiteRT, two processes", file, ["--workers", "2"]),
        ]
        try:
            report(servers, pictures, given)
        finally:
            for server in servers:
                server.stop()


def report(servers, pictures, given):
    print("requests a second, p50 and p99 in milliseconds; client and server share the machine")
    for connections in CONNECTIONS:
        found = {server.name: [] for server in servers}
        for server in servers:
            asyncio.run(load(server.port, pictures, connections, 0.5))  # warm up
        for _ in range(given.rounds):
            for server in servers:
                found[server.name].append(
                    asyncio.run(load(server.port, pictures, connections, given.seconds))
                )
        base = None
        for name, rounds in found.items():
            rate = statistics.median(r for r, _, _ in rounds)
            half, slow = (
                statistics.median(np.percentile(t, q) for _, t, _ in rounds) for q in (50, 99)
            )
            base = base or rate
            lost = sum(f for _, _, f in rounds)
            print(
                f"{connections:3} connections  {name:26} {rate:7,.0f}/s  p50 {half:7.2f}  "
                f"p99 {slow:7.2f}  {rate / base:5.1f}x  {lost} failed"
            )


if __name__ == "__main__":
    main()
