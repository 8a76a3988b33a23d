"""``python -m helpers.serve model.tflite --port 8000``: see the package's docstring."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

LACKING = "install fastapi, uvicorn, python-multipart and prometheus-client"


def arguments(argv=None):
    from helpers.serve.uploads import Limits

    parser = argparse.ArgumentParser(
        "python -m helpers.serve",
        description="Serve a LiteRT network with its card over HTTP; see /docs once it runs.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )

    def number(kind, low, high):
        def parse(text):
            if not low <= kind(text) <= high:
                raise argparse.ArgumentTypeError(f"{text} is not from {low:g} to {high:g}")
            return kind(text)

        parse.__name__ = {int: "whole number", float: "number"}[kind]
        return parse

    add, limits = parser.add_argument, Limits()
    add("model", type=lambda text: Path(text).expanduser(), help="made with bundle.attach")
    add("--host", default="127.0.0.1", help="0.0.0.0 to be reached from other machines")
    add("--port", type=number(int, 1, 65535), default=8000, help="where to listen")
    add("--workers", type=number(int, 1, 64), default=1, help="processes; a dead one is replaced")
    add("--threads", type=number(int, 1, 64), default=1, help="of a process, for the network")
    add("--batch", type=number(int, 1, 256), default=8, help="pictures in one call, at most")
    add("--bytes", type=number(int, 1, 10**9), default=limits.bytes, help="of a request")
    add("--files", type=number(int, 1, 256), default=limits.files, help="in a request")
    add("--pixels", type=number(int, 1, 10**9), default=limits.pixels, help="of a picture")
    add("--requests", type=number(int, 1, 10**5), default=limits.requests, help="at a time")
    add("--memory", type=number(int, 1, 10**12), default=limits.memory, help="bytes under way")
    add("--upload", type=number(float, 0.01, 3600), default=limits.upload, help="seconds to send")
    add("--answer", type=number(float, 0.01, 3600), default=limits.answer, help="seconds to answer")
    add("--grace", type=number(int, 0, 3600), default=20, help="seconds to finish after a stop")
    return parser.parse_args(argv)


def main(argv=None):
    try:
        import uvicorn

        from helpers.serve import app
        from helpers.serve.bundle import ModelError
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "helpers":
            raise
        sys.exit(f"{error.name} is missing; {LACKING}")
    given = arguments(argv)
    own = {k: v for k, v in vars(given).items() if k not in ("host", "port", "workers", "grace")}
    for name, value in own.items():
        os.environ[f"SERVE_{name.upper()}"] = str(value)
    settings = {"host": given.host, "port": given.port, "timeout_graceful_shutdown": given.grace}
    settings |= {"access_log": False, "timeout_keep_alive": 5, "server_header": False}
    try:
        if given.workers > 1:  # each loads the model; one that dies is replaced
            app.Model(given.model.read_bytes())  # a bad file is told here, and once
            with tempfile.TemporaryDirectory(prefix="serve-") as folder:
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
                uvicorn.run("helpers.serve.app:from_environment", factory=True,
                            workers=given.workers, **settings)  # fmt: skip
            return
        ours = app.from_environment()
    except (ModelError, OSError) as error:
        reason = error.strerror or "it cannot be read" if isinstance(error, OSError) else error
        sys.exit(f"{given.model} is not served: {reason}")
    if hasattr(signal, "SIGHUP"):  # not on Windows
        service = ours.state.service
        signal.signal(signal.SIGHUP, lambda *_: setattr(service, "seen", None))
    print(f"{service_line(ours, given)}", flush=True)
    uvicorn.run(ours, **settings)


def service_line(ours, given):
    model = ours.state.service.model
    return (
        f"serving {model.card.name} {model.card.version} ({model.sha256[:12]}) "
        f"at http://{given.host}:{given.port}"
    )


if __name__ == "__main__":
    main()
