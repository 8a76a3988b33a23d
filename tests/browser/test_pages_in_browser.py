"""Every page of the book in a real browser: what it weighs, whether it jumps, complains, fits a
phone, and is complete without scripts."""

import html
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
HTML = ROOT / "_build" / "html"
LIGHT, WITH_EQUATIONS = 240_000, 300_000  # bytes over the wire, without the page's own images
STILL = 0.05  # cumulative layout shift


def in_contents():
    """Every page that the book's contents name, and the two that Sphinx adds."""
    names = re.findall(r"(?:root|file): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    assert len(names) == len({*names}) > 20 and yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [f"{name}.html" for name in names] + ["search.html", "genindex.html"]


PAGES = in_contents()

MEASURE = """() => ({
    files: ["navigation", "resource"].flatMap(kind => performance.getEntriesByType(kind))
        .map(entry => [entry.name, entry.transferSize]),
    shift: window.shifted,
    equations: document.querySelectorAll("math").length,
    unsized: [...document.images]
        .filter(i => !(i.getAttribute("width") && i.getAttribute("height")))
        .map(i => i.src),
    eager: [...document.querySelectorAll(".bd-article img")]
        .filter(i => i.loading != "lazy")
        .filter(i => i.getBoundingClientRect().top + scrollY > 2 * innerHeight)
        .map(i => i.src),
})"""
WATCH = """
window.shifted = 0;
new PerformanceObserver(list => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""
SCROLL = """async () => {
    // A frame drawn, or 0.3 s: a browser without a screen may draw none, and say nothing.
    const frame = () => new Promise(done => {
        requestAnimationFrame(() => requestAnimationFrame(done));
        setTimeout(done, 300);
    });
    for (let y = 0; y < document.body.scrollHeight; y += 1500) {
        scrollTo(0, y);
        await frame();
    }
    // What is not shown, as a figure's static picture beside its drawing, is never loaded.
    const late = [...document.images].filter(i => i.loading == "lazy" && i.getClientRects().length);
    const all = Promise.all(late.map(i => i.decode().catch(() => 0)));
    await Promise.race([all, new Promise(done => setTimeout(done, 10000))]);
    await new Promise(done => setTimeout(done, 100));
}"""
TOO_WIDE = """() => {
    const scrolls = e => {
        for (; e && e != document.body; e = e.parentElement)
            if (/auto|scroll|hidden/.test(getComputedStyle(e).overflowX)) return true;
        return false;
    };
    const found = document.documentElement.scrollWidth > innerWidth ? ["the page itself"] : [];
    for (const e of document.querySelectorAll(".bd-article *")) {
        const box = e.getBoundingClientRect();
        if (box.width && box.right > innerWidth + 1 && !scrolls(e))
            found.push(e.outerHTML.slice(0, 120));
    }
    return found.slice(0, 3);
}"""


def own_image(address):
    return "/_images/" in address


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_light_and_still(open_page, path):
    page = open_page(path, http=True, watch=WATCH, wait="networkidle")
    before = page.evaluate(MEASURE)
    weight = sum(size for name, size in before["files"] if not own_image(name))
    bound = WITH_EQUATIONS if before["equations"] else LIGHT
    largest = sorted(before["files"], key=lambda file: -file[1])[:4]
    assert weight <= bound, f"{weight} bytes, most of it {largest}"
    page.evaluate(SCROLL)
    after = page.evaluate(MEASURE)
    assert after["shift"] < STILL, "the page jumps while it loads"
    assert not after["unsized"], "an image without width and height"
    assert not after["eager"], "an image below the fold that is loaded at once"
    assert not page.errors and not page.outside


@pytest.mark.parametrize("path", ["intro.html", "chapters/applications.html"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_moves_when_a_figure_comes_to_life_late(open_page, path, width):
    options = {"http": True, "watch": WATCH, "late": "**/figures/*.js"}
    page = open_page(path, width=width, height=2500, **options)
    assert page.locator("figure.is-live").count() == 1
    assert page.evaluate(MEASURE)["shift"] < STILL


WORDS = """() => {
    const copy = document.querySelector("article.bd-article").cloneNode(true);
    copy.querySelectorAll("button, script, style, .interactive").forEach(e => e.remove());
    return copy.textContent;
}"""


def written_words(path):
    """The words of the article as it stands in the file, where no script has run."""
    text = (HTML / path).read_text(encoding="utf-8")
    article = text[text.index("<article") : text.index("</article>")]
    article = re.sub(r"<(script|style)\b.*?</\1>", "", article, flags=re.DOTALL)
    return {*html.unescape(re.sub(r"<[^>]*>", "", article)).split()}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fits_a_phone_and_needs_neither_network_nor_script(open_page, path):
    page = open_page(path, width=390, height=844, dark=True, touch=True)
    assert not page.errors, "the console complains"
    assert not page.outside, "the page asks for what is not in the book"
    assert not page.evaluate(TOO_WIDE), "wider than a phone"
    if path != "search.html":
        added = {*page.evaluate(WORDS).split()} - written_words(path)
        assert not added, f"only with scripts: {sorted(added)[:10]}"


def test_what_a_page_complains_of_and_asks_for_is_seen(open_page, tmp_path):
    """The three budgets of the console, the network and a phone's width, each broken once."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<script>console.error('a word'); nothing.here</script>"
        "<img src='https://example.org/tracker.png' alt=''>"
        "<div class='bd-article'><p style='width: 900px'>wide</p></div>"
    )
    page = open_page(bad, width=390)
    assert "console: a word" in page.errors and any("nothing" in e for e in page.errors)
    assert page.outside == ["https://example.org/tracker.png"]
    assert page.evaluate(TOO_WIDE)


