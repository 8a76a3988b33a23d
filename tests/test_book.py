"""The rendered book: links resolve, figures have texts, pages are light. `make tests` makes it."""

import gzip
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
SKIP = {"genindex.html", "search.html", "index.html"}


class Page(HTMLParser):
    """Ids, links and images of one page; ``article`` counts only what the author wrote."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.images, self.in_article = set(), [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        if tag == "article":
            self.in_article = True
        if "id" in a:
            self.ids.add(a["id"])
        if tag == "a" and "href" in a:
            self.links.append(a["href"])
        if tag == "img" and self.in_article:
            self.images.append(a)

    def handle_endtag(self, tag):
        if tag == "article":
            self.in_article = False


@pytest.fixture(scope="module")
def pages():
    assert (HTML / "index.html").exists(), "there is no rendered book: run `make book` first"
    found = {p: Page(p.read_text(encoding="utf-8")) for p in sorted(HTML.rglob("*.html"))}
    return {p: page for p, page in found.items() if "_static" not in p.parts}


def toc_files():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    found = [toc["root"]]

    def walk(entries):
        for entry in entries:
            found.append(entry["file"])
            walk(entry.get("sections", []))

    for part in toc["parts"]:
        walk(part["chapters"])
    return found


def test_every_entry_of_the_contents_is_a_page():
    for name in toc_files():
        assert (HTML / f"{name}.html").exists(), f"{name} is in _toc.yml and was not rendered"


def test_every_chapter_and_lab_is_in_the_contents():
    written = {f"chapters/{p.stem}" for p in (ROOT / "chapters").glob("*.md")}
    written |= {f"notebooks/{p.stem}" for p in (ROOT / "notebooks").glob("*.ipynb")}
    assert written <= set(toc_files()), f"not in _toc.yml: {written - set(toc_files())}"


def test_a_lab_stands_under_its_chapter():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    for part in toc["parts"]:
        for entry in part["chapters"]:
            for section in entry.get("sections", []):
                assert Path(section["file"]).name == Path(entry["file"]).name


def test_links_resolve(pages):
    broken = []
    for path, page in pages.items():
        for href in page.links:
            url = urlsplit(href)
            if url.scheme or url.netloc:
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            if target.is_dir():
                target = target / "index.html"
            if not target.exists():
                broken.append(f"{path.relative_to(HTML)} -> {href}")
            elif url.fragment and target.suffix == ".html":
                known = pages.get(target)
                if known and unquote(url.fragment) not in known.ids:
                    broken.append(f"{path.relative_to(HTML)} -> {href} (no such place)")
    assert not broken, "\n".join(sorted(set(broken)))


def test_no_link_leads_to_the_published_book_instead_of_this_one(pages):
    base = yaml.safe_load((ROOT / "_config.yml").read_text())["html"]["baseurl"]
    for path, page in pages.items():
        assert not [u for u in page.links if u.startswith(base)], path


def test_every_image_has_an_alt_text(pages):
    for path, page in pages.items():
        for image in page.images:
            alt = image.get("alt", "")
            assert len(alt) >= 15 and not re.search(r"\.(png|svg|jpg)$", alt), (
                f"{path.relative_to(HTML)}: {image.get('src')} has the alt text {alt!r}"
            )


def test_colab_buttons_name_their_own_file(pages):
    for path, page in pages.items():
        colab = [u for u in page.links if "colab.research.google.com/github" in u]
        if path.parent.name == "notebooks":
            assert colab, f"{path.name} has no Colab button"
            for url in colab:
                name = f"/blob/main/notebooks/{path.stem}.ipynb"
                assert url.endswith(name), f"{path.name}: {url}"
                assert (ROOT / "notebooks" / f"{path.stem}.ipynb").exists()


def test_pages_are_light():
    for path in HTML.rglob("*.html"):
        size = len(gzip.compress(path.read_bytes()))
        assert size <= 300_000, f"{path.relative_to(HTML)}: {size} bytes compressed"


def test_the_claims_page_has_every_claim_of_every_lab(pages):
    text = (HTML / "chapters" / "claims.html").read_text(encoding="utf-8")
    for lab in (ROOT / "notebooks").glob("*.ipynb"):
        claims = re.findall(r"[✓≈] .*; measured ", lab.read_text(encoding="utf-8"))
        shown = re.findall(rf'href="\.\./notebooks/{lab.stem}\.html#', text)
        assert len(shown) == len(claims) > 0, f"{lab.stem}: {len(shown)} of {len(claims)}"


def test_a_labs_page_lists_its_claims_so_that_they_wrap():
    for lab in (ROOT / "notebooks").glob("*.ipynb"):
        text = (HTML / "notebooks" / f"{lab.stem}.html").read_text(encoding="utf-8")
        claims = re.findall(r"[✓≈] .*; measured ", lab.read_text(encoding="utf-8"))
        assert text.count('<span class="claim-facts">') == len(claims), lab.stem
        assert not re.search(r"<pre>[^<]*[✓≈] ", text), f"{lab.stem}: a claim runs off the screen"


def test_no_measured_value_is_missing(pages):
    for path in pages:
        assert 'class="measured">?' not in path.read_text(encoding="utf-8"), path


def test_chapters_have_no_typed_checkmarks_of_claims():
    for chapter in (ROOT / "chapters").glob("*.md"):
        assert "; measured" not in chapter.read_text(encoding="utf-8"), (
            f"{chapter.name}: a measured value comes from the lab, through {{measured}}"
        )


def test_differences_of_shares_are_given_in_points(pages):
    sources = [ROOT / "intro.md", *(ROOT / "chapters").glob("*.md")]
    written = sum(len(re.findall(r"{measured}`[^`]*pp`", p.read_text())) for p in sources)
    rendered = sum(
        len(re.findall(r'class="measured">[+−]?\d+(?:\.\d+)? points?<', p.read_text()))
        for p in pages
    )
    assert rendered == written > 0


def test_equations_need_no_script(pages):
    for path in pages:
        assert not re.search(r"mathjax(?!_ignore)", path.read_text(), re.I), path
    assert (HTML / "chapters" / "02-forward-pass.html").read_text().count("<math") > 50


def test_the_font_of_the_equations_has_the_sign_of_the_root(pages):
    """The browser draws it for ``<msqrt>``; it stands in no page's text."""
    assert any("<msqrt" in path.read_text(encoding="utf-8") for path in pages)
    assert "√" in (HTML / "_static" / "math.txt").read_text(encoding="utf-8")


