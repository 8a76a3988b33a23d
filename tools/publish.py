"""Set the book's address: ``python tools/publish.py owner/name``.

``_config.yml`` holds it (``repository_url``). Everything else that names it, the labs' links and
set-up cells, the README and the package metadata, is rewritten to agree; ``tests/test_address.py``
proves that it does. Nothing is written if the name makes no sense.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMED_IN = ["README.md", "intro.md", "pyproject.toml", "chapters/*.md", "notebooks/*.ipynb"]
NAMED_IN += ["_config.yml"]  # last: it says what to look for, so an interrupted run can be repeated


def current(root=ROOT):
    """The owner and the name that ``_config.yml`` has."""
    text = (root / "_config.yml").read_text(encoding="utf-8")
    found = re.search(r"^ +repository_url: https://github\.com/([\w.-]+)/([\w.-]+)$", text, re.M)
    if not found:
        raise ValueError("_config.yml has no line 'repository_url: https://github.com/owner/name'")
    return found.groups()


def files(root=ROOT):
    return [path for pattern in NAMED_IN for path in sorted(root.glob(pattern))]


def publish(repo, root=ROOT):
    """Rewrite every file that names the address; return those that changed."""
    wanted = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9_.-]+)", repo)
    if not wanted or wanted[2] in (".", "..") or wanted[2].endswith(".git"):
        raise ValueError(f"{repo!r} is not owner/name; say: make publish REPO=owner/name")
    owner, name = wanted.groups()
    if name.lower() == f"{owner.lower()}.github.io":
        raise ValueError(f"{name!r} is published at a site's root; give the book another name")
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
        done = publish(" ".join(sys.argv[1:]))
    except ValueError as error:
        sys.exit(str(error))
    print("\n".join(f"changed {path}" for path in done) or "nothing to change")
