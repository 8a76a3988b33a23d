"""The static pictures of the interactive figures: ``python tools/draw_figures.py [NAME ...]``.

Each is what the figure's own script draws in its first state, in light colors and 480 pixels wide,
saved as ``figures/NAME.svg``. It needs a Chromium that Playwright finds or ``CHROMIUM`` names.
"""

import base64
import json
import os
import re
import shutil
import sys
import textwrap
from html import escape
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "_static" / "figures"
NAMES = [
    "convolution", "receptive-field", "pairs", "softmax", "int8", "codebook", "pruning", "base-rate"
]  # fmt: skip
WIDTH, PAD, LINE = 480, 14, 20
sys.path.insert(0, str(ROOT / "_ext"))

import figure_data  # noqa: E402

# In the page: the drawing with what the style sheet says written into it.
FLATTEN = """svg => {
  const SHAPE = {fill: 'rgb(0, 0, 0)', stroke: 'none', 'stroke-width': '1px', opacity: '1',
    'stroke-dasharray': 'none', 'fill-opacity': '1'};
  const TEXT = {fill: 'rgb(0, 0, 0)', 'font-size': '', 'font-weight': '400',
    'text-anchor': 'start'};
  const flat = svg.cloneNode(true), to = flat.querySelectorAll('*');
  svg.querySelectorAll('*').forEach((element, k) => {
    const style = getComputedStyle(element), { tagName } = element;
    for (const name of ['class', 'style', ...Object.keys(SHAPE)]) to[k].removeAttribute(name);
    if (['g', 'image'].includes(tagName)) return;
    const usual = ['text', 'tspan'].includes(tagName) ? TEXT : SHAPE;
    for (const name of Object.keys(usual)) {
      const value = style.getPropertyValue(name);
      if (value !== usual[name]) to[k].setAttribute(name, value);
    }
  });
  return flat.innerHTML;
}"""


def page_of(name, style=""):
    """A page with nothing but the figure, as the book would place it."""
    data = figure_data.DATA[name]()[0] if name in figure_data.DATA else None
    script = f'<script type="application/json" class="figure-data">{json.dumps(data)}</script>'
    folder = FIGURES.as_uri()
    return f"""<!doctype html><html data-theme="light"><meta charset="utf-8">
<link rel="stylesheet" href="{folder}/figures.css">
<style>body {{ margin: 0; font-family: sans-serif }} {style}</style>
<figure class="interactive interactive-{name}"><img class="figure-static" alt="">{script}</figure>
<script src="{folder}/controls.js"></script><script src="{folder}/{name}.js"></script></html>"""


def draw(browser, name, folder):
    """The picture as the text of an SVG file."""
    file = folder / f"draw-{name}.html"
    style = f".figure-stage {{ width: {WIDTH}px }}"
    file.write_text(page_of(name, style), encoding="utf-8")
    page = browser.new_page(viewport={"width": 720, "height": 900})
    page.goto(file.as_uri())
    page.wait_for_selector(".figure-stage svg text")
    height = float(page.eval_on_selector(".figure-stage svg", "svg => svg.getAttribute('height')"))
    body = page.eval_on_selector(".figure-stage svg", FLATTEN)
    title = page.inner_text(".figure-title")
    page.close()
    return picture(title, body, height)


def rounded(tag):
    """A tag with its lengths to a hundredth: a processor may have its own last digit of a sine."""
    return re.sub(r"\d+\.\d{3,}", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), tag[0])


def picture(title, body, height):
    body = re.sub(r"<[^>]+>", rounded, body)
    body = re.sub(r'href="file:[^"]*/(\w+)\.webp"', embedded, body)
    body = re.sub(r"url\(&quot;(#\w+)&quot;\)", r"url(\1)", body)  # readers of e-books want it bare
    lines = textwrap.wrap(title, 54)
    top = PAD + LINE * len(lines) + 12
    w, h = WIDTH + 2 * PAD, round(top + height + PAD)
    heading = "".join(
        f'<text x="{PAD}" y="{PAD + LINE * k + 14}" font-size="15.5" font-weight="700" fill="#222">'
        f"{escape(line)}</text>\n"
        for k, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" '
        f'font-family="system-ui, sans-serif" role="img">\n<title>{escape(title)}</title>\n'
        f'<rect width="{w}" height="{h}" fill="#fff"/>\n{heading}'
        f'<g transform="translate({PAD} {top})">{body}</g>\n</svg>\n'
    )


def embedded(match):
    data = base64.b64encode((FIGURES / f"{match[1]}.webp").read_bytes()).decode()
    return f'href="data:image/webp;base64,{data}"'


def main(names):
    folder = ROOT / "_build"
    folder.mkdir(exist_ok=True)
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name in names or NAMES:
            text = draw(browser, name, folder)
            (ROOT / "figures" / f"{name}.svg").write_text(text, encoding="utf-8")
            print(f"figures/{name}.svg: {len(text.encode()):,} bytes")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
