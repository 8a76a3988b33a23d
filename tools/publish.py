"""Set the book's address: ``python tools/publish.py owner/name``.

``_config.yml`` holds it (``repository: url``). Everything else that names it, the labs' links and
set-up cells, the README and the package metadata, is rewritten to agree; ``tests/test_address.py``
proves that it does. Nothing is written if the name makes no sense.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMED_IN = ["_config.yml", "README.md", "intro.md", "pyproject.toml"]
NAMED_IN += ["chapters/*.md", "notebooks/*.ipynb"]


def current(root=ROOT):
    """The owner and the name that ``_config.yml`` has."""
    text = (root / "_config.yml").read_text(encoding="utf-8")
    return re.search(
        r"^repository:\n  url: https://github\.com/([\w.-]+)/([\w.-]+)$", text, re.M
    ).groups()


def files(root=ROOT):
    return [path for pattern in NAMED_IN for path in sorted(root.glob(pattern))]


def publish(repo, root=ROOT):
    """Rewrite every file that names the address; return those that changed."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_.-]+", repo):
        raise ValueError(f"{repo!r} is not owner/name; say: make publish REPO=owner/name")
    owner, name = repo.split("/")
    old_owner, old_name = current(root)
    # One address in three forms: the repository, Colab's view of it, and the published pages.
    swaps = [
        (f"github.com/{old_owner}/{old_name}", f"github.com/{owner}/{name}"),
        (f"google.com/github/{old_owner}/{old_name}", f"google.com/github/{owner}/{name}"),
        (f"{old_owner.lower()}.github.io/{old_name}", f"{owner.lower()}.github.io/{name}"),
    ]
    changed = []
    for path in files(root):
        before = after = path.read_text(encoding="utf-8")
        for old, new in swaps:
            after = re.sub(re.escape(old) + r"(?![\w-])", new, after)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path.relative_to(root))
    return changed


if __name__ == "__main__":
    try:
        done = publish(sys.argv[1] if len(sys.argv) == 2 else "")
    except ValueError as error:
        sys.exit(str(error))
    print("\n".join(f"changed {path}" for path in done) or "nothing to change")
