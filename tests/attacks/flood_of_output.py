"""Print without end, with print and past it.

lost: bias_gradient
"""

# %% solutions
# %%
import os
import sys

for _ in range(2000):
    print("x" * 100_000)
    os.write(1, b"y" * 100_000)
    os.write(2, b"z" * 100_000)
sys.stdout.close()


# %%
def bias_gradient(dz):
    while True:
        print("x" * 1_000_000)
