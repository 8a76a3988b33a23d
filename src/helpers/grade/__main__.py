"""The command: ``python -m helpers.grade DOWNLOADS --assignment a2 --secret ... --output OUT``."""

import argparse
import os
import sys
from pathlib import Path

from helpers.grade import (
    assignment,
    intake,
    pages,
    pipeline,
    points,
    sandbox,
    similar,
    store,
    tables,
)
from helpers.grade.runner import Limits


def parser():
    found = argparse.ArgumentParser("python -m helpers.grade", description=__doc__.split(":")[0])
    found.add_argument("downloads", help="the folder or zip from Canvas, Moodle or a shared folder")
    found.add_argument("--assignment", required=True, help="a1 to a6, or a Python file")
    found.add_argument(
        "--output", required=True, help="a folder; a second run grades only what is new"
    )
    found.add_argument(
        "--secret", default=os.environ.get("SECRET", ""), help="the class's; or in SECRET"
    )
    found.add_argument(
        "--seconds", type=float, default=Limits.seconds, help="for each statement and case"
    )
    found.add_argument("--workers", type=int, default=pipeline.WORKERS)
    found.add_argument(
        "--no-sandbox", action="store_true", help="dangerous: see what is said without it"
    )
    found.add_argument("--quiet", action="store_true", help="show no progress")
    return found


def main(arguments=None):
    """Grade; returns 0, or 2 if something must be done first (it says what)."""
    given = parser().parse_args(arguments)
    try:
        if not given.secret:
            raise ValueError("give the class's secret: --secret TEXT, the one of make assignments")
        task = assignment.load(given.assignment)
        box = sandbox.find(given.no_sandbox)
        submissions = intake.collect(given.downloads)
        if not submissions:
            raise ValueError(f"there are no files in {given.downloads}")
        kept, source = Path(given.output).resolve(), Path(given.downloads).resolve()
        if kept == source or kept in source.parents or source in kept.parents:
            raise ValueError("the output must not lie in the downloads, nor they in it")
        keeper = store.Store(kept)
    except (sandbox.NoSandbox, ValueError, LookupError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if not box.bwrap:
        print("Without a sandbox: the students' programs can do what you can.", file=sys.stderr)
    grading = points.Grading(task, given.secret, box, Limits(seconds=given.seconds))
    try:
        records = pipeline.grade(
            submissions, grading, keeper, workers=given.workers, progress=not given.quiet
        )
        said = report(kept, records, task)
    except OSError as error:
        print(f"\n{error}. What was graded is kept in {kept}: run it again.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nStopped. What was graded is kept in {kept}: run it again.", file=sys.stderr)
        return 130
    print(said)
    return 0


def report(out, records, task):
    """Write all tables and pages from the records; returns a few lines for the terminal."""
    out = Path(out)
    marks = tables.Marks(out / tables.WRITTEN)
    hints = tables.twins(records)
    for key, sentence in tables.written(out, records, task, marks):
        hints.setdefault(key, []).append(sentence)
    tables.results(out, records, task, marks)
    tables.canvas(out, records, task, marks)
    tables.moodle(out, records, task, marks)
    for record in records:
        pages.student(out, record, task, marks)
    pages.instructor(out, records, task, marks, similar.pairs(records), hints)
    look = sum(bool(record["hand"] or record["key"] in hints) for record in records)
    lines = [f"{len(records)} submissions, {look} to be looked at: {out / 'index.html'}"]
    lines += [f"{out / tables.WRITTEN} holds the written answers: mark them there and run again"]
    return "\n".join(lines + marks.problems)


if __name__ == "__main__":
    sys.exit(main())
