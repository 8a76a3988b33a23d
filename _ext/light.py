"""What a page weighs: no icon font, and only the scripts and style sheets that the page uses.

The theme sends every page an icon font with its script (800 kB over the wire), the search index and
the search's code, and each extension adds its own files everywhere. Here the icons become small
drawings in the page, taken from the theme's own icon set; the search is loaded by the page that
searches; and a file that a page has no use for is not named in it.
"""

import json
import re
import shutil
from functools import cache
from pathlib import Path

from accessible import repaired
from code_lines import in_lines
from pictures import lay_out
from pydata_sphinx_theme import __file__ as theme

# A file -> what a page that uses it has in its article, as a regular expression.
USED_BY = {
    "clipboard.min.js": 'class="highlight',
    "copybutton.js": 'class="highlight',
    "copybutton.css": 'class="highlight',
    "pygments.css": 'class="highlight',
    "togglebutton.js": r'class="[^"]*\b(toggle|admonition [^"]*dropdown)\b',
    "togglebutton.css": r'class="[^"]*\b(toggle|admonition [^"]*dropdown)\b',
    "design-tabs.js": 'class="sd-tab',
    "sphinx-design.min.css": 'class="[^"]*sd-',
    "mystnb": r'class="[^"]*\bcell\b',
    "equations.css": "<math",
    "thebe": "$.^",  # in no page: labs run in Colab or at home
    "THEBE": "$.^",
    "MathJax": "$.^",
    "mathjax": "$.^",
    "toggleHintShow": r'class="[^"]*\b(toggle|admonition [^"]*dropdown)\b',
    "toggleHintHide": r'class="[^"]*\b(toggle|admonition [^"]*dropdown)\b',
    "toggleOpenOnPrint": r'class="[^"]*\b(toggle|admonition [^"]*dropdown)\b',
    "togglebuttonSelector": r'class="[^"]*\b(toggle|admonition [^"]*dropdown)\b',
}
NOT_HERE = re.compile(
    r'\s*<script[^>]* src="[^"]*/?scripts/fontawesome\.js[^"]*"[^>]*></script>'
    r'|\s*<meta name="viewport" content="width=device-width, initial-scale=1"\s*/?>'
    r"|\s*<!-- So that users can add custom icons -->"
)
# Light or dark is settled before anything is drawn; without scripts the page is light.
THEME = re.compile(r"document\.documentElement\.dataset\.theme = [^;]*;")
CHOSEN = (
    'document.documentElement.dataset.theme = localStorage.getItem("theme") || '
    '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");'
)
SEARCH = re.compile(
    r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>'
)


def used_files_only(app, pagename, templatename, context, doctree):
    """Leave out of the page's head what its article has no use for."""
    body = context.get("body", "")

    def used(file):
        text = " ".join(str(part) for part in (file.filename or "", file.attributes))
        return all(re.search(mark, body) for name, mark in USED_BY.items() if name in text)

    for kind in "script_files", "css_files":
        seen, kept = set(), []
        for file in context[kind]:
            same = (file.filename, json.dumps(file.attributes, sort_keys=True, default=str))
            if used(file) and same not in seen:
                kept.append(file)
            seen.add(same)
        context[kind] = kept


# --- icons -------------------------------------------------------------------------------------

ICON = re.compile(r'<(i|span)\s+class="([^"]*\bfa-[^"]*)"([^>]*)>\s*</\1>')
PLAIN = {"fa-solid", "fa-regular", "fa-brands", "fas", "far", "fab", "fa-lg", "fa-fw"}


@cache
def icons():
    """(style, name) -> width, height and outline, read from the theme's icon script."""
    script = Path(theme).parent / "theme/pydata_sphinx_theme/static/scripts/fontawesome.js"
    text = script.read_text(encoding="utf-8")
    one = re.compile(r'[{,]"?([a-z0-9-]+)"?:\[(\d+),(\d+),\[[^\]]*\],"\w+","([^"]+)"\]')
    found, start = {}, 0
    for end in re.finditer(r'\w\("(fab|far|fas)",\w\),', text):  # what a table is followed by
        for name, width, height, outline in one.findall(text, start, end.start()):
            found[end[1], name] = width, height, outline
        start = end.end()
    return found


