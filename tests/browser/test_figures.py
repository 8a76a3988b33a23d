"""The interactive figures in a real browser: by keyboard alone, on a phone, in the dark, with
reduced motion, from the address, on paper, without scripts; and their numbers are right."""

import json
import re
import sys
from itertools import product
from pathlib import Path

import nbformat
import numpy as np
import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPTS = ROOT / "_static" / "figures"
LIMIT = 15_000  # bytes of a figure's script and data
CHAPTERS = {
    "top-five": "01-imagenet",
    "convolution": "02-forward-pass",
    "receptive-field": "02-forward-pass",
    "pairs": "05-what-mattered",
    "pruning": "11-pruning-and-sharing",
    "codebook": "11-pruning-and-sharing",
    "softmax": "12-quantization-and-distillation",
    "int8": "12-quantization-and-distillation",
    "base-rate": "applications",
}
# A state that is not the first one, and what the figure says in it.
STATES = {
    "top-five": ("photo=2&a0=1&a2=16", "top-1 error 7 of 8, top-5 error 6 of 8"),
    "convolution": ("step=7&kernel=sum&S=2&P=1&D=1", "Row 3, column 2 of the output is 47"),
    "receptive-field": ("layer=7&x=3&y=3", "pool5 sees 195 pixels across"),
    "pairs": ("part=no+dropout&pairs=5&turn=3", "5 pairs"),
    "pruning": ("cut=5", "90% deleted"),
    "codebook": ("M=32", "one of 32 values"),
    "softmax": ("T=1&class=0", "shirt 97.3%"),
    "int8": ("x=0.5&bits=8&max=0.25&kind=symmetric", "clipped"),
    "base-rate": ("rare=5&found=87.2&wrong=9.3", "33% of them are right"),
}
EACH = pytest.mark.parametrize("name", CHAPTERS)
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "_ext")]

import draw_figures  # noqa: E402
import figure_data  # noqa: E402


@pytest.fixture
def turn(open_page):
    """Opens a figure's page: the page, and the figure's element as a locator."""

    def opened(name, state="", **options):
        address = f"chapters/{CHAPTERS[name]}.html" + (f"#{name}?{state}" if state else "")
        page = open_page(address, wait="domcontentloaded", **options)
        figure = page.locator(f"figure.interactive-{name}")
        if options.get("javascript", True):
            page.wait_for_selector(f"figure.interactive-{name}.is-live .figure-title:not(:empty)")
        return page, figure

    return opened


@pytest.fixture
def alone(browser, tmp_path):
    """Opens a figure on a page of its own, without the rest of the book: page and figure."""
    contexts = []

    def opened(name, state="", width=1000, still=False):
        file = tmp_path / f"{name}.html"
        file.write_text(draw_figures.page_of(name), encoding="utf-8")
        motion = "reduce" if still else "no-preference"
        size = {"width": width, "height": 1200}
        contexts.append(browser.new_context(viewport=size, reduced_motion=motion, offline=True))
        page = contexts[-1].new_page()
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(file.as_uri() + (f"#{name}?{state}" if state else ""))
        page.wait_for_selector(".figure-title:not(:empty)")
        return page, page.locator("figure.interactive")

    yield opened
    for context in contexts:
        context.close()


def words(figure):
    """Title and description as they stand under the figure now."""
    return " ".join(figure.locator(".figure-title, .figure-says").all_inner_texts())


def table(name):
    return figure_data.DATA[name]()[0]


def every(page, name, states):
    """What the figure says in each of these states, set one after the other."""
    return page.evaluate(
        """([name, states]) => {
          const figure = BookFigures.all.find((figure) => figure.name === name);
          return states.map((state) => {
            Object.assign(figure.state, state);
            figure.before = null;
            figure.draw();
            return figure.title.textContent + " " + figure.says.textContent;
          });
        }""",
        [name, states],
    )


def minus(text):
    return text.replace("−", "-")


