"""The grader is killed half-way, twice: nothing is lost, nothing counted twice, nobody is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from grading import notebooks as nb
from grading import toy


def test_killed_half_way(tmp_path, sandboxed):
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    for number in range(1, 7):
        text = nb.right(f"Student {number}")
        (downloads / f"student{number}_{number}_9{number}_a2.ipynb").write_text(text, "utf-8")

    def command(out):
        given = [sys.executable, "-m", "helpers.grade", downloads, "--assignment", toy.__file__]
        given += ["--secret", nb.SECRET, "--output", tmp_path / out, "--workers", "1"]
        folders = [Path(toy.__file__).parents[1], *sys.path]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))}
        return subprocess.Popen(list(map(str, given)), env=environment, stderr=subprocess.DEVNULL)

    def kept(out):
        return sorted((tmp_path / out / "done").glob("canvas-*.json"))

    for count in (1, 3):
        running, end = command("out"), time.monotonic() + 120
        while len(kept("out")) < count and time.monotonic() < end:
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert count <= len(kept("out")) < 6
    before = {path: path.stat().st_mtime_ns for path in kept("out")}
    assert command("out").wait() == 0 and command("whole").wait() == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before  # graded once
    found = [
        {p.relative_to(tmp_path / out): p.read_bytes() for p in (tmp_path / out).rglob("*.*")}
        for out in ("out", "whole")
    ]
    assert found[0] == found[1] and len(kept("out")) == 6
