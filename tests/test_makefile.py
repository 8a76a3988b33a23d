"""``make`` does the same whatever the user's environment holds, and says what is wrong."""

import importlib.util
import os
import subprocess
import urllib.request
from pathlib import Path
from threading import Thread

ROOT = Path(__file__).resolve().parent.parent


def make(*arguments, **environment):
    command = ["make", "--no-print-directory", *arguments]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")} | environment
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_help_names_every_target():
    targets = make("help").stdout.split("\n")
    assert {line.split()[0] for line in targets if line} >= {"book", "test", "seeds", "bench"}


def test_what_the_environment_holds_is_shut_out():
    shown = make("--eval", "show: ; @env", "show", PYTHONPATH="/other", PIP_USER="1").stdout
    assert "PYTHONPATH" not in shown and "PIP_USER=0" in shown and "PYTHONNOUSERSITE=1" in shown


def test_publishing_an_address_with_a_space_changes_nothing():
    found = make("publish", "REPO=own/thing", "name")
    assert found.returncode != 0 and "nothing was changed" in found.stderr


def test_without_a_network_one_sentence_says_so(tmp_path):
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    (tmp_path / "constraints.txt").touch()
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "check_python.py").touch()
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    nowhere |= {"PIP_CONFIG_FILE": os.devnull, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
    command = ["make", "-C", str(tmp_path), ".venv-book/ready"]
    found = subprocess.run(command, env=os.environ | nowhere, capture_output=True, text=True)
    assert found.returncode != 0
    assert "could not be installed" in found.stdout and not (tmp_path / ".venv-book/ready").exists()


def test_serving_takes_the_next_port_when_one_is_taken():
    spec = importlib.util.spec_from_file_location("serve", ROOT / "tools" / "serve.py")
    serve = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serve)
    with serve.server(18765) as first, serve.server(18765) as second:
        assert second.server_port > first.server_port
        Thread(target=second.handle_request, daemon=True).start()
        page = urllib.request.urlopen(f"http://localhost:{second.server_port}/intro.html")
        assert b"ImageNet" in page.read()
