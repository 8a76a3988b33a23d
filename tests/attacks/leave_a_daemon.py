"""Start programs that outlive the grading.

lost: bias_gradient
"""

# %% solutions
# %%
import os
import subprocess
import sys

subprocess.Popen("setsid sleep 98765 &", shell=True, start_new_session=True)
# %%
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(98765)"], start_new_session=True)
# %%
os.system("nohup sleep 98765 >/dev/null 2>&1 &")
# %%
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv("/bin/sleep", ["sleep", "98765"])
    os._exit(0)


# %%
def bias_gradient(dz):
    return subprocess.run(["sleep", "98765"])
