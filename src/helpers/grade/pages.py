"""The pages: one for the instructor, one for each student. All that students wrote is escaped."""

import re
from collections import Counter
from html import escape
from pathlib import Path

from helpers.grade import store
from helpers.grade.tables import totals

STYLE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #222; background: #fff; }
table { border-collapse: collapse; }
td, th { padding: .3rem .6rem; border-bottom: 1px solid #ccc; text-align: left; }
td, th { vertical-align: top; overflow-wrap: break-word; }
td:last-child { overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 1.4rem 0 0; }
h2 + p { margin-top: .2rem; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; background: #f4f4f4; padding: .6rem; overflow-wrap: anywhere; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.bar { background: #2b6cb0; height: 1rem; }
td.n { text-align: right; white-space: nowrap; }
@media (max-width: 40rem) { .two { grid-template-columns: 1fr; } }
</style>
"""
SIGNS = {"right": "✓", "wrong": "✗", "unwritten": "·", "missing": "✗", "not graded": "?"}


def student(out, record, assignment, marks):
    """``feedback/KEY.html``: what each question got, and why it lost what it lost."""
    _, hand, total, most = totals(record, assignment, marks)
    parts = [STYLE, f"<title>{escape(assignment.title)}</title><h1>{escape(assignment.title)}</h1>"]
    parts.append(
        f"<p>{_text(record['student'] or record['name'])}: "
        f"<strong>{total:g} of {most:g} points</strong>"
    )
    parts.append("." if hand is not None else ", and what you wrote is still to be marked.")
    if record["late"]:
        parts.append(" It came late.")
    parts.append("</p>")
    for q in record["questions"]:
        title = f"{SIGNS.get(q['status'], '')} {escape(q['name'])}"
        parts.append(_section(title, q["points"], q["most"], q["reason"] or "Right."))
    for one in assignment.written:
        points, comment = marks.points(record, one.name)
        said = comment or ("To be marked." if points is None else "")
        parts.append(_section(escape(one.title), points, one.points, said))
    if record["file"]:
        parts.append(f"<p>The file that counts: {_text(record['file'])}</p>")
    said = [*record["failed"], *record["notes"]]
    if said:
        parts.append("<p>When the whole notebook was run:</p><ul>")
        parts += [f"<li>{_text(text)}</li>" for text in said[:30]]
        parts.append("</ul>")
    store.write(Path(out) / "feedback" / f"{record['key']}.html", "".join(parts) + "\n")


def instructor(out, records, assignment, marks, alike, hints):
    """``index.html``: the distribution, the commonest mistakes, what to look at, what is alike."""
    rows = [(record, *totals(record, assignment, marks)) for record in records]
    open_ = sum(hand is None for _, _, hand, _, _ in rows)
    marked = f" {open_} have answers still to be marked: fill in written.csv and run again."
    parts = [
        STYLE,
        f"<title>{escape(assignment.title)}</title>",
        f"<h1>{escape(assignment.id)} {escape(assignment.title)}</h1>",
        f"<p>{len(records)} submissions, {sum(r['late'] for r in records)} late.",
        marked if open_ else "",
        "</p>" + _distribution(rows) + _questions(records) + _mistakes(records),
        _looked_at(records, hints),
        _alike(alike),
        _all(rows),
    ]
    store.write(Path(out) / "index.html", "".join(parts))


def _looked_at(records, hints):
    parts = ["<h2>To be looked at</h2><table>"]
    for record in records:
        said = [*record["hand"], *hints.get(record["key"], [])]
        if said:
            lines = "<br>".join(map(_text, said))
            parts.append(f"<tr><td>{_link(record)}</td><td>{lines}</td></tr>")
    return "".join(parts) + "</table>"


def _alike(alike):
    parts = ["<h2>Alike</h2><p>A hint, no verdict: short functions have few right forms. "]
    parts.append("Ask both authors to explain or to change theirs.</p>")
    for share, one, other, names in alike:
        title = f"{_text(one['key'])} and {_text(other['key'])}: {share:.0%}, {', '.join(names)}"
        parts.append(f"<details><summary>{title}</summary>")
        for name in names:
            codes = "".join(f"<pre>{_text(r['code'].get(name, ''))}</pre>" for r in (one, other))
            parts.append(f'<div class="two">{codes}</div>')
        parts.append("</details>")
    return "".join(parts) + ("" if alike else "<p>None.</p>")


def _all(rows):
    parts = ["<h2>All</h2><table><tr><th>who</th><th>points</th><th>reasons</th></tr>"]
    for record, _, _, total, most in rows:
        why = "<br>".join(
            f"{escape(q['name'])}: {_text(q['reason'])}" for q in record["questions"] if q["reason"]
        )
        parts.append(
            f"<tr><td>{_link(record)}</td><td class=n>{total:g} / {most:g}</td><td>{why}</td></tr>"
        )
    return "".join(parts) + "</table>\n"


def _distribution(rows):
    most = max((row[4] for row in rows), default=0) or 1
    counts = Counter(min(9, int(10 * row[3] / most)) for row in rows)
    parts = ["<h2>Points</h2><table>"]
    for tenth in range(10):
        low, high, count = most * tenth / 10, most * (tenth + 1) / 10, counts[tenth]
        width = 30 * count / max(counts.values(), default=1)
        bar = f'<div class="bar" style="width:{width:.1f}rem"></div>' if count else ""
        parts.append(f"<tr><td>{low:g} to {high:g}</td><td class=n>{count}</td><td>{bar}</td></tr>")
    return "".join(parts) + "</table>"


def _questions(records):
    found = {}
    for record in records:
        for q in record["questions"]:
            found.setdefault(q["name"], Counter())[q["status"]] += 1
    head = (
        "<h2>Questions</h2><table><tr><th></th>" + "".join(f"<th>{s}</th>" for s in SIGNS) + "</tr>"
    )
    rows = [
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td class=n>{counts[s]}</td>" for s in SIGNS)
        + "</tr>"
        for name, counts in found.items()
    ]
    return head + "".join(rows) + "</table>"


def _mistakes(records):
    """The reasons, their numbers left out, that several have."""
    found = Counter()
    for record in records:
        for q in record["questions"]:
            if q["reason"]:
                found[q["name"], _kind(q["reason"])] += 1
    rows = [
        f"<tr><td class=n>{count}</td><td>{escape(name)}</td><td>{_text(text)}</td></tr>"
        for (name, text), count in sorted(found.items(), key=lambda one: (-one[1], one[0]))[:25]
    ]
    return "<h2>The commonest mistakes</h2><table>" + "".join(rows) + "</table>"


def _kind(reason):
    """What two reasons of one kind have in common."""
    for start in ("no notebook could be read", "the notebook could not be run"):
        if reason.startswith(start):
            return start
    if reason.startswith("there is no function"):
        return "there is no function of this name"
    if "It looks as if " in reason:
        return reason.split("It looks as if ", 1)[1].split("\n")[0]
    reason = re.sub(r"^case \d+ of \d+, [^:]*: ", "", reason.split("\n")[0])
    reason = re.sub(r"at \[[\d, ]*\] came .*", "other values", reason)
    return re.sub(r"(came|\w+ is) -?[\d.e+-]+, expected .*", "another number", reason)[:160]


def _section(title, points, most, said):
    given = "—" if points is None else f"{points:g}"
    return f"<h2>{title}: {given} of {most:g}</h2><p>{_text(said)}</p>"


def _link(record):
    who = _text(record["student"] or record["name"])
    return f'<a href="feedback/{escape(record["key"])}.html">{who}</a> ({_text(record["key"])})'


def _text(text):
    """A student's text, safe in a page: no mark-up, no control characters or changed direction."""
    kept = "".join(c if c.isprintable() or c == "\n" else "�" for c in str(text))
    return escape(kept).replace("\n", "<br>")