def draw_icons(text):
    """Each icon of the theme as a drawing; the outlines stand once, at the end of the page."""
    used = {}

    def drawing(match):
        _, classes, rest = match.groups()
        names = classes.split()
        style = "fab" if {"fab", "fa-brands"} & {*names} else "far" if "far" in names else "fas"
        name = next(n for n in names if n.startswith("fa-") and n not in PLAIN)
        width, height, outline = icons()[style, name.removeprefix("fa-")]
        box = f"0 0 {width} {height}"
        key = f"icon-{name.removeprefix('fa-')}"
        used[key] = f'<symbol id="{key}" viewBox="{box}"><path d="{outline}"/></symbol>'
        others = " ".join(["icon", *(n for n in names if n not in PLAIN - {"fa-lg"})])
        rest = re.sub(r'\s*title="[^"]*"', "", rest)
        return (
            f'<svg class="{others}" viewBox="{box}" aria-hidden="true"{rest.rstrip()}>'
            f'<use href="#{key}"/></svg>'
        )

    text = ICON.sub(drawing, text)
    credit = "<!-- Icons: Font Awesome Free, CC BY 4.0 -->"
    sprite = f'{credit}<svg style="display:none" aria-hidden="true">{"".join(used.values())}</svg>'
    return text.replace("</body>", f"{sprite}\n</body>") if used else text


# --- the page as a whole -----------------------------------------------------------------------


def lighter(app, text, pagename):
    text = NOT_HERE.sub("", text)
    if pagename != "search":
        text = SEARCH.sub("", text)
    else:  # from the disk a script may not fetch the pages that the search would quote
        quoting = "DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = location.protocol !== 'file:';"
        text = re.sub(
            r"(?=<script src=\"[^\"]*doctools)", f"<script>{quoting}</script>\n    ", text
        )
    text = THEME.sub(CHOSEN, text.replace(' data-theme="auto"', ' data-theme="light"', 1))
    return draw_icons(repaired(in_lines(lay_out(app, text))))


def render_lighter(app):
    """Let every rendered page pass through ``lighter``; Sphinx has no event for that."""
    if app.builder.format != "html" or app.builder.name == "epub":
        return
    render = app.builder.templates.render

    def rendered(template, context):
        return lighter(app, render(template, context), context.get("pagename", ""))

    app.builder.templates.render = rendered


# --- the files ---------------------------------------------------------------------------------

NOT_COPIED = ["scripts/fontawesome*", "scripts/*.map", "styles/*.map", "vendor", "sphinx-thebe*"]
LICENSES = (
    "/* The rules that this book uses of PyData Sphinx Theme, Sphinx Book Theme, MyST-NB "
    "(BSD-3-Clause), Sphinx Design and Bootstrap 5 (MIT). */\n"
)


def rules(style):
    """The rules of a style sheet without comments: what stands before each brace, and within."""
    start = 0
    while (brace := style.find("{", start)) >= 0:
        depth, end = 1, brace + 1
        while depth:
            depth += {"{": 1, "}": -1}.get(style[end], 0)
            end += 1
        yield style[start:brace].strip(), style[brace + 1 : end - 1]
        start = end


def used_rules(style, names):
    """The style sheet without the rules for classes that no page and no script names."""
    kept = []
    for selectors, inside in rules(style):
        if selectors.startswith(("@media", "@supports")):
            inside = used_rules(inside, names)
        elif "Font Awesome" in inside or "--fa-font" in inside:
            continue  # the icon font, and what is drawn with it
        elif "@" not in selectors:
            used = [
                selector
                for selector in re.split(r",(?![^(\[]*[)\]])", selectors)
                if names.issuperset(
                    re.findall(r"\.([\w-]+)", re.sub(r":not\([^)]*\)", "", selector))
                )
            ]
            selectors = ",".join(used)
        if selectors and inside:
            kept.append(f"{selectors}{{{inside}}}")
    return "".join(kept)


def leave_out_files(app, error):
    """Of the theme's files, keep what a page names; of its style, what a page or script uses."""
    if error or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    for pattern in NOT_COPIED:
        for path in static.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    users = [*Path(app.outdir).rglob("*.html"), *static.rglob("*.js")]
    names = {*re.findall(r"[\w-]+", " ".join(p.read_text(encoding="utf-8") for p in users))}
    for path in [
        *static.glob("styles/*-theme.css"),
        *static.glob("sphinx-design*"),
        *static.glob("mystnb*"),
    ]:
        style = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.S)
        style = style.removeprefix('@charset "UTF-8";')
        head = re.match(r"(?:@import[^;]*;)*", style.strip())[0]
        style = head + used_rules(style.strip().removeprefix(head), names)
        path.write_text(LICENSES + style, encoding="utf-8")


def setup(app):
    app.connect("html-page-context", used_files_only, priority=990)
    app.connect("builder-inited", render_lighter)
    app.connect("build-finished", leave_out_files)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
