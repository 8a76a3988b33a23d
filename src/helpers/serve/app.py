"""The service: what each address answers, and what becomes of errors."""

import asyncio
import contextlib
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from helpers.serve import pictures
from helpers.serve.bundle import ModelError
from helpers.serve.engine import Engine
from helpers.serve.model import Model
from helpers.serve.pictures import Refused
from helpers.serve.uploads import Door, Limits, Visit
from helpers.serve.watch import Watch

log = logging.getLogger("uvicorn.error")
LOOK = 1.0  # seconds between two looks at the file
HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src blob: data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
FORM = {"type": "object", "properties": {"images": {"type": "array", "items": {
    "type": "string", "format": "binary"}}}}  # fmt: skip
BODY = {"requestBody": {"required": True, "content": {
    "multipart/form-data": {"schema": FORM},
    **{f"image/{kind}": {"schema": {"type": "string", "format": "binary"}}
       for kind in ("jpeg", "png")}}}}  # fmt: skip
REFUSALS = {
    400: "no file, or a damaged one",
    408: "sent too slowly",
    413: "too long, too many files or pixels",
    415: "neither JPEG nor PNG",
    429: "too many requests: try again",
    503: "the service is stopping, or the answer took too long",
}


class Service:
    """A model's file and all that is needed to answer with it."""

    def __init__(self, path, limits, threads, batch):
        self.path, self.limits, self.door = Path(path), limits, Door(limits)
        self.seen, self.watch, self.began = None, Watch(), time.time()
        self.model = Model(self._read())
        self.watch.new_model(self.model)
        self.engine = Engine(threads, batch, limits.requests)
        self.decoders = ThreadPoolExecutor(2, "pictures")

    def _read(self):
        state = self.path.stat()
        self.seen = (state.st_mtime_ns, state.st_size, state.st_ino)
        return self.path.read_bytes()

    def changed(self):
        try:
            state = self.path.stat()
        except OSError:
            return False
        return (state.st_mtime_ns, state.st_size, state.st_ino) != self.seen

    def reload(self):
        """Let the file's model take over; a bad one is refused, and the old one goes on."""
        try:
            data = self._read()
            new = Model(data)
        except (ModelError, OSError) as error:
            self.watch.loads.labels("refused").inc()
            reason = error if isinstance(error, ModelError) else "it cannot be read"
            log.error("the new model was refused, the old one goes on: %s", reason)
            return False
        if new.sha256 != self.model.sha256:
            self.model = new
            self.watch.new_model(new)
            log.info("model %s takes over, SHA-256 %s", new.card.version, new.sha256[:12])
        return True

    async def look(self):
        """Reload when the file has changed. It is loaded in a thread, so requests go on."""
        while True:
            await asyncio.sleep(LOOK)
            if self.changed():
                await asyncio.to_thread(self.reload)

    async def predict(self, request, with_logits=False):
        visit = Visit(self.door, request)
        try:
            return await self._visited(visit, with_logits)
        except Refused:
            await visit.drain()
            raise

    async def _visited(self, visit, with_logits):
        with visit:
            sent = await visit.files()
            model = self.model  # prepared for it, answered by it
            images = await self._prepared(sent, model.card)
            work = self.engine.submit(images, model)
            try:
                logits = await asyncio.wait_for(asyncio.wrap_future(work), self.limits.answer)
            except TimeoutError:
                raise Refused(
                    503,
                    f"No answer came within {self.limits.answer:g} seconds.",
                    {"Retry-After": "5"},
                ) from None
        return self._answer([name for name, _ in sent], logits, model, with_logits)

    async def _prepared(self, sent, card):
        def prepare():
            for number, (name, data) in enumerate(sent, start=1):
                try:
                    yield pictures.array_of(data, card, self.limits.pixels)
                except Refused as error:
                    if len(sent) == 1:
                        raise
                    which = f"File {number}{f' ({name})' if name else ''}: "
                    raise Refused(error.status, which + error.sentence) from None

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.decoders, lambda: np.stack(list(prepare())))

    def _answer(self, names, logits, model, with_logits):
        card, p = model.card, model.probabilities(logits)
        best = p.argmax(axis=1)
        top = p[np.arange(len(p)), best]
        unsure = top < card.unsure_below
        self.watch.answered([card.classes[k] for k in best], top, unsure)
        answers = []
        for n, name in enumerate(names):
            order = np.argsort(-p[n])
            one = {"file": name, "answer": card.classes[best[n]]}
            one |= {"probability": round(float(top[n]), 4), "unsure": bool(unsure[n])}
            if card.set_threshold is not None:
                chosen = [k for k in order if p[n, k] >= 1 - card.set_threshold]
                one["set"] = [card.classes[k] for k in chosen]
            one["classes"] = {card.classes[k]: round(float(p[n, k]), 4) for k in order[:10]}
            if with_logits:
                one["logits"] = [float(z) for z in logits[n]]
            answers.append(one)
        own = {"name": card.name, "version": card.version, "sha256": model.sha256}
        return {"model": own, "answers": answers}

    def close(self):
        self.engine.close()
        self.decoders.shutdown()


