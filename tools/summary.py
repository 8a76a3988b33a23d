"""The last lines of ``make test``: what ran, what was skipped and why, and how long it took."""

import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

REPORTS = Path(__file__).resolve().parent.parent / "_build" / "reports"


def minutes(seconds):
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s" if seconds >= 60 else f"{seconds:.0f} s"


def line(path):
    """One step of ``make test`` in one line, and its seconds, from pytest's own report."""
    suites = ET.parse(path).getroot().iter("testsuite")
    cases, seconds, bad = [], 0.0, 0
    for suite in suites:
        cases += suite.iter("testcase")
        seconds += float(suite.get("time"))
        bad += int(suite.get("failures")) + int(suite.get("errors"))
    why = Counter(skip.get("message") for case in cases for skip in case.iter("skipped"))
    labs = {case.get("classname") for case in cases if case.get("name").startswith("Cell ")}
    what = f"{len(cases) - why.total() - bad} " + (
        f"cells of {len(labs)} labs held" if labs else "passed"
    )
    if bad:
        what += f", {bad} FAILED"
    reasons = "; ".join(f"{count} of them: {reason}" for reason, count in why.most_common())
    return f"{what}, {why.total()} skipped{f' ({reasons})' if why else ''}", seconds


def main(steps):
    rows, total = [], 0.0
    for step in steps:
        path = REPORTS / f"{step}.xml"
        if step == "lint":  # make goes on only if it found nothing
            rows.append((step, "nothing found"))
        elif path.is_file():
            what, seconds = line(path)
            rows.append((step, f"{what}, {minutes(seconds)}"))
            total += seconds
        else:
            rows.append((step, "not run"))
    rows.append(("all", minutes(total)))
    for name, what in rows:
        print(f"{name:13}{what}")


if __name__ == "__main__":
    main(sys.argv[1:])
