"""Pictures: small files, and a place kept for each so that nothing jumps while the page loads.

A PNG becomes the smallest of lossless WebP, an indexed PNG, WebP of high quality (photographs only,
where it saves more than half) and itself. Its width and height stand in the page; a picture drawn
at 192 dots per inch is shown at half its size, sharp on a phone. It waits until the reader comes
near.
"""

import re
from functools import cache
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from PIL import Image

IMAGE = re.compile(r"<img\b([^>]*?)\s*/?>")
LINK = re.compile(r'(image-reference" href="[^"]*_images/)([^"]+)"')  # to the picture in full size


def encoded(image, **options):
    file = BytesIO()
    image.save(file, **options)
    return file.getvalue()


def smallest(data):
    """The bytes of the smallest file that shows the same picture, and the ending of its name."""
    image = Image.open(BytesIO(data))
    if image.format != "PNG" or getattr(image, "is_animated", False):
        return data, (image.format or "png").lower()
    image = image.convert("RGBA")
    if image.getextrema()[3][0] == 255:
        image = image.convert("RGB")
    found = [
        (data, "png"),
        (encoded(image, format="WEBP", lossless=True, quality=40, method=2), "webp"),
    ]
    if image.mode == "RGB" and image.getcolors(256):
        indexed = image.quantize(256, dither=Image.Dither.NONE)
        found.append((encoded(indexed, format="PNG", optimize=True), "png"))
    best = min(found, key=lambda one: len(one[0]))
    if len(best[0]) > 40_000:
        close = encoded(image, format="WEBP", quality=92, method=4)
        if 2 * len(close) < len(best[0]):
            return close, "webp"
    return best


def size_of(path):
    """Width and height in CSS pixels."""
    if path.suffix == ".svg":
        root = ElementTree.parse(path).getroot()
        box = root.get("viewBox", "0 0 0 0").replace(",", " ").split()
        width, height = (re.match(r"[\d.]*", root.get(k, "")).group() for k in ("width", "height"))
        return round(float(width or box[2])), round(float(height or box[3]))
    with Image.open(path) as image:
        scale = max(1, round(image.info.get("dpi", (96, 96))[0]) / 96)
        return round(image.width / scale), round(image.height / scale)


@cache
def prepared(source, target, changed):
    """Write the smallest form of ``source`` beside ``target``: its name, width and height."""
    width, height = size_of(source)
    if source.suffix != ".png":
        return target.name, width, height
    data, ending = smallest(source.read_bytes())
    target = target.with_suffix(f".{ending}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target.name, width, height


def lay_out(app, text):
    """Give every picture of a rendered page its size and its smallest file."""
    sources = {name: Path(app.srcdir, path) for path, name in app.builder.images.items()}
    # A theme's own pictures are copied after the pages are written.
    folders = [Path(folder, "static") for folder in app.builder.theme.get_theme_dirs()]
    folders.insert(0, Path(app.srcdir, "_static"))

    def static(source):
        rest = unquote(source.partition("_static/")[2].partition("?")[0])
        return next((path for f in folders if (path := f / rest).is_file()), None)

    def image(match):
        attributes = match[1]
        source = re.search(r'\bsrc="([^"]*)"', attributes)
        name = Path(unquote(source[1])).name if source else ""
        if "_images/" in attributes and name in sources:
            path = sources[name]
            target = Path(app.outdir, "_images", name)
            new, width, height = prepared(path, target, path.stat().st_mtime)
            attributes = attributes.replace(f"_images/{Path(source[1]).name}", f"_images/{new}")
        elif "_static/" in attributes and (path := static(source[1])):
            width, height = size_of(path)
            return f'<img{attributes} width="{width}" height="{height}" />'
        else:
            return match[0]
        later = "" if "loading=" in attributes else ' loading="lazy" decoding="async"'
        sizes = "" if " height=" in attributes else f' width="{width}" height="{height}"'
        attributes = re.sub(r' width="[\d.]+"', "", attributes) if sizes else attributes
        return f"<img{attributes}{sizes}{later} />"

    def link(match):
        source = sources.get(unquote(match[2]))
        if source is None:
            return match[0]
        target = Path(app.outdir, "_images", unquote(match[2]))
        return f'{match[1]}{prepared(source, target, source.stat().st_mtime)[0]}"'

    return LINK.sub(link, IMAGE.sub(image, text))


def leave_out_large(app, error):
    """Remove each copied PNG in whose place a page shows a smaller file."""
    if error or app.builder.format != "html":
        return
    for path in Path(app.outdir, "_images").glob("*.webp"):
        path.with_suffix(".png").unlink(missing_ok=True)


def setup(app):
    app.connect("build-finished", leave_out_large)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
