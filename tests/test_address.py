"""The book's address is set in one place, and everything that names it agrees."""

import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import publish  # noqa: E402

ADDRESS = re.compile(
    r"(?:github\.com/|colab\.research\.google\.com/github/)([\w.-]+)/([\w.-]+?)"
    r"(?:\.git)?(?=[/\"'`\s)\\#]|$)"
)
PAGES = re.compile(r"https://([\w-]+)\.github\.io/([\w.-]+)")


def check(root, owner, name):
    named = 0
    for path in publish.files(root):
        text = path.read_text(encoding="utf-8")
        for line in text.splitlines():
            if re.search(
                r"Run in Colab|%pip install|git\+https|colab-badge|baseurl|repository_url", line
            ):
                addresses = ADDRESS.findall(line) + PAGES.findall(line)
                assert addresses, f"{path.name}: no address in {line.strip()!r}"
                for o, n in addresses:
                    assert (o.lower(), n) == (owner.lower(), name), f"{path.name}: {o}/{n}"
                    named += 1
    return named


def test_everything_agrees_with_the_configuration():
    owner, name = publish.current()
    assert check(ROOT, owner, name) >= 6


def test_publish_changes_everything_and_back(tmp_path):
    for path in publish.files():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    before = {p: p.read_text(encoding="utf-8") for p in publish.files(tmp_path)}
    old = "/".join(publish.current(tmp_path))
    publish.publish("Some-One/alex.net", tmp_path)
    assert check(tmp_path, "Some-One", "alex.net") >= 6
    for path in publish.files(tmp_path):
        text = path.read_text(encoding="utf-8")
        assert old not in text, f"{path.name} still names {old}"
        assert f"{old.split('/')[0]}.github.io" not in text, path.name
    publish.publish(old, tmp_path)
    assert before == {p: p.read_text(encoding="utf-8") for p in publish.files(tmp_path)}


@pytest.mark.parametrize("repo", ["", "name", "a/b/c", "own er/name", "https://github.com/a/b"])
def test_a_bad_address_changes_nothing(tmp_path, repo):
    shutil.copy(ROOT / "_config.yml", tmp_path)
    before = (tmp_path / "_config.yml").read_text()
    with pytest.raises(ValueError, match="owner/name"):
        publish.publish(repo, tmp_path)
    assert (tmp_path / "_config.yml").read_text() == before
