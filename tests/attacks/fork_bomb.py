"""Fork without end, at the top of the notebook and in a function.

lost: bias_gradient
"""

# %% solutions
# %%
import os

for _ in range(1000):
    os.fork()
# %%
import multiprocessing
import threading

workers = [multiprocessing.Process(target=lambda: None) for _ in range(50)]
for w in workers:
    w.start()
# %%
for _ in range(100_000):
    threading.Thread(target=lambda: threading.Event().wait()).start()


# %%
def bias_gradient(dz):
    while True:
        os.fork()