def test_a_file_that_is_loaded_later_counts(open_page):
    """As the icon font's script would, and as the search index did on every page."""
    page = open_page("intro.html", http=True, watch=WATCH, wait="networkidle")
    before = sum(size for name, size in page.evaluate(MEASURE)["files"] if not own_image(name))
    page.evaluate("fetch('searchindex.js').then(r => r.text())")
    page.wait_for_load_state("networkidle")
    after = sum(size for name, size in page.evaluate(MEASURE)["files"] if not own_image(name))
    assert after - before > 40_000, "a file that is loaded later is not counted"


@pytest.mark.parametrize("path", ["intro.html", "notebooks/02-forward-pass.html"])
def test_without_scripts_a_page_can_be_read_and_its_answers_opened(open_page, path):
    page = open_page(path, javascript=False)
    assert page.locator("article h1").is_visible()
    ink, ground = (
        page.locator(place).evaluate(f"e => getComputedStyle(e).{what}")
        for place, what in (
            ("article section > p:not(.time) >> nth=0", "color"),
            ("body", "backgroundColor"),
        )
    )
    assert sum(map(int, re.findall(r"\d+", ink)[:3])) < 250, f"text in {ink}"
    assert re.findall(r"\d+", ground)[:3] == ["255"] * 3, f"on {ground}"
    images = page.locator("article img")
    for k in range(images.count()):
        images.nth(k).scroll_into_view_if_needed()
        assert images.nth(k).evaluate("i => i.decode().then(() => i.naturalWidth)") > 0
    answers = page.locator("article details:not([open]) > summary")
    if answers.count():
        answers.first.click()
        assert page.locator("article details[open] > *:not(summary)").first.is_visible()


def test_searching_finds_a_page_from_the_disk(open_page):
    page = open_page("search.html?q=dropout")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    assert page.locator("#search-results li").count() > 3 and not page.errors


def test_equations_stand_in_the_mathematical_font(open_page):
    """Sums are larger in a displayed equation, and brackets grow around a fraction."""
    page = open_page("chapters/03-backward-pass.html", http=True, wait="networkidle")
    page.wait_for_function("document.fonts.check('16px \"Book Math\"')", polling=100)
    sizes = page.evaluate(
        """() => [".bd-article p math", ".bd-article div.math math"].map(place =>
            Math.max(...[...document.querySelectorAll(place + " mo")]
                .filter(o => o.textContent == "∑").map(o => o.getBoundingClientRect().height)))"""
    )
    assert sizes[1] > 1.2 * sizes[0], f"a sum in the text {sizes[0]}, in an equation {sizes[1]}"


def test_the_title_of_a_box_ends_without_a_sign_of_a_font_that_is_not_there(open_page):
    page = open_page("chapters/08-self-supervision.html")
    after = "e => getComputedStyle(e, '::after').content"
    assert page.locator(".admonition-title").first.evaluate(after) == "none"
