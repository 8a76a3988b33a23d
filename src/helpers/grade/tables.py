"""The tables: results for the instructor, imports for Canvas and Moodle, marks by hand."""

import csv
import io
from pathlib import Path

from helpers.grade import store
from helpers.grade.intake import name_of

WRITTEN = "written.csv"
HEAD = ("key", "student", "question", "most", "points", "comment", "answer")


class Marks:
    """The points that were given by hand: ``{(key, question): (points, comment)}``."""

    def __init__(self, path):
        self.found, self.problems, self.answers = {}, [], {}
        path = Path(path)
        if not path.is_file():
            return
        for number, row in enumerate(_rows(path), 2):
            key, question = row.get("key", ""), row.get("question", "")
            if not key or not question:
                continue
            text = (row.get("points") or "").strip().replace(",", ".")
            self.answers[key, question] = row.get("answer", "")
            try:
                points = float(text) if text else None
            except ValueError:
                self.problems.append(f"{path.name}, line {number}: {text!r} is no number of points")
                points = None
            most = _number(row.get("most"))
            if points is not None and not 0 <= points <= (most if most is not None else points):
                self.problems.append(
                    f"{path.name}, line {number}: {text} of {row.get('most')} points?"
                )
            self.found[key, question] = (points, row.get("comment") or "")

    def points(self, record, question):
        return self.found.get((record["key"], question), (None, ""))


def _number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _rows(path):
    """The rows of a table that a spreadsheet may have saved in its own way."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = (
                data.decode("utf-16")
                if data[:2] in (b"\xff\xfe", b"\xfe\xff")
                else data.decode("gb18030")
            )
        except UnicodeDecodeError:
            text = data.decode("cp1252", "replace")
    head = text.partition("\n")[0]
    mark = max(",;\t", key=head.count)
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=mark)
    return [{k: _plain(v) for k, v in row.items() if isinstance(k, str)} for row in rows]


def totals(record, assignment, marks):
    """(points by machine, points by hand or ``None`` if some are missing, all, the most)."""
    own = sum(q["points"] for q in record["questions"])
    given = [marks.points(record, one.name)[0] for one in assignment.written]
    hand = None if None in given else sum(given)
    most = sum(q.points for q in assignment.questions) + sum(
        one.points for one in assignment.written
    )
    most += assignment.number_points if assignment.number else 0
    return own, hand, own + (hand or 0), most


def results(out, records, assignment, marks):
    """``results.csv``: a line for each student, with a reason for every point that was lost."""
    names = [q.name for q in assignment.questions] + (
        [assignment.number] if assignment.number else []
    )
    written = [one.name for one in assignment.written]
    head = ["key", "name", "STUDENT", "lms", "id", "late", "file", *names, *written]
    rows = [[*head, "points", "most", "by hand open", "reasons", "look at"]]
    for record in records:
        points = {q["name"]: q["points"] for q in record["questions"]}
        own = [marks.points(record, name)[0] for name in written]
        _, hand, total, most = totals(record, assignment, marks)
        reasons = "; ".join(
            f"{q['name']}: {q['reason']}" for q in record["questions"] if q["reason"]
        )
        rows.append(
            [record["key"], record["name"], record["student"], record["lms"], record["id"]]
            + ["late" if record["late"] else "", record["file"]]
            + [_short(points.get(name)) for name in names]
            + [_short(one) for one in own]
            + [_short(total), _short(most), "" if hand is not None else "yes"]
            + [reasons, "; ".join(record["hand"])]
        )
    write(Path(out) / "results.csv", rows)


def canvas(out, records, assignment, marks):
    """``canvas.csv``, for Grades > Import: Canvas knows its students by their ID."""
    rows = [
        [
            "Student",
            "ID",
            "SIS User ID",
            "SIS Login ID",
            "Section",
            f"{assignment.id} {assignment.title}",
        ]
    ]
    most = totals(records[0], assignment, marks)[3] if records else 0
    rows.append(["    Points Possible", "", "", "", "", _short(most)])
    for record in records:
        if record["lms"] == "canvas":
            total = totals(record, assignment, marks)[2]
            rows.append([record["name"], record["id"], "", "", "", _short(total)])
    if len(rows) > 2:
        write(Path(out) / "canvas.csv", rows, "utf-8")


def moodle(out, records, assignment, marks):
    """``moodle.csv``, for Upload grading worksheet: Moodle knows them by Identifier."""
    rows = [["Identifier", "Full name", "Grade", "Feedback comments"]]
    for record in records:
        if record["lms"] == "moodle":
            total = totals(record, assignment, marks)[2]
            lost = [f"{q['name']}: {q['reason']}" for q in record["questions"] if q["reason"]]
            identifier = f"Participant {record['id']}"
            rows.append([identifier, record["name"], _short(total), "; ".join(lost)[:2000]])
    if len(rows) > 1:
        write(Path(out) / "moodle.csv", rows, "utf-8")


def written(out, records, assignment, marks):
    """``written.csv``: the answers, to be marked in it. Marks that are there stay.

    Returns what to say of answers that changed after they were marked.
    """
    rows, changed, keys = [list(HEAD)], [], set()
    for one in assignment.written:
        for record in records:
            answer = record["written"].get(one.name, "")
            points, comment = marks.points(record, one.name)
            before = marks.answers.get((record["key"], one.name))
            if points is not None and before is not None and _same(before) != _same(answer):
                changed.append(
                    (record["key"], f"the answer {one.name!r} changed after it was marked")
                )
            keys.add((record["key"], one.name))
            who = record["student"] or record["name"]
            rows.append(
                [record["key"], who, one.name, _short(one.points), _short(points), comment, answer]
            )
    for (key, name), (points, comment) in marks.found.items():
        if (key, name) not in keys and points is not None:  # nobody's marks are thrown away
            rows.append(
                [key, "", name, "", _short(points), comment, marks.answers.get((key, name), "")]
            )
    if assignment.written:
        write(Path(out) / WRITTEN, rows)
    return changed


def _same(text):
    return " ".join(text.split())


def write(path, rows, encoding="utf-8-sig"):
    """A table for a spreadsheet: what looks like a formula is made a text."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(
        [[_safe(cell) for cell in row] for row in rows]
    )
    store.write(path, text.getvalue(), encoding)


def _safe(cell):
    text = "" if cell is None else str(cell)
    text = "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@", "\t") and text.strip() else text


def _plain(cell):
    """A cell as it was before ``_safe``."""
    if isinstance(cell, str) and cell[:1] == "'" and cell[1:].lstrip()[:1] in ("=", "+", "-", "@"):
        return cell[1:]
    return cell if isinstance(cell, str) else ""


def _short(number):
    return "" if number is None else f"{number:g}"


def twins(records):
    """{key: sentence} of those whose STUDENT is somebody else's, too, or whose number is."""
    found = {}
    by_name, by_number = {}, {}
    for record in records:
        if record["student"]:
            by_name.setdefault(name_of(record["student"]), []).append(record)
        if record.get("expected") is not None:
            by_number[f"{record['expected']:.6g}"] = record
    for same in by_name.values():
        if len(same) > 1:
            for record in same:
                rest = ", ".join(one["key"] for one in same if one is not record)
                found.setdefault(record["key"], []).append(f"has the same STUDENT as {rest}")
    for record in records:
        other = by_number.get(f"{record['value']:.6g}") if record.get("value") is not None else None
        if other and name_of(other["student"] or "") != name_of(record["student"] or ""):
            found.setdefault(record["key"], []).append(f"has the number of {other['key']}")
    return found
