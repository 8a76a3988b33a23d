"""``python -m helpers.page my_model.axpk --output my.html``: see ``helpers.page``."""

import argparse
import sys
from pathlib import Path

from helpers import page


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m helpers.page", description=page.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("model", type=Path, help="a file that helpers.compression.pack made")
    parser.add_argument("--output", type=Path, required=True, help="the HTML file to write")
    parser.add_argument("--classes", help="names of the classes, with commas between them")
    parser.add_argument("--title", default="My network")
    parser.add_argument("--white", type=float, default=1, help="what a white pixel is: 1 or 255")
    given = parser.parse_args(arguments)
    try:
        packed = given.model.read_bytes()
        _, count = page.check(page.header_of(packed))
        names = given.classes.split(",") if given.classes else [f"class {k}" for k in range(count)]
        text = page.page(packed, names, brightest=given.white, title=given.title)
    except (OSError, page.PageError) as error:
        sys.exit(f"no page was made: {error}")
    given.output.write_text(text, "utf-8")
    print(f"{given.output}: {len(text) / 1000:,.0f} kB; open it in a browser")


if __name__ == "__main__":
    main()
