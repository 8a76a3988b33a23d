"""What strangers send, read within bounds: bytes, files, memory and time."""

import asyncio
import contextlib
from dataclasses import dataclass

from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from helpers.serve.pictures import LARGEST, Refused
from helpers.words import shown

PICTURES = ("image/jpeg", "image/png", "image/jpg", "image/pjpeg", "image/x-png")  # some say so
NAME_LENGTH = 100  # of a file's name in the answer
PATIENCE = 2.0  # seconds for which a refused sender may go on


@dataclass(frozen=True)
class Limits:
    """Bounds of a service.

    bytes, files, pixels   of one request, in one request, of one picture
    requests, memory       under way at a time, and bytes that these may have sent together
    upload, answer         seconds for a request to arrive, and for the network to answer it
    """

    bytes: int = 8_000_000
    files: int = 16
    pixels: int = LARGEST
    requests: int = 64
    memory: int = 128_000_000
    upload: float = 10.0
    answer: float = 10.0


class Door:
    """How many requests are inside, and how many bytes they have brought."""

    def __init__(self, limits):
        self.limits, self.inside, self.held = limits, 0, 0


class Visit:
    """One request inside the door: ``with Visit(door, request) as visit``, or ``Refused``, 429."""

    def __init__(self, door, request):
        self.door, self.limits, self.request = door, door.limits, request
        self.stream, self.brought = request.stream(), 0

    def __enter__(self):
        if self.door.inside >= self.limits.requests:
            raise _busy("Too many requests are waiting; try again.")
        self.door.inside += 1
        return self

    def __exit__(self, *error):
        self.door.inside -= 1
        self.door.held -= self.brought

    async def files(self):
        """``[(name, bytes), ...]``: the body, if it is a picture itself, or the files of its form.

        Raises ``Refused``: 408 too slow, 413 too long, 415 another type, 400 no files, 429 busy.
        """
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (*PICTURES, "multipart/form-data"):
            raise Refused(
                415,
                "Send JPEG or PNG files as multipart/form-data, or one as the request's body with "
                f"the type image/jpeg or image/png, not {shown(kind)}.",
            )
        body = await self._body()
        return [("", body)] if kind in PICTURES else await self._parts(body)

    async def drain(self):
        """Read and forget what a refused sender still sends, for a moment.

        Closed at once, the connection would be reset, and the sender would never see the reason.
        """
        forgotten = 0
        with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):
            async with asyncio.timeout(PATIENCE):
                async for chunk in self.stream:
                    forgotten += len(chunk)
                    if forgotten > 10 * self.limits.bytes:
                        return

    async def _body(self):
        most, told = self.limits.bytes, self.request.headers.get("content-length", "0")
        too_long = Refused(413, f"The request is too long; at most {most:,} bytes are taken.")
        if not told.isdigit() or len(told) > 15 or int(told) > most:
            raise too_long
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.upload):
                async for chunk in self.stream:
                    body += chunk
                    self.brought += len(chunk)
                    self.door.held += len(chunk)
                    if len(body) > most:
                        raise too_long
                    if self.door.held > self.limits.memory:
                        raise _busy("Too much is being sent at once; try again.")
        except TimeoutError:
            raise Refused(
                408, f"The request did not arrive within {self.limits.upload:g} seconds."
            ) from None
        except ClientDisconnect:
            raise Refused(400, "The request was cut off.") from None
        return bytes(body)

    async def _parts(self, body):
        async def whole():
            yield body

        parser = MultiPartParser(
            self.request.headers, whole(), max_files=self.limits.files, max_fields=self.limits.files
        )
        parser.spool_max_size = self.limits.bytes  # nothing goes to the disk
        try:
            form = await parser.parse()
        except MultiPartException as error:
            if "Too many" in str(error):
                raise Refused(413, f"At most {self.limits.files} files are taken.") from None
            raise Refused(400, "The form is damaged or was cut off.") from None
        except Exception:  # its parts may be broken in many ways
            raise Refused(400, "The form is damaged or was cut off.") from None
        try:
            sent = [part for _, part in form.multi_items() if not isinstance(part, str)]
            if not sent:
                raise Refused(400, "There is no file in the form.")
            return [((part.filename or "")[:NAME_LENGTH], await part.read()) for part in sent]
        finally:
            await form.close()


def _busy(sentence):
    return Refused(429, sentence, {"Retry-After": "1"})
