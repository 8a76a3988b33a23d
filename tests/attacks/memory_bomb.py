"""Take all the memory there is.

lost: bias_gradient relu_backward
"""

# %% solutions
# %%
import numpy as np

hoard = []
while True:
    hoard.append(bytearray(64 * 2**20))
# %%
hoard = [np.ones(2**27) for _ in range(1000)]


# %%
def bias_gradient(dz):
    kept = []
    while True:
        kept.append(np.ones(2**24))


def relu_backward(da, z):
    text = "x"
    while True:
        text += text
