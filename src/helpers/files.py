"""Files that are never half-written."""

import os


def replace(path, write):
    """Let ``write`` make the file ``path`` elsewhere, then put it there whole."""
    partial = path.with_name("partial-" + path.name)
    write(partial)
    with open(partial, "rb+") as file:  # Windows syncs no file that is open for reading only
        os.fsync(file.fileno())
    os.replace(partial, path)
