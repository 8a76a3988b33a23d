"""Return arrays that are small here and enormous there, and things that never end.

lost: relu_backward max_pool_backward bias_gradient
"""

# %% solutions
# %%
import numpy as np


def relu_backward(da, z):
    return np.broadcast_to(np.float64(0), (10**5, 10**5, 10**5))


def max_pool_backward(da, x, size):
    endless = []
    endless.append(endless)
    return endless


def bias_gradient(dz):
    return 10**1_000_000
