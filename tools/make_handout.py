"""A lab for the class, and a page for its chapter: ``make handout LAB=03``.

Writes into ``_build/handouts``, as HTML that needs no book around it, and as PDF where Chromium is
installed:

    03-lab       the lab to work on: no solutions, no answers to predictions, no outputs
    03-slides    the lab to show: a section a slide, with its figures, the code hidden
    03-page      the chapter on a page: its sections, their first sentences, equations, questions

Formulas are typeset by MathJax, from the network, when a page is opened; the PDF holds them.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbformat.v4 import new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "_build" / "handouts"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
DETAILS = re.compile(r"<details>.*?</details>\s*", re.S)
STYLE = """<style>
body { max-width: 48rem; margin: 0 auto; padding: 1rem; font: 16px/1.5 sans-serif; color: #1b1b1b }
pre { border: 1px solid #bbb; padding: .5rem; white-space: pre-wrap } img { max-width: 100% }
.jp-InputPrompt, .jp-OutputPrompt { display: none } .space { height: 5rem }
h1, h2, h3 { line-height: 1.25; break-after: avoid } a.anchor-link { display: none }
@media print { pre, img, table { break-inside: avoid } }
</style>"""
SLIDES = """<style>
section { min-height: 100vh; box-sizing: border-box; padding: 2rem 6vw; font-size: 1.3rem;
  break-after: page; border-bottom: 1px solid #bbb }
body { max-width: none; padding: 0 } section img { max-height: 70vh }
@page { size: 338mm 190mm; margin: 8mm } @media print { section { min-height: 0; border: 0 } }
</style>
<script>
// Page down and up, or the arrows, go from slide to slide.
addEventListener("keydown", event => {
  const step = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = [...document.querySelectorAll("section")];
  const now = all.findLastIndex(s => s.getBoundingClientRect().top < innerHeight / 2);
  all[Math.min(Math.max(now + step, 0), all.length - 1)].scrollIntoView();
});
</script>"""


def find(lab):
    """The stem of a lab, "03-backward-pass", from "03", "3" or the stem itself."""
    stems = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
    fits = [s for s in stems if s == lab or (lab.isdigit() and int(s[:2]) == int(lab))]
    if len(fits) != 1:
        sys.exit(f"There is no lab {lab!r}; there are {', '.join(s[:2] for s in stems)}.")
    return fits[0]


def is_solution(cell):
    """Whether a cell is a solution, or the heading of one."""
    tags = cell.metadata.get("tags", [])
    return bool({"solution", "hide-cell"} & set(tags))


def worksheet(lab):
    """The lab to work on: what gives an answer away is left out."""
    cells = []
    for cell in lab.cells:
        if is_solution(cell) or "setup" in cell.metadata.get("tags", []):
            continue
        if cell.cell_type == "markdown":
            source = DETAILS.sub('<div class="space"></div>\n\n', cell.source)
            if source.strip():
                cells.append(new_markdown_cell(source))
        else:
            cell = cell.copy()
            cell.outputs, cell.execution_count = [], None
            cells.append(cell)
    return new_notebook(cells=cells, metadata=lab.metadata)


def shown(lab):
    """The lab's cells for slides, in sections that begin with a heading of the second level."""
    sections = [[]]
    for cell in lab.cells:
        if is_solution(cell) or "setup" in cell.metadata.get("tags", []):
            continue
        if cell.cell_type == "markdown":
            for part in re.split(r"^(?=#{1,3} )", DETAILS.sub("", cell.source), flags=re.M):
                if part.startswith("#"):
                    sections.append([])
                if part.strip():
                    sections[-1].append(new_markdown_cell(part.strip()))
        elif any("image/png" in out.get("data", {}) for out in cell.get("outputs", [])):
            sections[-1].append(cell)
    return [section for section in sections if section]


def page_of(stem):
    """The chapter on a page, as one Markdown text."""
    text = (ROOT / "chapters" / f"{stem}.md").read_text("utf-8")
    questions = re.findall(r"^:{3,}\{dropdown\} (.+)$", text, re.M)
    text = re.sub(r"^:{3,}\{dropdown\}.*?^:{3,}$", "", text, flags=re.S | re.M)
    parts, sections = [], re.split(r"^(?=#{1,3} )", text, flags=re.M)
    for section in sections:
        heading, _, body = section.partition("\n")
        if not heading.startswith("#") or heading.strip("# ") in ("Questions", "Going further"):
            continue
        parts.append(heading if heading.startswith("# ") else f"**{heading.strip('# ')}**")
        if sentence := _first_sentence(body):
            parts[-1] += f"\n\n{sentence}" if heading.startswith("# ") else f" {sentence}"
        parts += [f"$$\n{equation.strip()}\n$$" for equation in _equations(body)]
    if questions:
        parts.append("**Questions**\n\n" + "\n".join(f"1. {_plain(q)}" for q in questions))
    return "\n\n".join(parts)


def _equations(body):
    found = re.findall(r"^\$\$\n?(.+?)\$\$", body, re.S | re.M)
    found += re.findall(r"^`{3,}\{math\}\n(?::.*\n)*(.+?)^`{3,}", body, re.S | re.M)
    return found[:2]


def _first_sentence(body):
    """The first sentence of running text that holds no measured value."""
    for paragraph in re.split(r"\n\s*\n", body):
        paragraph = " ".join(paragraph.split())
        if not paragraph or not re.match(r"[A-Z“\"*_]", paragraph) or paragraph.startswith("Time:"):
            continue
        for sentence in re.findall(r".+?[.?!](?=\s|$)", paragraph):
            if "{measured}" not in sentence:
                return _plain(sentence)
    return ""


def _plain(text):
    """Text without MyST's roles and without addresses."""
    text = re.sub(r"\s*\{cite:p\}`[^`]*`", "", text)
    text = re.sub(r"\{cite:t\}`([a-z]+)(\d{4})[^`]*`", lambda m: f"{m[1].title()} ({m[2]})", text)
    text = re.sub(r"\{[a-z:]+\}`([^`<]*)(?:<[^`]*>)?`", r"\1", text)
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).strip()


def to_html(notebook, title, hide_code=False):
    """The body of a notebook, in HTML, with our style."""
    exporter = HTMLExporter(template_name="basic", exclude_input=hide_code)
    body, _ = exporter.from_notebook_node(notebook)
    return body


def whole(title, body, style=STYLE):
    """A page of its own."""
    script = HTMLExporter().mathjax_url
    settings = "MathJax.Hub.Config({tex2jax: {inlineMath: [['$', '$'], ['\\\\(', '\\\\)']]}})"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n{style}\n'
        f'<script type="text/x-mathjax-config">{settings}</script>\n'
        f'<script async src="{script}"></script>\n'
        f"</head><body>\n{body}\n</body></html>\n"
    )


def write(name, text, pdf):
    """Write a page, print it as PDF if a browser is there, and say so."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.html"
    path.write_text(text, "utf-8")
    print(path.relative_to(ROOT))
    browser = next(filter(None, map(shutil.which, BROWSERS)), None) if pdf else None
    if browser:
        command = [browser, "--headless=new", "--no-sandbox", "--no-pdf-header-footer"]
        command += ["--virtual-time-budget=10000", f"--print-to-pdf={path.with_suffix('.pdf')}"]
        subprocess.run([*command, path.as_uri()], capture_output=True, timeout=120, check=False)
        if path.with_suffix(".pdf").exists():
            print(path.with_suffix(".pdf").relative_to(ROOT))


def main():
    """Read the command line, and write the three pages."""
    parser = argparse.ArgumentParser(description="A lab and its chapter as handouts.")
    parser.add_argument("lab", help='"03", or the stem, "03-backward-pass"')
    parser.add_argument("--no-pdf", action="store_true", help="HTML only")
    options = parser.parse_args()
    stem = find(options.lab)
    lab, pdf = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", 4), not options.no_pdf
    title = lab.cells[0].source.splitlines()[0].lstrip("# ")
    write(f"{stem[:2]}-lab", whole(title, to_html(worksheet(lab), title)), pdf)
    slides = []
    for section in shown(lab):
        body = to_html(new_notebook(cells=section, metadata=lab.metadata), title, hide_code=True)
        slides.append(f"<section>\n{body}\n</section>")
    write(f"{stem[:2]}-slides", whole(title, "\n".join(slides), STYLE + SLIDES), pdf)
    if (ROOT / "chapters" / f"{stem}.md").exists():
        page = new_notebook(cells=[new_markdown_cell(page_of(stem))])
        write(f"{stem[:2]}-page", whole(title, to_html(page, title)), pdf)


if __name__ == "__main__":
    main()
