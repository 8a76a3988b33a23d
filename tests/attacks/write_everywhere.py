"""Write a file into every folder that can be written; the test looks for them afterwards.

lost:
"""

# %%
import os

NAME = "attacked-by-writing"
for root in (
    "/",
    "/tmp",
    "/var/tmp",
    "/home",
    "/root",
    "/work",
    "/usr",
    "/etc",
    "/opt",
    os.path.expanduser("~"),
    os.getcwd(),
    os.path.dirname(os.__file__),
    "/dev/shm",
    "/run",
    "/proc/1/cwd",
    "/proc/1/root/tmp",
    "/proc/self/root/tmp",
):
    folders = [root]
    for folder, inner, _ in os.walk(root):
        folders += [os.path.join(folder, i) for i in inner]
        if len(folders) > 300:
            break
    for folder in folders:
        try:
            with open(os.path.join(folder, NAME), "w") as file:
                file.write("x")
        except OSError:
            pass
for name in (".bashrc", ".profile", ".config/matplotlib/matplotlibrc"):
    try:
        with open(os.path.expanduser(f"~/{name}"), "a") as file:
            file.write("\n# attacked-by-writing\n")
    except OSError:
        pass
# %% solutions
