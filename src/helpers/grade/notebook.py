"""Read a submitted file: its code cells, its texts, the student's name. Nothing is run here."""

import json
import re
from dataclasses import dataclass, field

MOST = 40 * 2**20  # bytes of a notebook; pictures in outputs make a few
CELLS = 3000
STUDENT = re.compile(
    r"""^STUDENT[ \t]*(?::[ \t]*str[ \t]*)?=[ \t]*(['"]{3}|['"])([^\n]{0,200}?)\1""", re.M
)
ANSWER = re.compile(r"<!--[ \t]*answer:[ \t]*([\w-]{1,60})[ \t]*-->")


class Unreadable(ValueError):
    """A file that is no notebook; the message is a sentence for student and instructor."""


@dataclass
class Notebook:
    """code: the code cells' sources; texts: the Markdown cells' sources; notes: what was odd."""

    code: list
    texts: list
    notes: list = field(default_factory=list)

    def student(self):
        """What stands in the last line ``STUDENT = "..."``, or ``""``."""
        found = [match[1] for source in self.code for match in STUDENT.findall(source)]
        return " ".join(found[-1].split()) if found else ""

    def answers(self, names):
        """``{name: text}`` of the written answers, those whose marker is there."""
        found, current = {}, None
        for text in self.texts:
            parts = ANSWER.split(text)
            if len(parts) == 1 and current and not text.lstrip().startswith("#"):
                found[current] = f"{found[current]}\n\n{text.strip()}".strip()
            elif len(parts) == 1:
                current = None
            for name, answer in zip(parts[1::2], parts[2::2], strict=True):
                if name in names:
                    current = name
                    found[name] = f"{found.get(name, '')}\n\n{answer.strip()}".strip()
        return found


def read(name, data):
    """The ``Notebook`` in a file's bytes; ``Unreadable`` says why there is none."""
    if len(data) > MOST:
        raise Unreadable(f"the file is larger than {MOST >> 20} MB")
    if not data.strip(b"\0 \t\r\n"):
        raise Unreadable("the file is empty")
    for start, what in FORMATS.items():
        if data.startswith(start):
            raise Unreadable(f"this is {what}, not a notebook")
    text, notes = _text(data)
    if name.lower().endswith(".py") or (name.lower().endswith(".py.txt")):
        return Notebook([text], [], ["a .py file came, not a notebook: its text was graded"])
    if re.match(r"\s*<(!doctype|html|\?xml|head)", text[:500], re.I):
        raise Unreadable("this is a web page (HTML), not the notebook itself")
    if re.search(r"^(<<<<<<<|=======|>>>>>>>)", text, re.M):
        raise Unreadable("there are conflict marks of git in the file")
    if text.lstrip()[:1] not in ("{", "["):
        raise Unreadable("the file is no notebook: it is other text, not JSON")
    try:
        found = json.loads(text)
    except RecursionError:
        raise Unreadable("the file is nested too deeply to be a notebook") from None
    except ValueError as error:
        whole = text.rstrip().endswith("}")
        what = "is damaged" if whole else "is cut off"
        raise Unreadable(f"the file {what}: {str(error)[:80]}") from None
    code, texts = _cells(found)
    return Notebook(code, texts, notes)


FORMATS = {
    b"%PDF": "a PDF", b"PK\x03\x04": "an archive or an office document", b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture", b"Rar!": "a .rar archive", b"7z\xbc\xaf": "a .7z archive",
    b"\x1f\x8b": "a .gz archive", b"\xd0\xcf\x11\xe0": "an office document",
    b"{\\rtf": "a text document",
}  # fmt: skip


def _text(data):
    """A file's text, whatever editor saved it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace"), ["saved as UTF-16"]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("gb18030"), ["saved as GB 18030"]
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), ["saved in an old Western code"]


def _cells(found):
    """(sources of the code cells, sources of the others) of a notebook of format 3 or 4."""
    if not isinstance(found, dict):
        raise Unreadable("the file is no notebook: it holds no cells")
    cells = found.get("cells")
    if not isinstance(cells, list) and isinstance(found.get("worksheets"), list):  # format 3
        sheets = [sheet for sheet in found["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets for cell in sheet.get("cells", [])]
    if not isinstance(cells, list):
        raise Unreadable("the file is no notebook: it holds no cells")
    if len(cells) > CELLS:
        raise Unreadable(f"the notebook has more than {CELLS:,} cells")
    code, texts = [], []
    for cell in cells:
        if not isinstance(cell, dict):
            continue
        source = cell.get("source", cell.get("input", ""))
        if isinstance(source, list):
            source = "".join(part for part in source if isinstance(part, str))
        if not isinstance(source, str):
            continue
        (code if cell.get("cell_type") == "code" else texts).append(
            "\n".join(re.split("\r\n?|\n", source))
        )
    if not code:
        raise Unreadable("the notebook holds no code")
    return code, texts