# --- each figure, as a page among others --------------------------------------------------------


@EACH
def test_a_figure_is_light(name):
    data = json.dumps(table(name)) if name in figure_data.DATA else ""
    size = len((SCRIPTS / f"{name}.js").read_bytes()) + len(data.encode())
    assert size < LIMIT, f"{size} bytes"


def test_only_pages_with_figures_load_their_scripts():
    pages = {p: p.read_text() for p in (ROOT / "_build" / "html").rglob("*.html")}
    found = {p.stem for p, text in pages.items() if "figures/controls.js" in text}
    assert found >= set(CHAPTERS.values())
    for path, text in pages.items():
        assert ("figures/controls.js" in text) == ('class="interactive ' in text), path.name


@EACH
@pytest.mark.parametrize(("width", "dark"), [(390, True), (1280, False)], ids=["phone", "screen"])
def test_a_figure_fits_and_can_be_read_and_touched(turn, name, width, dark):
    page, figure = turn(name, width=width, dark=dark, touch=width == 390)
    assert not page.errors and not page.outside
    assert not figure.locator(".figure-static").is_visible()
    box = figure.locator(".figure-stage").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert figure.evaluate("f => f.scrollWidth <= f.clientWidth")
    for text in figure.locator(".figure-stage svg text").all():
        if at := text.bounding_box():
            inside = (
                box["x"] - 2 <= at["x"] and at["x"] + at["width"] <= box["x"] + box["width"] + 2
            )
            assert inside, f"{text.text_content()} runs out of the drawing"
            assert at["height"] >= 9, f"{text.text_content()} is too small"
    poor = figure.evaluate(CONTRAST)
    assert not poor, poor
    for control in figure.locator("input, select, button").all():
        target = control.locator("xpath=ancestor::label").or_(control).first
        box = target.bounding_box()
        text = control.evaluate("c => (c.labels && c.labels[0] || c).textContent.trim()")
        assert len(text) >= 1
        assert box["height"] >= 44 and box["width"] >= 44, f"{text} is small for a thumb: {box}"
    assert figure.locator("svg[role=img], .figure-photo[role=img]").get_attribute("aria-label")


# Texts whose color is too near to what lies behind them: WCAG's 4.5 to 1.
CONTRAST = """figure => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((v) => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = light(getComputedStyle(figure.querySelector(".figure-live")).backgroundColor);
  const poor = [];
  for (const element of figure.querySelectorAll(".figure-live p, label, legend, output, text")) {
    if (!element.textContent.trim() || element.closest(".figure-heard")) continue;
    const style = getComputedStyle(element);
    let color = element.tagName === "text" ? style.fill : style.color, back = ground;
    if (element.closest(".choices label:has(:checked)")) {
      back = light(getComputedStyle(element.closest("label")).backgroundColor);
    }
    const [low, high] = [light(color), back].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) poor.push(element.textContent.slice(0, 30) + ": " + ratio.toFixed(2));
  }
  return poor;
}"""


KEYS = {
    "range": ["ArrowRight", "ArrowLeft"],
    "radio": ["ArrowRight", "ArrowLeft"],
    "select-one": ["ArrowDown", "ArrowUp"],
    "checkbox": ["Space"],
}
FOCUSED = """() => {
  const here = document.activeElement;
  if (!here.closest(".figure-live")) return null;
  return [here.type, here.id || here.name, here.parentNode.textContent, here.textContent].join(" ");
}"""
LOOK = """figure => figure.innerHTML
  + [...figure.querySelectorAll("input")].map((input) => input.checked)"""
OUTLINE = """() => {
  const here = document.activeElement;
  const style = getComputedStyle(here.closest(".choices label") || here);
  return style.outlineStyle + " " + style.outlineWidth;
}"""


