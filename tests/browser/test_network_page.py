"""The figure with the network: on the landing page, and in the page that a reader exports.

Drawn by mouse, finger and keys, in a real browser, from the disk with the network cut off.
"""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from helpers import datasets, page

expect.set_options(timeout=30_000)  # others may keep the machine busy
ROOT = Path(__file__).resolve().parent.parent.parent
FIGURES = ROOT / "_build" / "html" / "_static" / "figures"
# Outlines as a child draws them: strokes of points, 0 to 1 from left and top.
DRAWINGS = {
    "T-shirt/top": ["32,15 10,30 20,42 30,35 30,88 70,88 70,35 80,42 92,30 68,15 50,22 32,15"],
    "Trouser": [
        "33,10 67,10", "33,10 28,92", "28,92 42,92", "42,92 50,40", "50,40 58,92", "58,92 72,92",
        "72,92 67,10",
    ],
    "Dress": ["40,8 60,8 58,35 75,92 25,92 42,35 40,8"],
    "Sneaker": ["8,70 8,42 20,42 30,50 55,45 70,55 92,60 92,72 8,72"],
    "Sandal": ["5,72 40,75 95,80 95,86 5,80 5,72", "10,72 30,40 45,75", "60,77 72,55 85,79"],
    "Bag": ["15,40 85,40 88,90 12,90 15,40", "35,40 36,20 50,12 64,20 65,40"],
    "Ankle boot": ["20,10 50,10 50,50 85,62 88,85 18,85 20,10"],
}  # fmt: skip


def points(stroke):
    return [tuple(int(number) / 100 for number in pair.split(",")) for pair in stroke.split()]


def draw(tab, strokes):
    paper = tab.locator(".net-canvas")
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"])
                  for x, y in points(stroke)]  # fmt: skip
        tab.mouse.move(*places[0])
        tab.mouse.down()
        for place in places[1:]:
            tab.mouse.move(*place, steps=4)
        tab.mouse.up()


def answer(tab):
    """What the page says, once it has said it."""
    says = tab.locator(".net-says")
    expect(says).to_contain_text("It says")
    tab.wait_for_timeout(700)  # until it has been told and stands in the address
    return says.inner_text()


def from_book(path):
    """The path of a file, seen from the rendered book."""
    return Path(os.path.relpath(path, FIGURES.parent.parent)).as_posix()


def sample(tab, number):
    tab.get_by_role("button", name=f"Picture {number}:").click()


def test_a_press_is_answered_within_a_second(open_page):
    """From the click to the answer, engine and weights loaded in between; the best of three.

    What counts is the time that the page's thread was at work, since others may keep the machine
    busy; the time on the clock is printed.
    """
    worked, waited = [], []
    for _ in range(3):
        tab = open_page("intro.html", width=390)
        meter = tab.context.new_cdp_session(tab)
        meter.send("Performance.enable", {"timeDomain": "threadTicks"})
        before = task_time(meter)
        waited.append(tab.evaluate(
            """async () => {
              const figure = document.querySelector(".interactive-network");
              const begun = performance.now();
              figure.querySelector(".net-sample").click();
              const late = performance.now() + 60000;
              while (!figure.dataset.answered && performance.now() < late) {
                await new Promise((go) => setTimeout(go, 5));
              }
              return performance.now() - begun;
            }"""
        ))  # fmt: skip
        worked.append(1000 * (task_time(meter) - before))
        assert "It says T-shirt/top" in answer(tab)
        assert not tab.errors and not tab.outside
    print(f"first answer after {min(worked):.0f} ms of work, {min(waited):.0f} ms on the clock")
    assert 50 < min(worked) < 1000


def task_time(meter):
    """Seconds for which the page's main thread has run tasks."""
    metrics = meter.send("Performance.getMetrics")["metrics"]
    return next(m["value"] for m in metrics if m["name"] == "TaskDuration")


def test_it_weighs_what_it_says(open_page):
    names = ["network.js", "network.css", "network-engine.js", "network-data.js"]
    sizes = {n: len(gzip.compress((FIGURES / n).read_bytes(), 6)) for n in names}
    print(sizes)
    assert sum(sizes.values()) <= 120_000
    tab = open_page("intro.html", http=True)
    asked = []
    tab.on("request", lambda request: asked.append(request.url.rpartition("/")[2].split("?")[0]))
    said = tab.locator(".net-told").inner_text()
    assert f"{(sizes[names[2]] + sizes[names[3]]) / 1000:.0f} kB" in said
    tab.wait_for_timeout(300)
    assert not set(names[2:]) & set(asked)  # nothing of it is loaded before the first use
    sample(tab, 2)
    assert "It says Trouser" in answer(tab)
    assert set(names[2:]) <= set(asked)
    told = tab.locator(".net-told").inner_text()
    assert "940,482 weights" in told and "5b1edc4e"[:4] in told


