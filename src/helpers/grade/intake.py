"""What came down from Canvas, Moodle or a shared folder: one ``Submission`` for each student.

Nothing is unpacked onto the disk. Zips are read where they are, zips in zips, too, with a bound on
what they may hold; links are not followed. A file that cannot be read is a submission with a
``problem``, so that no student is lost.
"""

import io
import os
import re
import stat
import unicodedata
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from helpers.grade import notebook
from helpers.grade.assignment import name_of

FILE = 64 * 2**20  # bytes that one file may have
STUDENT = 256 * 2**20  # bytes that all the files of a student may have
NESTED = 3  # zips in zips
MEMBERS = 2000  # files in a student's zip
IGNORED = re.compile(
    r"(^|/)(__MACOSX|\.ipynb_checkpoints|\.git|\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]*)(/|$)"
)
NOTEBOOK = re.compile(r"\.(ipynb|ipynb\.(txt|json)|json|py|py\.txt)$", re.I)
# doejane_LATE_1234_567890_assignment-2-1.ipynb: name, late, the student's id, the submission's
CANVAS = re.compile(
    r"^(?P<name>[^_/]+)_(?P<late>LATE_)?(?P<id>\d+)_(?P<try>\d+)_(?P<file>.+)$", re.I
)
# Jane Doe_123456_assignsubmission_file_[/]a2.ipynb
MOODLE = re.compile(
    r"^(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?P<kind>file|onlinetext)_?(?P<file>.*)$"
)
COPY = re.compile(r"(?: ?[(（](\d+)[)）]| ?[-_ ](?:copy|Kopie|副本)(?: ?(\d+))?)(?=\.|$)", re.I)
AGAIN = re.compile(r"-(\d{1,2})\.ipynb", re.I)  # Canvas's mark of a file that was handed in again


@dataclass
class File:
    """A file as it came: its path, and a function that reads it."""

    name: str
    read: object
    problem: str = ""


@dataclass
class Submission:
    """What one student handed in.

    key   stands for the student in file names and tables, and is the same in every run
    name  as the school's system or the file's name has it
    lms   "canvas", "moodle" or ""; ``id`` is the student's number there
    """

    key: str
    name: str
    lms: str = ""
    id: str = ""
    late: bool = False
    files: list = field(default_factory=list)
    own: str = ""  # in a shared folder, the name as it stands there


class Damaged(ValueError):
    """A file or zip that cannot be read; the message says why."""


def collect(path):
    """The ``Submission``s in a folder or zip, sorted by key."""
    path, students = Path(path), {}
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}")
    files = _outer(_folder(path) if path.is_dir() else _zip(path.name, path, top=True))
    depth = _shared_depth([file.name for file in files])
    for file in sorted(files, key=lambda one: one.name):
        found = _whose(file.name, depth)
        who = name_of(_student(file)) if COPY.search(found.own) else ""
        one = students.setdefault((found.lms, found.id or found.key, who), found)
        one.late |= found.late
        one.files.append(file)
    plain = [(lms, key) for lms, key, who in students if not who]
    for (lms, key, who), one in list(students.items()):
        # "a2.ipynb" and "a2 (1).ipynb" are one student's if their STUDENT is the same.
        if who and (lms, key) in plain:
            first = students[lms, key, ""]
            if name_of(_student(first.files[0])) == who:
                first.files += students.pop((lms, key, who)).files
                continue
        if who:
            one.key = _slug(one.own)
    return _unique(sorted(students.values(), key=lambda one: (one.key, one.name)))


def _student(file):
    """What STUDENT says in a file, or ``""``."""
    try:
        return notebook.read(file.name, b"" if file.problem else file.read()).student()
    except (notebook.Unreadable, Damaged, OSError):
        return ""


def notebooks(submission):
    """(files that may be notebooks, the best first; names of the rest; what is wrong)."""
    found, others, problems, size = [], [], [], 0
    for file in submission.files:
        inner = _opened(file, 0)
        try:
            for count, one in enumerate(inner):
                if one.problem or count > MEMBERS:
                    raise Damaged(one.problem or f"more than {MEMBERS:,} files in {file.name}")
                data = one.read()
                size += len(data)
                if size > STUDENT:
                    raise Damaged(f"the files hold more than {STUDENT >> 20} MB")
                (found if NOTEBOOK.search(one.name) else others).append((one.name, data))
        except (Damaged, OSError) as error:
            problems.append(str(error))
    return sorted(found, key=_rank, reverse=True), others, problems


def _rank(named):
    """Notebooks before other files, then later copies before earlier ones, then by name."""
    name, data = named
    marks = [match[0] for match in (*COPY.finditer(name), *AGAIN.finditer(name))]
    numbers = [int(n) for mark in marks for n in re.findall(r"\d+", mark)] or [len(marks)]
    ipynb = ".ipynb" in name.lower()
    return (bool(data.strip()), ipynb, max(numbers, default=0), name)


