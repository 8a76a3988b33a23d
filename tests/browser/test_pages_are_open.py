"""Every page is open to everyone: axe-core finds nothing, Tab reaches and shows everything, and a
printed page has its answers."""

from pathlib import Path

import axe_playwright_python
import pytest
from test_pages_in_browser import PAGES

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
# Beside axe's own choice: a name that differs from what one sees, and targets for a thumb.
RUN = """async ([only, without]) => {
    const options = {resultTypes: ["violations"], preload: false};
    if (only) options.runOnly = only;
    else options.rules = {"label-content-name-mismatch": {enabled: true},
        ...Object.fromEntries(without.map(rule => [rule, {enabled: false}]))};
    return (await axe.run(document, options)).violations.flatMap(v => v.nodes.map(n => ({
        rule: v.id, impact: v.impact, html: n.html.slice(0, 200),
        why: n.failureSummary.slice(0, 300),
        own: Boolean(document.querySelector(n.target[0])?.closest("article")),
    })));
}"""
COLORS = ["color-contrast", "link-in-text-block"]
STRUCTURE = ["scrollable-region-focusable", "region", "button-name", "link-name", "list"]
# To measure colors takes nearly all of the time, word by word. Words in elements of the same
# classes, in parents of the same classes, have the same colors: the first two of each kind stay.
ALIKE = """() => {
    const seen = {};
    const kind = e => e.tagName == "SECTION" ? kind(e.parentElement) : [
        e.parentElement ? kind(e.parentElement) : "", e.tagName, e.getAttribute("class"),
        e.getAttribute("style"), e.tagName == "TR" && e.rowIndex % 2,
    ].join(" ");
    for (const e of document.body.querySelectorAll("*")) {
        const words = [...e.childNodes].filter(node => node.nodeType == 3 && node.data.trim());
        if (!words.length) continue;
        const its = kind(e);
        seen[its] = (seen[its] || 0) + 1;
        if (seen[its] > 2) for (const one of e.children.length ? words : [e]) one.remove();
    }
}"""
# The words of a program or an equation are thousands, and have nothing but colors to look at.
WORDLESS = """() => {
    for (const one of document.querySelectorAll("article :is(.highlight pre, math)")) {
        one.hidden_words = [...one.childNodes];
        one.replaceChildren("x");
    }
}"""
WORDS = """() => {
    for (const one of document.querySelectorAll("article :is(.highlight pre, math)"))
        one.replaceChildren(...one.hidden_words);
}"""


def found(page):
    """What axe finds: wide, narrow, and colors in light and dark; ``page`` is changed by it."""
    page.add_script_tag(content=AXE)
    page.evaluate(WORDLESS)
    yield from axe(page, "1280")
    page.evaluate(WORDS)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(400)  # the theme waits before it looks at what scrolls
    yield from axe(page, "390", STRUCTURE)
    page.evaluate(ALIKE)
    for scheme in "light", "dark":
        turned(page, scheme)
        yield from axe(page, scheme, COLORS)


# The theme's own button, pressed as a reader presses it: the system's colors reach a page only when
# the browser draws its next frame, which a headless one on a busy machine may put off for minutes.
TURN = """scheme => {
  const { dataset } = document.documentElement;
  for (let i = 0; i < 3 && dataset.mode !== scheme; i++) {
    document.querySelector('.theme-switch-button').click();
  }
  return dataset.theme;
}"""


def turned(page, scheme):
    page.emulate_media(color_scheme=scheme)
    assert page.evaluate(TURN, scheme) == scheme


def axe(page, view, rules=None):
    return [violation | {"view": view} for violation in page.evaluate(RUN, [rules, COLORS])]


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(open_page, path):
    page = open_page(path, still=True)
    violations = list(found(page))
    grave = [v for v in violations if v["impact"] in ("critical", "serious")]
    assert not grave, grave[:3]
    assert not [v for v in violations if v["own"]], violations[:3]
    assert not violations, violations[:3]