def test_outlines_drawn_with_the_mouse_are_recognized(open_page):
    tab = open_page("intro.html", width=390, height=844)
    right = {}
    for name, strokes in DRAWINGS.items():
        tab.get_by_role("button", name="Clear").click()
        draw(tab, strokes)
        right[name] = f"It says {name}," in answer(tab)
    print(right)
    assert sum(right.values()) >= len(DRAWINGS) - 1
    assert not tab.errors


def test_an_address_brings_a_drawing_back(open_page):
    tab = open_page("intro.html")
    draw(tab, DRAWINGS["Ankle boot"])
    said = answer(tab)
    assert "#network?" in tab.url and "drawing=" in tab.url
    again = open_page("intro.html#" + tab.url.partition("#")[2])
    assert answer(again) == said


@pytest.mark.parametrize(
    "state",
    [
        "sample=99&eps=1e9&view=nothing", "sample=1.5", "sample=-1", "drawing=%3Cscript%3E",
        "drawing=AAA.", "drawing=" + "A" * 30000, "view=attack&eps=900&steps=1000000",
    ],
)  # fmt: skip
def test_an_address_that_makes_no_sense_is_passed_over(open_page, state):
    tab = open_page(f"intro.html#network?{state}")
    expect(tab.locator(".net-says")).to_have_text("Draw, or choose a picture.")
    assert not tab.errors


def test_the_keyboard_draws_chooses_and_attacks(open_page):
    tab = open_page("intro.html", width=390)
    tab.locator(".net-canvas").focus()
    for key, times in (("ArrowLeft", 8), ("ArrowUp", 4), (" ", 1), ("ArrowRight", 16),
                       ("ArrowDown", 8), ("ArrowLeft", 16), ("ArrowUp", 8), (" ", 1)):  # fmt: skip
        for _ in range(times):
            tab.keyboard.press(key)
    assert "It says" in answer(tab)
    heard = tab.locator(".interactive-network [role=status]")
    expect(heard).to_contain_text("It says")
    tab.keyboard.press("Delete")
    expect(tab.locator(".net-says")).to_have_text("Draw, or choose a picture.")
    tab.keyboard.press("Tab")  # Clear
    tab.keyboard.press("Tab")  # the first picture, for the box cannot be used without a drawing
    tab.keyboard.press("Enter")
    assert "The label says T-shirt/top" in answer(tab)
    tab.get_by_role("radio", name="First layer").focus()
    tab.keyboard.press("ArrowRight")
    expect(tab.get_by_role("radio", name="Deceive it")).to_be_checked()
    slider = tab.get_by_role("slider", name="Change of a pixel")
    slider.focus()
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    assert "eps=11" in answer(tab) + tab.url
    assert not tab.errors


def test_a_finger_draws(open_page):
    tab = open_page("intro.html", width=390, height=844, touch=True)
    tab.locator(".net-canvas").scroll_into_view_if_needed()
    box = tab.locator(".net-canvas").bounding_box()
    finger = tab.context.new_cdp_session(tab)
    (stroke,) = DRAWINGS["Sneaker"]
    kind = "touchStart"
    for x, y in points(stroke):
        place = {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]}
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
        kind = "touchMove"
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert "It says Sneaker" in answer(tab)


def test_the_attack_deceives_it_and_says_so(open_page):
    tab = open_page("intro.html#network?sample=9&view=attack&eps=0&steps=10")
    cards = tab.locator(".net-card figcaption")
    expect(cards.nth(1)).to_have_text("nothing added")
    assert cards.nth(0).inner_text() == cards.nth(2).inner_text()
    tab.goto(tab.url.partition("#")[0] + "#network?sample=9&view=attack&eps=32&steps=10")
    expect(tab.locator(".net-explains")).to_contain_text("and said Bag before")
    expect(tab.locator(".net-explains")).to_contain_text("by more than 32 of 255")
    assert not tab.errors


def test_a_chapter_begins_with_the_attack_and_tries_it_on_a_robust_network(open_page):
    tab = open_page("chapters/09-adversarial-examples.html", http=True)
    asked = []
    tab.on("request", lambda request: asked.append(request.url.rpartition("/")[2].split("?")[0]))
    sample(tab, 9)
    expect(tab.get_by_role("radio", name="Deceive it")).to_be_checked()
    cards = tab.locator(".net-card figcaption")
    expect(cards.nth(3)).to_contain_text("robust network: Bag")
    expect(tab.locator(".net-explains")).to_contain_text("attacked in the same way, still says Bag")
    assert "network-rival.js" in asked and not tab.errors
    assert len(gzip.compress((FIGURES / "network-rival.js").read_bytes(), 6)) <= 60_000
    tab.goto(tab.url.partition("#")[0] + "#network?sample=9&view=first")
    expect(tab.get_by_role("radio", name="First layer")).to_be_checked()


