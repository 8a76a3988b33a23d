"""The book's address is set in one place, and everything that names it agrees."""

import re
import shutil
import subprocess
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
    copy(tmp_path)
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


@pytest.mark.parametrize(
    "repo", ["", "name", "a/b/c", "own er/name", "https://github.com/a/b", "a/b.git", "a/.."]
)
def test_a_bad_address_changes_nothing(tmp_path, repo):
    shutil.copy(ROOT / "_config.yml", tmp_path)
    before = (tmp_path / "_config.yml").read_text()
    with pytest.raises(ValueError, match="owner/name"):
        publish.publish(repo, tmp_path)
    assert (tmp_path / "_config.yml").read_text() == before


def test_a_site_s_root_is_no_address_of_a_book():
    with pytest.raises(ValueError, match=r"'Me\.github\.io' is published at a site's root"):
        publish.publish("me/Me.github.io")


def copy(tmp_path):
    for path in publish.files():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def test_a_configuration_without_the_address_is_named(tmp_path):
    (tmp_path / "_config.yml").write_text("title: x\n")
    with pytest.raises(ValueError, match=r"_config\.yml has no line 'repository_url: "):
        publish.publish("some/one", tmp_path)


def test_an_interrupted_change_of_address_can_be_repeated(tmp_path, monkeypatch):
    copy(tmp_path)
    write, left = Path.write_text, [2]

    def interrupted(path, *args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return write(path, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish.publish("some/one", tmp_path)
    monkeypatch.undo()
    publish.publish("some/one", tmp_path)
    assert check(tmp_path, "some", "one") >= 6


def test_the_error_names_what_was_typed():
    command = [sys.executable, ROOT / "tools" / "publish.py", "bad", "name"]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 1 and told.stderr.startswith("'bad name' is not owner/name")
