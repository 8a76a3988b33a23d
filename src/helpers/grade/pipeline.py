"""Grade many submissions side by side, keep each record as soon as it is there, show progress."""

import os
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

WORKERS = (os.cpu_count() or 2) + 2  # more than cores: some programs only wait


def grade(submissions, grading, store, *, workers=WORKERS, progress=True):
    """The records of all submissions, in their order; what ``store`` has is not run again."""
    records, new = {}, []
    for one in submissions:
        fingerprint = grading.fingerprint(one)
        known = store.get(one.key, fingerprint)
        if known:
            records[one.key] = known
        else:
            new.append((one, fingerprint))
    show = Progress(len(submissions), len(records), progress)
    with ThreadPoolExecutor(workers) as pool:
        waiting = {}
        try:
            while new or waiting:
                while new and len(waiting) < 2 * workers:  # a few prepared, not all of them
                    prepared = grading.prepare(*new.pop(0))
                    waiting[pool.submit(grading.run, prepared)] = prepared
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for one in done:
                    record = grading.judge(waiting.pop(one), one.result())
                    if not record.get("trouble"):  # else the next run tries again
                        store.put(record)
                    records[record["key"]] = record
                    show.one(record)
        except BaseException:
            for one in waiting:
                one.cancel()
            raise
    show.end()
    return [records[one.key] for one in submissions]


class Progress:
    """One line on standard error, written over and over; on a log file, one line now and then."""

    def __init__(self, count, known, on=True):
        self.count, self.done, self.begun, self.on = count, known, time.monotonic(), on
        self.known, self.live = known, sys.stderr.isatty()
        if on and known:
            print(f"{known} of {count} are graded already", file=sys.stderr)

    def one(self, record):
        self.done += 1
        if not self.on:
            return
        new = self.done - self.known
        left = (time.monotonic() - self.begun) / new * (self.count - self.done)
        text = f"{self.done}/{self.count}, {int(left // 60)}:{int(left % 60):02} left"
        if self.live:
            name = "".join(c if c.isprintable() else "?" for c in record["key"])[:40]
            print(f"\r{text}  {name:<40}", end="", file=sys.stderr, flush=True)
        elif self.done % 25 == 0 or self.done == self.count:
            print(text, file=sys.stderr, flush=True)

    def end(self):
        if self.on and self.live and self.done > self.known:
            print(file=sys.stderr)
