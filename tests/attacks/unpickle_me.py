"""Return things that run code when they are unpickled, printed or formatted.

lost: relu_backward max_pool_backward bias_gradient
"""

# %% solutions
# %%
import os

import numpy as np


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/attacked-by-pickle",))

    def __repr__(self):
        os.system("touch /tmp/attacked-by-repr")
        return "{0.__class__.__mro__} %s %(x)s"

    __str__ = __format__ = lambda self, *a: self.__repr__()


def relu_backward(da, z):
    return Evil()


def max_pool_backward(da, x, size):
    return np.array([Evil(), Evil()], dtype=object)


class Raises(Exception):
    def __str__(self):
        raise Raises

    __repr__ = __str__


def bias_gradient(dz):
    raise Raises(Evil())
