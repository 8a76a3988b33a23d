"""Grade a class of 300: every kind of fault three times, every attack, and some without a fault.

Prints the time, and how many were lost or graded wrongly; both must be 0. Nothing here is read from
the network or left on the disk.
"""

import os
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from grading import faults, notebooks, toy  # noqa: E402

from helpers.grade import __main__ as command  # noqa: E402
from helpers.grade import intake, pipeline, points, sandbox, store  # noqa: E402

COUNT = 300


def fill(folder, port):
    """Write the submissions; returns ``{key: (kind, names of the questions that are lost)}``."""
    expected, number = {}, 1000
    attacks = sorted((TESTS / "attacks").glob("*.py"))
    kinds = [kind for kind in faults.KINDS for _ in range(3)]
    kinds += ["right"] * (COUNT - len(kinds) - len(attacks))
    for kind in kinds:
        number += 1
        name, data, lost = faults.make(kind, f"Student Number{number}", number, number % 9 == 0)
        (folder / name).write_bytes(data)
        expected[f"canvas-{number}"] = kind, lost
    for path in attacks:
        number += 1
        text, lost = notebooks.attack(path, f"Eve Number{number}", port)
        lost += [toy.ASSIGNMENT.number] if path.stem == "not_a_number" else []
        (folder / f"evenumber{number}_{number}_9{number}_a2.ipynb").write_text(text, "utf-8")
        expected[f"canvas-{number}"] = path.stem, set(lost)
    return expected, len(set(kinds)), len(attacks)


def main():
    calls, server = [], socket.create_server(("127.0.0.1", 0))

    def listen():
        while True:
            try:
                calls.append(server.accept())
            except OSError:
                return

    threading.Thread(target=listen, daemon=True).start()
    with tempfile.TemporaryDirectory() as place:
        downloads, out = Path(place, "downloads"), Path(place, "out")
        downloads.mkdir()
        expected, kinds, attacks = fill(downloads, server.getsockname()[1])
        print(f"{len(expected)} submissions: {kinds} kinds, {attacks} attacks")
        times, used = [], []
        for _ in range(2):
            begun = time.perf_counter()
            grading = points.Grading(toy.ASSIGNMENT, notebooks.SECRET, sandbox.find())
            records = pipeline.grade(intake.collect(downloads), grading, store.Store(out))
            command.report(out, records, toy.ASSIGNMENT)
            used.append(grading.seconds)
            times.append(time.perf_counter() - begun)
    server.close()
    wrong, silent = [], 0
    for record in records:
        kind, lost = expected.pop(record["key"])
        came = {q["name"] for q in record["questions"] if q["points"] < q["most"]}
        silent += sum(q["points"] < q["most"] and not q["reason"] for q in record["questions"])
        if came != lost:
            reasons = {q["name"]: q["reason"] for q in record["questions"]}
            wrong.append(
                f"{record['key']} {kind}: lost {sorted(came)}, not {sorted(lost)}: {reasons}"
            )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0
    inside = f"{used[0]:.0f} s of processor time inside"
    print(f"graded in {times[0]:.0f} s, {inside}, load {load:.1f}")
    print(f"a second run, with nothing new: {times[1]:.1f} s")
    print(f"lost {len(expected)}, wrong {len(wrong)}, no reason {silent}, calls {len(calls)}")
    print("\n".join(wrong))
    return 1 if expected or wrong or silent or calls else 0


if __name__ == "__main__" and (code := main()):
    sys.exit(code)
