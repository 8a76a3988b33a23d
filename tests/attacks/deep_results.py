"""Return a tuple in a tuple in a tuple, without end in sight, and strange dtypes.

lost: relu_backward max_pool_backward bias_gradient
"""

# %% solutions
# %%
import numpy as np


def relu_backward(da, z):
    deep = ()
    for _ in range(100_000):
        deep = (deep,)
    return deep


def max_pool_backward(da, x, size):
    return np.zeros(3, dtype=[("a", "f8"), ("b", "O")])


def bias_gradient(dz):
    many = (0.0,) * 99
    for _ in range(5):
        many = (many,) * 99
    return many