BROKEN = {
    "an alt text gone": (
        "document.querySelector('article img').removeAttribute('alt')",
        "image-alt",
    ),
    "a label gone": (
        "document.querySelector('.sidebar-toggle.primary-toggle').removeAttribute('aria-label');"
        "for (const a of ['title', 'data-bs-original-title'])"
        " document.querySelector('.sidebar-toggle.primary-toggle').removeAttribute(a)",
        "button-name",
    ),
    "gray on white": (
        "document.querySelector('article p').style.color = '#bbb'",
        "color-contrast",
    ),
    "gray on black": (
        "document.querySelector('article p').style.color = '#555'",
        "color-contrast",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_axe_finds_what_is_broken(open_page, what):
    page = open_page("chapters/02-forward-pass.html", still=True)
    script, rule = BROKEN[what]
    page.evaluate(script)
    assert rule in {violation["rule"] for violation in found(page)}


# The theme's link to the content glides into sight: looked at when it has arrived.
TABBED = """async () => {
    const arrived = document.getAnimations().filter(a => a.effect.getTiming().iterations < 99);
    const all = Promise.allSettled(arrived.map(a => a.finished));
    await Promise.race([all, new Promise(done => setTimeout(done, 2000))]);
    const e = document.activeElement, box = e.getBoundingClientRect();
    // In the contents the ring is around the arrow that opens a chapter, not its whole line.
    const ringed = x => {
        const style = getComputedStyle(x);
        return style.boxShadow != "none"
            || style.outlineStyle != "none" && parseFloat(style.outlineWidth) >= 1;
    };
    const ring = [e, ...e.querySelectorAll(":scope > .toctree-toggle")].some(ringed)
        || e.matches("input, .skip-link a");
    return {
        name: `${e.tagName} ${e.id || e.className} ${e.textContent.trim().slice(0, 40)}`,
        seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0, ring,
        end: e == document.body,
    };
}"""


@pytest.mark.parametrize(
    "path", ["intro.html", "chapters/03-backward-pass.html", "notebooks/02-forward-pass.html"]
)
@pytest.mark.parametrize("width", [390, 1280])
def test_tab_reaches_and_shows_everything(open_page, path, width):
    page = open_page(path, width=width, still=True)
    reachable = page.evaluate(
        """() => [...document.querySelectorAll("article a[href], article button, article summary")]
            .filter(e => e.checkVisibility({visibilityProperty: true})
                         && e.getBoundingClientRect().width > 0).length"""
    )
    stops, inside = [], 0
    for _ in range(600):
        page.keyboard.press("Tab")
        stop = page.evaluate(TABBED)
        if stop["end"]:
            break
        inside += page.evaluate(
            "Boolean(document.activeElement.closest('article')"
            " && document.activeElement.matches('a, button, summary'))"
        )
        stops.append(stop)
    assert inside >= reachable, f"Tab stops at {inside} of {reachable} links and buttons"
    assert not [stop["name"] for stop in stops if not stop["seen"]], "out of sight"
    assert not [stop["name"] for stop in stops if not stop["ring"]], "no ring"


def test_a_printed_page_has_its_answers_and_no_navigation(open_page):
    page = open_page("notebooks/03-backward-pass.html")
    paper = page.evaluate("() => getComputedStyle(document.querySelector('article p')).color")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    closed = page.locator("article details:not([open])").count()
    assert page.locator("article details").count() > 10 and closed == 0
    for navigation in "#pst-primary-sidebar", "#pst-secondary-sidebar", ".bd-header-article":
        assert not page.locator(navigation).is_visible(), navigation
    assert page.locator("article h1").first.is_visible(), "the title"
    code = page.locator("article details.hide")
    assert code.count() and code.locator("pre").first.is_visible()
    assert not code.locator("summary").first.is_visible(), "a button that nobody can press"
    fading = "one => getComputedStyle(one).animationName"
    shown = page.locator("article details.hide > summary ~ *").first.evaluate(fading)
    assert shown == "none", "what fades in is not there yet at the moment of printing"
    color = "() => getComputedStyle(document.querySelector('article p')).color"
    assert page.evaluate(color) == paper, "light letters, made for a dark ground"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("article details:not([open])").count() > 10
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
