"""Serve the rendered book on this machine, at port 8000 or the next one that is free."""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HTML = Path(__file__).resolve().parent.parent / "_build" / "html"


def server(first=8000, tries=20):
    """A server of the book. Raises ``OSError`` if none of the ports can be had."""
    handler = partial(SimpleHTTPRequestHandler, directory=HTML)
    for port in range(first, first + tries):
        try:
            return ThreadingHTTPServer(("localhost", port), handler)
        except OSError as error:  # taken: try the next one
            problem = error
    raise OSError(f"no port from {first} to {first + tries - 1} is free") from problem


if __name__ == "__main__":
    try:
        book = server()
    except OSError as error:
        sys.exit(f"error: {error}")
    print(f"Open http://localhost:{book.server_port} (Ctrl+C ends it)")
    try:
        book.serve_forever()
    except KeyboardInterrupt:
        print()