def create(path, limits=None, *, threads=1, batch=8):
    """The application for a model's file with its card. Raises ``ModelError`` for a bad one.

    limits    ``uploads.Limits``
    threads, batch   of the network: see ``engine.Engine``
    """
    service = Service(path, limits or Limits(), threads, batch)

    @contextlib.asynccontextmanager
    async def life(app):
        looking = asyncio.create_task(service.look())
        yield
        looking.cancel()
        await asyncio.to_thread(service.close)

    card = service.model.card
    app = FastAPI(
        title=card.name,
        version=card.version,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    _addresses(app, service)
    _pages(app, service)
    _errors(app)
    return app


def _addresses(app, service):
    refusals = {status: {"description": why} for status, why in REFUSALS.items()}

    @app.post("/predict", openapi_extra=BODY, responses=refusals)
    async def predict(request: Request, logits: bool = False):
        """Names and calibrated probabilities for one or more pictures."""
        start, status = time.perf_counter(), 500
        try:
            answer = await service.predict(request, logits)
            status = 200
            return JSONResponse(answer, headers=HEADERS)
        except Refused as error:
            status = error.status
            raise
        finally:
            service.watch.requests.labels(str(status)).inc()
            service.watch.seconds.observe(time.perf_counter() - start)

    @app.get("/health")
    async def health():
        """Is it serving, and what?"""
        model = service.model
        facts = {"status": "ok", "version": model.card.version, "sha256": model.sha256}
        return JSONResponse(
            {**facts, "seconds": round(time.time() - service.began)}, headers=HEADERS
        )

    @app.get("/metrics")
    async def metrics():
        """Counts and times for Prometheus."""
        kind = "text/plain; version=0.0.4; charset=utf-8"
        return Response(service.watch.text(service.engine), media_type=kind, headers=HEADERS)


def _pages(app, service):
    """The page to try the service in, and the one that describes it."""
    for address, name in (("/", "page.html"), ("/docs", "docs.html")):
        text = (files("helpers.serve") / name).read_text("utf-8")
        headers = {**HEADERS, "Content-Security-Policy": POLICY}

        @app.get(address, include_in_schema=False)
        async def page(text=text, headers=headers):
            limits = service.limits
            for key in ("bytes", "files", "pixels", "upload"):
                text = text.replace(f"{{{key}}}", f"{getattr(limits, key):,}")
            return HTMLResponse(text, headers=headers)


def _errors(app):
    @app.exception_handler(Refused)
    async def refused(request, error):
        # The rest of what is being sent is not read, so the connection cannot be used again.
        headers = {**HEADERS, **error.headers, "Connection": "close"}
        return JSONResponse({"error": error.sentence}, error.status, headers)

    @app.exception_handler(HTTPException)
    async def unknown(request, error):
        sentence = {
            404: "There is nothing at this address; see /docs.",
            405: "This address is not used in that way; see /docs.",
        }.get(error.status_code, "The request cannot be answered.")
        headers = {**HEADERS, **(error.headers or {})}
        return JSONResponse({"error": sentence}, error.status_code, headers)

    from fastapi.exceptions import RequestValidationError

    @app.exception_handler(RequestValidationError)
    async def misspelled(request, error):
        return JSONResponse({"error": "A setting in the address makes no sense."}, 422, HEADERS)

    @app.exception_handler(Exception)
    async def failed(request, error):  # the server's log has the details
        # Uvicorn hangs up after a failure, so nobody should send a second request on this line.
        headers = {**HEADERS, "Connection": "close"}
        return JSONResponse({"error": "The service failed; its log says why."}, 500, headers)


def from_environment():
    """What a worker process starts; ``python -m helpers.serve`` has set the variables."""
    own = {k[6:].lower(): v for k, v in os.environ.items() if k.startswith("SERVE_")}
    bounds = {k: type(v)(own[k]) for k, v in vars(Limits()).items() if k in own}
    return create(
        own["model"], Limits(**bounds), threads=int(own["threads"]), batch=int(own["batch"])
    )
