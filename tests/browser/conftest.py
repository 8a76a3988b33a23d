"""A real browser for the tests: pages from the disk or from a small server, at any width, in light
or dark, with or without scripts and motion.

    def test_something(open_page):
        page = open_page("intro.html", width=390, dark=True)  # a Playwright page
        page.get_by_role("button", name="Classify").click()
        assert not page.errors   # what the console or a script complained of
        assert not page.outside  # addresses outside of the book that the page asked for

Playwright drives the Chromium, Chrome or Edge that is installed, or ``BROWSER_FOR_TESTS``.
"""

import functools
import gzip
import os
import re
import shutil
import subprocess
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent.parent
HTML = ROOT / "_build" / "html"
NAMES = "chromium chromium-browser google-chrome google-chrome-stable chrome microsoft-edge msedge"
PLACES = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
]
COMMAND = "sudo apt-get install chromium"


def installed():
    """The path of a browser that is there, or ``None``."""
    if named := os.environ.get("BROWSER_FOR_TESTS"):
        return shutil.which(named)
    found = [path for name in NAMES.split() if (path := shutil.which(name))]
    return next(iter(found + [path for path in PLACES if Path(path).exists()]), None)


def install():
    """Debian's or Ubuntu's package, where we may; other workers wait for the lock of apt."""
    if not (shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0):
        return
    packages = ["chromium", "fonts-liberation"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for what in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600", *what]
        done = subprocess.run(apt, env=environment, stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        pytest.skip("there is no browser, and Debian's archive could not be reached to install one")


def found_browser():
    if not (path := installed()) and "BROWSER_FOR_TESTS" not in os.environ:
        install()
        path = installed()
    if not path:
        pytest.fail(
            f"the tests of the pages need Chromium, Chrome or Edge: {COMMAND}  "
            "(or BROWSER_FOR_TESTS=/path/of/one)",
            pytrace=False,
        )
    return path


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests of a worker."""
    path = found_browser()
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        # Chromium's own sandbox refuses to start for root; the pages are our own.
        # Without a graphics processor it may rest for minutes without drawing a frame.
        options = {"chromium_sandbox": not root, "args": ["--disable-gpu"]}
        running = playwright.chromium.launch(executable_path=path, **options)
        yield running
        running.close()


class Compressed(SimpleHTTPRequestHandler):
    """Files of the book, text compressed as the hosts of web pages do."""

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return self.send_error(404)
        body = path.read_bytes()
        text = path.suffix in {".html", ".css", ".js", ".svg", ".json", ".txt"}
        body = gzip.compress(body, 6) if text else body
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        if text:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def server():
    """The address of a server of the rendered book on a free port."""
    handler = functools.partial(Compressed, directory=str(HTML))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}/"
        serving.shutdown()


@pytest.fixture
def open_page(browser, server):
    """A function that opens a page of the book in a fresh browser context.

    ``path`` is relative to the rendered book, or absolute. From the disk (``http=False``) the
    network is cut off. ``watch`` is a script that runs before the page's own; files whose address
    fits ``late`` come 0.3 seconds late.
    """
    contexts = []

    def opened(
        path,
        width=1280,
        height=800,
        dark=False,
        still=False,
        javascript=True,
        http=False,
        touch=False,
        scale=1,
        wait="load",
        watch="",
        late="",
    ):
        name = re.split("[?#]", str(path))[0]
        file = HTML / name
        assert file.exists(), f"{file} is not there: run `make book` first"
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if still else "no-preference",
            java_script_enabled=javascript,
            has_touch=touch,
            device_scale_factor=scale,
            offline=not http,
        )
        contexts.append(context)
        page = context.new_page()
        if watch:
            page.add_init_script(watch)
        if late:
            page.route(late, lambda route: (time.sleep(0.3), route.continue_()))
        page.errors, page.outside = [], []
        page.on("pageerror", lambda error: page.errors.append(f"script: {error}"))
        page.on(
            "console",
            lambda message: (
                page.errors.append(f"console: {message.text}") if message.type == "error" else None
            ),
        )

        def note(request):
            if not request.url.startswith((server, "file:", "data:", "blob:")):
                page.outside.append(request.url)

        page.on("request", note)
        address = server + str(path) if http else file.as_uri() + str(path)[len(name) :]
        page.goto(address, wait_until="load")
        if wait != "load":
            page.wait_for_load_state(wait)
        return page

    yield opened
    for context in contexts:
        context.close()
