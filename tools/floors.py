"""Print the lowest versions that pyproject.toml allows as pins, for ``make test-lowest``."""

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def floors(text, extras=("test",)):
    """``"name>=1.2,<3; marker"`` becomes ``"name==1.2; marker"``, for the package and its extras.

    Raises ``ValueError`` for a dependency without a lower bound: it would be tested with any.
    """
    project = tomllib.loads(text)["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    pins = []
    for line in wanted:
        found = re.match(r"([\w.-]+)>=([\d.]+)[^;]*(;.*)?$", line)
        if not found:
            raise ValueError(f"pyproject.toml: {line!r} has no lower bound")
        pins.append(f"{found[1]}=={found[2]}{found[3] or ''}")
    return pins


if __name__ == "__main__":
    print(*floors(PYPROJECT.read_text("utf-8")), sep="\n")
