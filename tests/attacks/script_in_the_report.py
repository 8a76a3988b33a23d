"""Put a script into the instructor's page and a formula into the table, by way of messages.

lost: relu_backward max_pool_backward bias_gradient
"""


# %% solutions
# %%
def relu_backward(da, z):
    raise ValueError("</td></table><script>alert('attacked')</script><img src=x onerror=alert(1)>")


# %%
def max_pool_backward(da, x, size):
    print(
        '=HYPERLINK("http://evil","click")\n\x1b]0;attacked\x07\x1b[2J</pre><script>attacked()</script>'
    )
    return "=cmd|' /C calc'!A0"


# %%
bias_gradient = type("<script>alert(2)</script>", (), {"__call__": lambda self, dz: self})()
