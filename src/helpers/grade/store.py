"""What is kept in OUT between runs: a record for each submission, written whole or not at all."""

import json
from pathlib import Path

from helpers import files


def write(path, text, encoding="utf-8"):
    """Write a text file whole: after a crash or on a full disk the one before is still there."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode(encoding, "replace")  # a name may hold what is no letter
    if path.is_file() and path.read_bytes() == data:
        return
    try:
        files.replace(path, lambda partial: partial.write_bytes(data))
    except OSError:
        path.with_name("partial-" + path.name).unlink(missing_ok=True)
        raise


class Store:
    """``OUT/done/KEY.json``: the records of submissions that were graded."""

    def __init__(self, out):
        self.folder = Path(out) / "done"
        self.folder.mkdir(parents=True, exist_ok=True)
        for partial in self.folder.glob("partial-*"):  # of a run that was killed
            partial.unlink(missing_ok=True)

    def get(self, key, fingerprint):
        """The record of a submission, or ``None`` if it is new, was changed or is damaged."""
        try:
            record = json.loads((self.folder / f"{key}.json").read_text("utf-8"))
        except (OSError, ValueError):
            return None
        fits = isinstance(record, dict) and record.get("fingerprint") == fingerprint
        return record if fits else None

    def put(self, record):
        text = json.dumps(record, ensure_ascii=False, indent=1)
        write(self.folder / f"{record['key']}.json", text)