def test_every_page_says_what_it_is_about(pages):
    """In a sentence, another on each page: search engines and shared links show it."""
    said = {}
    for path in (path for path in pages if path.name not in SKIP):
        found = re.search(r'name="description" content="([^"]+)"', path.read_text(encoding="utf-8"))
        assert found and 60 <= len(found[1]) <= 300, f"{path.name}: {found}"
        assert said.setdefault(found[1], path) == path, f"{path.name} says what another page says"


def test_no_page_shows_its_own_markup(pages):
    for path in pages:
        text = path.read_text(encoding="utf-8")
        raw = re.findall(r"^(?:```|:::).*|\{[a-z]+(?::[a-z])?\}(?:`|<code).*", text, re.MULTILINE)
        assert not raw, f"{path.relative_to(HTML)} shows MyST that was not understood: {raw[0]}"


def test_a_solution_hides_its_answer_too():
    for lab in (ROOT / "notebooks").glob("*.ipynb"):
        page = (HTML / "notebooks" / f"{lab.stem}.html").read_text(encoding="utf-8")
        solutions = lab.read_text(encoding="utf-8").count('"solution"')
        assert page.count("Show the solution") == solutions > 0, lab.stem
        drawn = lab.read_text(encoding="utf-8").count('"hide-input"') - solutions
        assert page.count("Show the code<") == drawn, f"{lab.stem}: code that only draws"


def test_chinese_words_are_marked_as_chinese():
    page = (HTML / "chapters" / "glossary.html").read_text(encoding="utf-8")
    article = page[page.index("<article") : page.index("</article>")]
    assert article.count('<span lang="zh-Hans">') > 100
    bare = re.sub(r'<span lang="zh-Hans">[^<]*</span>', "", article)
    assert not re.search(r"[\u4e00-\u9fff]", bare)


def paragraphs(path):
    """The paragraphs of a chapter, or those between a lab's cells of code, long ones only."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return [part.strip() for part in text.split("\n\n") if len(part.strip()) > 80]


@pytest.mark.parametrize("name", toc_files())
def test_no_paragraph_stands_twice(name):
    (path,) = ROOT.glob(f"{name}.*")
    counts = Counter(paragraphs(path))
    assert not [text for text, count in counts.items() if count > 1]


def test_the_figure_on_the_landing_page_is_the_lab_s():
    page = (HTML / "intro.html").read_text(encoding="utf-8")
    source = re.search(r'<img alt="Top-5 errors[^>]+src="([^"]+)"', page)[1]
    assert (HTML / source).stat().st_size > 10_000


def test_the_style_of_the_e_book_stays_out_of_the_pages():
    assert not any("ebook.css" in p.read_text(encoding="utf-8") for p in HTML.rglob("*.html"))
