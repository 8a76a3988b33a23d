"""Write until the disk is full: one large file, then many small ones.

lost:
"""

# %%
import os
import tempfile

for folder in (tempfile.gettempdir(), os.getcwd(), "/dev/shm", "/var/tmp", os.path.expanduser("~")):
    try:
        with open(os.path.join(folder, "large"), "wb") as file:
            for _ in range(4096):
                file.write(bytes(2**20))
    except OSError:
        pass
# %%
for i in range(20_000):
    with open(os.path.join(tempfile.gettempdir(), f"small{i}"), "wb") as file:
        file.write(bytes(4096))
# %% solutions