@EACH
def test_a_figure_can_be_turned_by_keyboard_alone(alone, name):
    page, figure = alone(name)
    total = figure.locator("input, select, button").count()
    assert total == figure.locator("label, button").count()
    figure.evaluate(  # begin just before the figure; from there on there are only keys
        """f => { const start = document.createElement("a");
                  start.href = "#"; start.id = "start"; f.before(start); start.focus(); }"""
    )
    seen = set()
    for _ in range(total + 2):
        page.keyboard.press("Tab")
        name_here = page.evaluate(FOCUSED)
        if not name_here or name_here in seen:
            continue
        seen.add(name_here)
        assert page.evaluate(OUTLINE) == "solid 3px", f"{name_here}: the focus cannot be seen"
        before = figure.evaluate(LOOK)
        kind = name_here.split()[0]
        for key in KEYS.get(kind, ["Enter"]):  # the second, if the first was at the end
            if figure.evaluate(LOOK) == before:
                page.keyboard.press(key)
        if "Reset" not in name_here:
            assert figure.evaluate(LOOK) != before, f"{name_here} does nothing"
    groups = figure.locator("fieldset:has(input[type=radio])").count()
    radios = figure.locator("input[type=radio]").count()
    off = figure.locator("button:disabled").count()
    assert len(seen) >= total - radios + groups - off, f"Tab reaches only {seen}"
    page.wait_for_function("name => location.hash.startsWith(`#${name}?`)", arg=name, polling=100)
    said = figure.locator(".figure-says").text_content()
    assert said  # and is told, once the figure has rested for a moment
    expect(figure.locator("[role=status]")).to_have_text(said, timeout=20_000)


@EACH
def test_a_figures_state_lives_in_the_address(alone, name):
    state, says = STATES[name]
    page, figure = alone(name)
    first = words(figure)
    assert says not in first
    page.evaluate("hash => { location.hash = hash; }", f"#{name}?{state}")
    page.wait_for_function(
        "([name, says]) => document.querySelector(`figure.interactive-${name} .figure-live`)"
        ".textContent.includes(says)",
        arg=[name, says],
        polling=100,
    )
    page, figure = alone(name, state)  # a link that somebody was sent
    assert says in words(figure)
    assert figure.evaluate("f => Math.abs(f.getBoundingClientRect().top) < innerHeight")
    figure.get_by_role("button", name="Reset").click()
    assert words(figure) == first


@EACH
def test_what_an_address_must_not_say_is_ignored(alone, name):
    keys = [pair.partition("=")[0] for pair in STATES[name][0].split("&")]
    page, figure = alone(name)
    first = words(figure)
    page, figure = alone(name, "&".join(f"{key}=%3Cb%3Ex" for key in keys) + "&other=1")
    assert words(figure) == first
    assert not page.errors
    page, figure = alone(name, "&".join(f"{key}=99999" for key in keys))
    assert "NaN" not in words(figure) and "undefined" not in words(figure)
    assert not page.errors


@EACH
def test_nothing_moves_by_itself_nor_at_all_with_reduced_motion(alone, name):
    page, figure = alone(name, still=True)
    before = figure.inner_html()
    page.wait_for_timeout(400)
    assert figure.inner_html() == before
    slider = figure.locator("input[type=range]").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert figure.evaluate("f => f.getAnimations({ subtree: true }).length") == 0


@EACH
def test_on_paper_and_without_scripts_the_picture_stands_in(turn, name):
    page, figure = turn(name)
    page.emulate_media(media="print")
    assert figure.locator(".figure-static").is_visible()
    assert not figure.locator(".figure-live").is_visible()
    page, figure = turn(name, javascript=False)
    picture = figure.locator("img.figure-static")
    assert picture.is_visible() and len(picture.get_attribute("alt")) > 40
    picture.scroll_into_view_if_needed()
    assert picture.bounding_box()["width"] > 200 and picture.bounding_box()["height"] > 100
    assert figure.locator("input, button").count() == 0


