"""``make epub``: XML that a strict reader accepts, links and pictures that are in the file."""

import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
SVG, XHTML = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xhtml}"
CHECKER = Path("/usr/share/java/epubcheck.jar")  # Debian's package epubcheck


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The EPUB, made anew from the sources."""
    folder = tmp_path_factory.mktemp("ebook")
    programs = ROOT / ".venv-book" / ("Scripts" if os.name == "nt" else "bin")
    options = ["-q", "-W", "-n", "--path-output", folder, "--builder", "custom"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    made = subprocess.run(
        [programs / "jupyter-book", "build", ROOT, *options, "--custom-builder", "epub"],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "_build" / "epub" / "the-imagenet-moment.epub"


@pytest.fixture(scope="module")
def pages(book):
    """{name in the archive: the page's root}; a page that is not XML fails here."""
    with zipfile.ZipFile(book) as file:
        names = [name for name in file.namelist() if name.endswith(".xhtml")]
        return {name: ET.fromstring(file.read(name)) for name in names}


def test_every_page_of_the_book_is_in_it(pages):
    stems = {p.stem for p in [*ROOT.glob("chapters/*.md"), *ROOT.glob("notebooks/*.ipynb")]}
    assert stems <= {PurePosixPath(name).stem for name in pages}


def test_drawings_have_their_namespace_and_nothing_runs(pages):
    for name, page in pages.items():
        tags = [element.tag for element in page.iter()]
        assert XHTML + "svg" not in tags, f"{name}: a drawing that an e-book does not show"
        assert not {XHTML + "script", XHTML + "canvas", XHTML + "button"} & set(tags), name
        assert "var(--" not in ET.tostring(page, "unicode"), f"{name}: a color that nobody sets"
    assert any(SVG + "svg" in {e.tag for e in page.iter()} for page in pages.values())


def test_a_summary_is_one_line(pages):
    for name, page in pages.items():
        for summary in page.iter(XHTML + "summary"):
            assert summary.find(XHTML + "p") is None, f"{name}: {''.join(summary.itertext())}"


def test_links_and_pictures_lead_to_what_is_in_the_file(book, pages):
    with zipfile.ZipFile(book) as file:
        held = set(file.namelist())
        listed = re.findall(r'href="([^"]+)"', file.read("content.opf").decode())
    assert set(map(unquote, listed)) <= held
    ids = {name: {e.get("id") for e in page.iter()} for name, page in pages.items()}
    for name, page in pages.items():
        for element in page.iter():
            target = element.get("href") or element.get("src")
            if not target or urlsplit(target).scheme or element.tag.startswith(SVG):
                continue
            path, _, anchor = unquote(target).partition("#")
            there = os.path.normpath(PurePosixPath(name).parent / path) if path else name
            assert there in held, f"{name}: {target} is not in the file"
            assert not anchor or there not in ids or anchor in ids[there], f"{name}: {target}"
        for image in page.iter(XHTML + "img"):
            assert image.get("alt") is not None, f"{name}: {image.get('src')} has no text"


@pytest.mark.skipif(
    not (CHECKER.exists() and shutil.which("java")), reason="Debian's epubcheck is not installed"
)
def test_epubcheck_finds_nothing(book):
    found = subprocess.run(["java", "-jar", CHECKER, book], capture_output=True, text=True)
    assert found.returncode == 0 and "0 errors" in found.stdout, found.stderr[-3000:]