def test_two_maps_of_what_matters(open_page):
    tab = open_page("intro.html#network?sample=10&view=matters")
    expect(tab.locator(".net-card figcaption").nth(1)).to_have_text("slopes")
    expect(tab.locator(".net-explains")).to_contain_text("not a reason")
    tab.get_by_role("radio", name="hide and see").check()
    expect(tab.locator(".net-card figcaption").nth(1)).to_have_text("hide and see")
    assert not tab.errors


@pytest.mark.parametrize("view", ["first", "attack", "matters"])
def test_everything_to_press_is_as_large_as_a_thumb(open_page, view):
    tab = open_page(f"intro.html#network?sample=1&view={view}", width=390)
    answer(tab)
    small = tab.evaluate(
        """() => [...document.querySelectorAll(".net :is(button, label, input[type=range])")]
          .filter((e) => e.getClientRects().length && !e.matches("[for=net-eps]"))
          .map((e) => [e.textContent || e.id, e.getBoundingClientRect()])
          .filter(([, box]) => box.width < 44 || box.height < 44).map(([name]) => name)"""
    )
    assert not small
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("dark", [False, True])
def test_it_can_be_read_in_light_and_dark(open_page, dark):
    tab = open_page("intro.html#network?sample=3", dark=dark, still=True)
    answer(tab)
    contrast = tab.evaluate(
        """() => {
          const light = (text) => {
            const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3)
              .map((v) => v / 255)
              .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ground = (e) => {
            for (let at = e; at; at = at.parentElement) {
              const colour = getComputedStyle(at).backgroundColor;
              if (!/, 0\\)$|transparent/.test(colour)) return colour;
            }
            return "rgb(255, 255, 255)";
          };
          return Math.min(...[...document.querySelectorAll(
            ".net-says, .net-name, .net-share, .net-told, .net-explains, .net label")].map((e) => {
              const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
              return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            }));
        }"""
    )  # fmt: skip
    assert contrast >= 4.5
    assert not tab.errors


def test_without_scripts_a_picture_stands_there(open_page):
    tab = open_page("intro.html", javascript=False)
    picture = tab.locator("figure.interactive-network img")
    expect(picture).to_be_visible()
    assert len(picture.get_attribute("alt")) > 40
    assert tab.locator(".net").count() == 0


@pytest.fixture(scope="module")
def packed():
    return datasets.asset_path("alexnet28_fashion_mnist.axpk").read_bytes()


def test_an_exported_page_runs_on_drawings_and_on_pictures(open_page, packed, tmp_path):
    model, output, picture = (tmp_path / n for n in ("my.axpk", "my.html", "bag.png"))
    model.write_bytes(packed)
    names = ",".join(datasets.FASHION_CLASSES)
    command = [sys.executable, "-m", "helpers.page", model, "--output", output, "--classes", names]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert str(output) in told
    tab = open_page(from_book(output), width=390)
    draw(tab, DRAWINGS["Ankle boot"])
    assert "It says Ankle boot" in answer(tab)
    data = datasets.fashion_mnist("quick")
    bag = data.test_images[np.flatnonzero(data.test_labels == 8)[0]]
    Image.fromarray(bag).resize((280, 280), 0).save(picture)
    tab.locator("#net-own").set_input_files(picture)
    expect(tab.locator(".net-says")).to_contain_text("It says Bag")
    Image.fromarray(255 - bag).resize((280, 280), 0).save(picture)  # a photograph on white
    tab.locator("#net-own").set_input_files([])
    tab.locator("#net-own").set_input_files(picture)
    tab.get_by_label("invert").check()
    expect(tab.locator(".net-says")).to_contain_text("It says Bag")
    tab.get_by_role("radio", name="What matters").check()  # the worker runs there, too
    expect(tab.locator(".net-card")).to_have_count(2)
    broken = tmp_path / "note.png"
    broken.write_text("no picture")
    tab.locator("#net-own").set_input_files(broken)
    expect(tab.locator(".net-says")).to_contain_text("no picture that the browser can open")
    assert not tab.errors and not tab.outside


def test_names_in_an_exported_page_are_text(open_page, packed, tmp_path):
    names = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", *"abcdefgh"]
    output = tmp_path / "my.html"
    output.write_text(page.page(packed, names, title="<b>{config} & mine"), "utf-8")
    tab = open_page(from_book(output))
    tab.on("dialog", lambda dialog: pytest.fail("a name was run as a program"))
    draw(tab, DRAWINGS["Bag"])
    answer(tab)
    assert tab.locator(".net-name").nth(0).inner_text() == names[0]
    assert tab.locator("h1").inner_text() == "<b>{config} & mine"
    assert not tab.errors