@pytest.mark.parametrize("name", draw_figures.NAMES)
def test_the_static_picture_is_what_the_script_draws(browser, tmp_path, name):
    stored = (ROOT / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    drawn = draw_figures.draw(browser, name, tmp_path)
    assert drawn == stored, f"python tools/draw_figures.py {name}"


def test_lengths_of_pictures_are_rounded_and_words_are_not():
    """Chromium's last digits depend on the processor; what a reader sees must stay."""
    drawn = draw_figures.picture(
        "t", '<path d="M1.23456 -2.5e-7L9.99999 3"/><text>0.12345</text>', 9
    )
    assert '<path d="M1.23 -2.5e-7L10 3"/><text>0.12345</text>' in drawn


# --- the numbers --------------------------------------------------------------------------------

IMAGE = np.array(
    [[1, 1, 2, 8, 9], [1, 2, 3, 9, 9], [2, 2, 8, 9, 9], [1, 3, 9, 9, 8], [2, 8, 9, 9, 9]]
)
KERNELS = {
    "right": [[-1, 0, 1]] * 3,
    "below": [[-1] * 3, [0] * 3, [1] * 3],
    "middle": [[0, -1, 0], [-1, 4, -1], [0, -1, 0]],
    "sum": [[1] * 3] * 3,
}


def convolved(kernel, S, P, D):
    """The output for a kernel, by NumPy: one shifted and strided slice for each weight."""
    padded = np.pad(IMAGE, P)
    n = (len(padded) - 2 * D - 1) // S + 1
    span = (n - 1) * S + 1
    return sum(
        w * padded[r * D : r * D + span : S, t * D : t * D + span : S]
        for r, row in enumerate(kernel)
        for t, w in enumerate(row)
    )


def test_the_convolution_is_numpys_at_every_setting(alone):
    page, _ = alone("convolution")
    settings = product(KERNELS, (1, 2, 3), (0, 1, 2), (1, 2))
    for kernel, S, P, D in settings:
        z = convolved(KERNELS[kernel], S, P, D)
        state = {"kernel": kernel, "S": S, "P": P, "D": D, "step": z.size - 1}
        text = every(page, "convolution", [state])[0]
        drawn = page.eval_on_selector_all("svg text", "texts => texts.map(t => t.textContent)")
        pixels = (len(IMAGE) + 2 * P) ** 2  # the image comes first, then the output
        shown = [int(minus(n)) for n in drawn[pixels : pixels + z.size]]
        assert shown == z.ravel().tolist(), state
        assert f"the output is {len(z)}×{len(z)}" in text, state
        assert f"Row {len(z)}, column {len(z)} of the output is {z[-1, -1]}" in minus(text), state
        unread = 5 + 2 * P - ((len(z) - 1) * S + 2 * D + 1)
        assert ("not read" in text) == (unread > 0), state


def test_the_sum_is_written_out(alone):
    _, figure = alone("convolution", "step=3&kernel=middle&S=1&P=0&D=1")
    terms = " ".join(figure.locator(".figure-stage svg text").all_text_contents())
    written = re.search(r"kernel.*?= (−?\d+)", terms)
    products = re.findall(r"(\d+)·(?:\((−\d+)\)|(\d+))", written[0])
    assert len(products) == 9
    total = sum(int(x) * int(minus(a or b)) for x, a, b in products)
    assert total == int(minus(written[1])) == convolved(KERNELS["middle"], 1, 0, 1)[1, 0]


def test_a_tap_on_the_output_chooses_the_step(alone):
    page, figure = alone("convolution", width=390)
    cell = figure.locator("rect.press").nth(0).bounding_box()  # the first that is not chosen
    page.mouse.click(cell["x"] + 5, cell["y"] + 5)
    assert "Row 1, column 1 of the output is 9" in words(figure)


def test_softmax_is_right_at_every_temperature(alone):
    page, _ = alone("softmax")
    temperatures = [0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 20, 50]
    z = np.array([12, 8, 7, 6, -3.0])
    for T, text in zip(
        temperatures, every(page, "softmax", [{"T": t} for t in temperatures]), strict=True
    ):
        p = np.exp(z / T) / np.exp(z / T).sum()
        shown = [float(n) for n in re.findall(r"([\d.]+)%", text)]
        np.testing.assert_allclose(shown, 100 * p, atol=0.0501)


AlexNet = [(11, 4, 0), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1), (3, 1, 1), (3, 1, 1), (3, 2, 0)]


