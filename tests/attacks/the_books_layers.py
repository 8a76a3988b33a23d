"""Import the book's own layers and hand on their functions.

lost: max_pool_backward relu_backward
without: max_pool_backward relu_backward
"""

# %% solutions
# %%
from helpers import layers

relu_backward = layers.relu_backward
# %%
from helpers.layers import max_pool_backward as book


def max_pool_backward(da, x, size):
    return book(da, (x, size, size))
