"""Crash Python itself, at the top, in a function, and by recursion in C.

lost: max_pool_backward
"""

# %% solutions
# %%
import ctypes

ctypes.string_at(0)
# %%
import sys

sys.setrecursionlimit(10**9)


def down(n):
    return down(n + 1)


down(0)


# %%
def max_pool_backward(da, x, size):
    ctypes.memset(id(None), 255, 10**6)
    return None
