"""Ignore every signal and catch every exception, for ever.

lost: bias_gradient
"""

# %% solutions
# %%
import resource
import signal

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
for limit in range(16):
    try:
        resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        pass


# %%
def bias_gradient(dz):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
