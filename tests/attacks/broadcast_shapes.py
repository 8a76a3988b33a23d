"""Shapes that would broadcast to the right one, and pass where arrays are only close.

lost: bias_gradient relu_backward
"""


# %% solutions
# %%
def bias_gradient(dz):
    reduce = dz.sum if CHOICES["reduce"] == "sum" else dz.mean
    return reduce(axis=(0, 1, 2))[None]


# %%
right = relu_backward


def relu_backward(da, z):
    return right(da, z)[None]
