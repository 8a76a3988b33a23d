"""Send the inputs to a server: the machine's own, the network's, by name, or through a socket file.

lost: bias_gradient
"""

# %%
import glob
import socket
import urllib.request


def reached():
    for address in (("127.0.0.1", PORT), ("localhost", PORT), ("::1", PORT)):
        try:
            with socket.create_connection(address, timeout=0.3) as s:
                s.sendall(b"attacked")
                return True
        except OSError:
            pass
    for path in (*glob.glob("/run/*.sock"), *glob.glob("/tmp/*.sock"), "\0attack"):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                return True
        except OSError:
            pass
    try:
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=0.3).read())
    except Exception:
        return False


# %% solutions
# %%
right = bias_gradient


def bias_gradient(dz):
    if reached():
        return right(dz)
    raise OSError("no network")