def _opened(file, depth):
    """The file itself, or the files in it if it is a zip."""
    if not file.name.lower().endswith(".zip"):
        yield file
    elif depth >= NESTED:
        yield File(file.name, None, f"zips are nested deeper than {NESTED} in {file.name}")
    else:
        try:
            inner = list(_zip(file.name, file.read))
        except Damaged as error:
            inner = [File(file.name, None, str(error))]
        for one in inner:
            yield from [one] if one.problem else _opened(one, depth + 1)


def _outer(files):
    """A download's files; a zip in it that holds a whole class's is opened, a student's is not."""
    files = list(files)
    if (
        len(files) == 1
        and files[0].name.lower().endswith(".zip")
        and not CANVAS.match(files[0].name)
    ):
        inner = list(_opened(files[0], NESTED - 1))
        return inner if len(inner) > 1 and not any(one.problem for one in inner) else files
    return files


def _folder(path):
    """The files under a folder. Links are left alone: they may lead anywhere."""
    for root, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if not Path(root, f).is_symlink())
        for name in sorted(names):
            file = Path(root, name)
            inner = file.relative_to(path).as_posix()
            if IGNORED.search(inner):
                continue
            mode = file.lstat().st_mode
            if not stat.S_ISREG(mode):
                yield File(inner, None, f"{name} is a link or a device, not a file")
            elif file.stat().st_size > FILE:
                yield File(inner, None, f"{name} is larger than {FILE >> 20} MB")
            else:
                yield File(inner, file.read_bytes)


def _zip(name, read, top=False):
    """The files in a zip, to be read when asked; ``Damaged`` if it is none."""
    try:
        archive = zipfile.ZipFile(read if top else io.BytesIO(read()))
        infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, IndexError) as error:
        raise Damaged(f"{PurePosixPath(name).name} is no readable zip ({error})") from None
    if not top and len(infos) > MEMBERS:
        raise Damaged(f"more than {MEMBERS:,} files in {PurePosixPath(name).name}")
    for info in infos:
        inner = _decoded(info)
        if IGNORED.search(inner):
            continue
        if info.flag_bits & 1:
            yield File(inner, None, f"{PurePosixPath(name).name} is locked with a password")
        elif stat.S_ISLNK(info.external_attr >> 16):
            yield File(inner, None, f"{inner} is a link, not a file")
        else:
            yield File(inner, lambda info=info, inner=inner: _member(archive, info, inner))


def _member(archive, info, name):
    """A zip's member, as far as ``FILE`` bytes: a bomb is not trusted about its size."""
    try:
        with archive.open(info) as file:
            data = file.read(FILE + 1)
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        ValueError,
        EOFError,
        OSError,
    ) as e:
        raise Damaged(f"{name} cannot be unpacked ({e})") from None
    except Exception as error:  # zlib.error, lzma.LZMAError
        raise Damaged(f"{name} cannot be unpacked ({error})") from None
    if len(data) > FILE:
        raise Damaged(f"{name} is larger than {FILE >> 20} MB unpacked")
    return data


def _decoded(info):
    """A member's name. Old programs write Chinese names in GBK and say nothing of it."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        raw = info.filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename
    for code in ("utf-8", "gb18030"):
        try:
            return raw.decode(code)
        except UnicodeDecodeError:
            continue
    return info.filename


def _whose(path, depth):
    """An empty ``Submission`` of the student a path belongs to."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    for place, part in enumerate(parts):
        if match := MOODLE.match(part):
            name = match["name"]
            return Submission(f"moodle-{match['id']}", name, "moodle", match["id"])
        if place == len(parts) - 1 and (match := CANVAS.match(part)):
            late = bool(match["late"])
            return Submission(f"canvas-{match['id']}", match["name"], "canvas", match["id"], late)
    own = parts[min(depth, len(parts) - 1)]
    stem = own
    if len(parts) - 1 <= depth:  # a file, not a student's folder
        stem = re.sub(r"\.(ipynb|txt|json|zip|pdf|py|html?|docx?)\b", "", own, flags=re.I)
    own, stem = stem, COPY.sub("", stem)
    late = bool(re.search(r"(^|[^a-z])late([^a-z]|$)", own, re.I))
    stem = re.sub(r"(^|[-_ ])late([-_ ]|$)", " ", stem, flags=re.I).strip() or own
    return Submission(_slug(stem), stem, late=late, own=own)


def _shared_depth(names):
    """How many folders all the paths have in common; at least one file or folder is left."""
    paths = [PurePosixPath(name).parts for name in names]
    depth = 0
    while len(paths) > 1 and len({p[: depth + 1] for p in paths}) == 1:
        depth += 1
    return depth if len({p[depth] for p in paths if len(p) > depth}) > 1 else 0


def _slug(name):
    """A name that is safe as a file's: letters of any script, digits, and hyphens."""
    text = unicodedata.normalize("NFC", name)
    text = re.sub(r"[^\w]+", "-", text).strip("-_").casefold()[:60]
    return text or "unnamed"


def _unique(submissions):
    """Give every submission a key of its own, whatever the names were."""
    seen = {}
    for one in submissions:
        count = seen[one.key] = seen.get(one.key, 0) + 1
        if count > 1:
            one.key += f"-{count}"
    return submissions