def connections(size, R, S, P):
    """Which inputs each unit of a layer reads, along one side: a matrix of ones and zeros."""
    units = (size + 2 * P - R) // S + 1
    place = np.arange(size)[None] - (np.arange(units)[:, None] * S - P)
    return ((place >= 0) & (place < R)).astype(float)


def test_the_receptive_field_is_what_the_layers_connect(alone):
    page, _ = alone("receptive-field")
    paths, size = np.eye(227), 227
    for layer, (R, S, P) in enumerate(AlexNet):
        matrix = connections(size, R, S, P)
        paths, size = matrix @ paths, len(matrix)
        units = [0, size // 4, size // 2, size - 1]
        states = [{"layer": layer, "x": x, "y": size // 2} for x in units]
        for x, text in zip(units, every(page, "receptive-field", states), strict=True):
            across, down = paths[x], paths[size // 2]
            seen = [np.count_nonzero(row) for row in (across, down)]
            assert f"has {size}×{size} units a map" in text
            assert f"sees {seen[0]}×{seen[1]} pixels" in text, (layer, x)
            middle = np.prod([middle_third(row) for row in (across, down)])
            assert abs(float(re.search(r"has (\d+)% of all", text)[1]) - 100 * middle) <= 0.51


def middle_third(row):
    """Share of a row's paths in the middle third of what is seen, pixels cut where need be."""
    (at,) = np.nonzero(row)
    total = np.concatenate([[0], np.cumsum(row)])
    third = (at[-1] + 1 - at[0]) / 3
    low, high = np.interp([at[0] + third, at[-1] + 1 - third], np.arange(len(total)), total)
    return (high - low) / total[-1]


def test_the_chapters_table_of_fields_is_the_figures():
    text = (ROOT / "chapters" / "02-forward-pass.md").read_text()
    rows = re.findall(r"^\| (?:conv|pool)\d \| (\d+) \| (\d) \| (\d+) \| (\d+) \|$", text, re.M)
    field, jump = 1, 1
    for (R, S, _), row in zip(AlexNet, rows, strict=True):
        field, jump = field + (R - 1) * jump, jump * S
        assert tuple(map(int, row)) == (R, S, field, jump)


def test_int8_there_and_back_is_numpys(alone):
    page, _ = alone("int8")
    states = [
        {"x": x, "bits": bits, "max": largest, "kind": kind}
        for kind in ("symmetric", "affine")
        for bits in (2, 3, 4, 8)
        for largest in (0.25, 1, 1.5)
        for x in (-1.5, -0.32, -0.125, 0, 0.13, 0.25, 0.43, 0.75, 1.5)
    ]
    for state, text in zip(states, every(page, "int8", states), strict=True):
        high = 2 ** (state["bits"] - 1) - 1
        low = -high if state["kind"] == "symmetric" else -high - 1
        scale = state["max"] / (high if state["kind"] == "symmetric" else high - low)
        zero = 0 if state["kind"] == "symmetric" else low
        q = np.clip(np.round(state["x"] / scale) + zero, low, high)
        shown = re.search(r"gets the code (\S+) and comes back as (\S+), (\S+) too", minus(text))
        assert int(shown[1]) == q, state
        digits = 4 if scale < 0.05 else 3
        assert abs(float(shown[2]) - scale * (q - zero)) <= 0.501 * 10**-digits, state
        off = abs(scale * (q - zero) - state["x"])
        assert ("clipped" in text) == (off > scale / 2 * (1 + 1e-9)), state


def lab_lines(stem):
    cells = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4).cells
    return "\n".join(o.get("text", "") for c in cells for o in c.get("outputs", []))


def measured(stem, sentence):
    line = re.search(rf"^✓ {re.escape(sentence)} \(.*measured ([^\s)]+)", lab_lines(stem), re.M)
    return float(line[1])


def test_codebook_and_pruning_agree_with_lab_11():
    lab = re.findall(
        r"^ *(\d+) values: ([\d.]+)% right$", lab_lines("11-pruning-and-sharing"), re.M
    )
    shown = {values: right for values, _, right in table("codebook")["files"]}
    assert len(lab) == 5
    for values, right in lab:
        assert abs(100 * shown[int(values)] - float(right)) <= 1.5, values
    rows = {row[0]: row[1:] for row in table("pruning")["rows"]}
    lost, back = (
        measured("11-pruning-and-sharing", f"98% of fc6 and fc7 deleted: accuracy {what}")
        for what in ("lost", "that two epochs bring back")
    )
    assert abs(rows[0][1] - rows[0.98][1] - lost) <= 0.01
    assert abs(np.mean(rows[0.98][2]) - rows[0.98][1] - back) <= 0.02


def test_a_file_of_the_codebook_and_one_of_pruning_made_again():
    from helpers import alexnet, compression

    files = {row[0]: row[1] for row in table("codebook")["files"]}
    model = alexnet.alexnet28(weights="fashion_mnist")
    assert files["float32"] == 4 * model.count_params()
    others = dict.fromkeys(compression.kernels(model), 4) | {"conv1": 64}
    compression.share(model, others)
    compression.round_for_storage(model)
    assert abs(len(compression.pack(model)) / files[4] - 1) <= 0.001
    rows = {row[0]: row[1] for row in table("pruning")["rows"]}
    model = alexnet.alexnet28(weights="fashion_mnist")
    compression.prune(model, {"fc6": 0.9, "fc7": 0.9, "fc8": 0.63})
    assert abs(len(compression.pack(model)) / rows[0.9] - 1) <= 0.001


def test_the_codebook_of_the_histogram_is_that_of_the_weights(alone):
    from helpers import datasets
    from helpers.compression.sharing import kmeans

    page, _ = alone("codebook")
    arrays = np.load(datasets.asset_path("alexnet28_fashion_mnist.npz"))
    (w,) = (arrays[k].astype(float).ravel() for k in arrays if arrays[k].shape == (3, 3, 64, 96))
    assert sum(table("codebook")["conv3"]["counts"]) == w.size
    sizes = [2, 4, 8, 16, 32, 64, 128, 256]
    for M, text in zip(sizes, every(page, "codebook", [{"M": m} for m in sizes]), strict=True):
        centroids, codes = kmeans(w, M)
        error = np.sqrt(np.mean((w - centroids[codes]) ** 2))
        shown = float(re.search(r"is ([\d.]+) off", text)[1])
        assert abs(shown / error - 1) <= 0.05, (M, shown, error)  # two digits are shown


def test_as_many_weights_are_drawn_as_are_left(alone):
    page, figure = alone("pruning")
    block, rows = np.array(table("pruning")["fc7"]), table("pruning")["rows"]
    for k, row in enumerate(rows):
        text = every(page, "pruning", [{"cut": k}])[0]
        left = int(
            re.search(r"with (\d+) of 324", figure.locator("svg").get_attribute("aria-label"))[1]
        )
        assert left == (block >= row[0]).sum()
        assert abs(left / block.size - (1 - row[0])) <= 0.09, "a fair sample of the layer"
        assert f"{100 * row[2]:.1f}%" in text and f"{100 * np.mean(row[3]):.1f}%" in text


def test_paired_runs_are_those_of_the_table_with_students_interval(alone):
    from helpers import ablation_table, intervals

    page, _ = alone("pairs")
    against = figure_data.AGAINST
    for part, points in table("pairs")["rows"].items():
        d = 100 * ablation_table.differences(*against.get(part, (part, ablation_table.BASE)))
        assert np.allclose(points, d, atol=0.006) and len(d) >= 10
        for n in (2, 5, 10):
            mean, low, high = intervals.paired(np.array(points[:n]))
            text = minus(every(page, "pairs", [{"part": part, "pairs": n, "turn": 0}])[0])
            shown = re.search(
                r"Mean ([-+\d.]+) points, 95% interval ([-+\d.]+) to ([-+\d.]+)\.", text
            )
            assert np.allclose([float(v) for v in shown.groups()], [mean, low, high], atol=0.006)
            assert ("cannot tell" in text) == (low <= 0 <= high), (part, n)
        drawn = every(page, "pairs", [{"part": part, "pairs": 3, "turn": t} for t in range(12)])
        assert len(set(drawn)) > 6, "other runs are other runs"


@pytest.mark.parametrize(
    ("prevalence", "sensitivity", "wrong"),
    [(0.01, 90, 0.1), (5, 87.2, 9.3), (23.8, 87.2, 9.3), (0.01, 90, 0.0003), (50, 50, 30)],
)
def test_the_base_rate_is_bayes_formula(alone, prevalence, sensitivity, wrong):
    page, _ = alone("base-rate", f"rare={prevalence}&found={sensitivity}&wrong={wrong}")
    pi, sens, fall = prevalence / 100, sensitivity / 100, wrong / 100
    ppv = sens * pi / (sens * pi + fall * (1 - pi))
    text = words(page.locator("figure.interactive-base-rate"))
    share = float(re.search(r"([\d.]+)% of (?:them|the alarms)", text)[1])
    assert abs(share - 100 * ppv) <= 0.51
    right, alarms = map(
        float, re.search(r"([\d.,]+) of ([\d.,]+) alarms", text.replace(",", "")).groups()
    )
    assert abs(right / alarms - ppv) <= 0.05 * ppv + 0.01


def test_the_chapters_examples_are_the_figures(alone):
    _, figure = alone("base-rate")
    chapter = (ROOT / "chapters" / "applications.md").read_text()
    for case, share, sentence in (
        ("trial", "75%", "75 of 100 alarms are right"),
        ("place", "33%", "only 33 are"),
        ("crowd", "8.3%", "8% of the alarms are right"),
    ):
        figure.locator("select").select_option(case)
        assert share in words(figure) and sentence in chapter


def test_the_guesses_are_the_networks_and_those_of_lab_1():
    from helpers import datasets, efficientnet

    shown = table("top-five")
    images = [p.image for p in datasets.photographs(*shown)]
    model = efficientnet.efficientnet_lite0()
    logits = model.predict(efficientnet.preprocess(images), verbose=0)
    for name, five in zip(shown, efficientnet.decode_predictions(logits), strict=True):
        assert [guess.name for guess in five] == [guess for guess, _ in shown[name]]
        np.testing.assert_allclose(
            [g.probability for g in five], [p for _, p in shown[name]], atol=2e-3
        )
    for name, sentence in (
        ("espresso", "probability that the espresso is one"),
        ("cat", "probability of the best guess for the cat"),
        ("galaxies", "best probability for the galaxies"),
    ):
        assert abs(shown[name][0][1] - measured("01-imagenet", sentence)) <= 2e-3


def test_the_reader_is_the_judge(alone):
    _, figure = alone("top-five", width=390)
    assert "top-1 error 8 of 8, top-5 error 8 of 8" in words(figure)
    figure.get_by_label("tiger cat").check()
    assert "top-1 error 7 of 8, top-5 error 7 of 8" in words(figure)
    figure.get_by_role("button", name="Next").click()
    figure.get_by_label("coffee mug").check()
    assert "top-1 error 7 of 8, top-5 error 6 of 8" in words(figure)
    figure.get_by_label("coffee mug").uncheck()
    assert "top-5 error 7 of 8" in words(figure)
