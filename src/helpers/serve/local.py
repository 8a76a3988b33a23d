"""The service inside another program, for a notebook or a test; and a client in a few lines."""

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request

import uvicorn

from helpers.serve.app import create


@contextlib.contextmanager
def running(path, limits=None, *, port=0, threads=1, batch=8):
    """Serve a model's file in a thread, on a free port; yields its address.

    It is reachable from this machine only, and stops at the end of the ``with``. Raises
    ``ModelError`` for a file that cannot be served, ``OSError`` for a port that is taken.
    """
    app = create(path, limits, threads=threads, batch=batch)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    socket = config.bind_socket() if port else _any_port(config)
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise OSError("the service did not start")
            time.sleep(0.005)
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        socket.close()


def _any_port(config):
    import socket

    found = socket.socket()
    found.bind((config.host, 0))
    return found


def ask(address, body, kind="image/png", path="/predict?logits=true"):
    """Send ``body`` to a service; the status of its answer, and the answer itself."""
    request = urllib.request.Request(address + path, body, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
