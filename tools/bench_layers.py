"""Time helpers.layers against TensorFlow and against loops, in one run at equal threads.

    python tools/bench_layers.py [--threads N] [--seconds S]

Each number is the least time of several calls. How fast both libraries multiply matrices of the
same sizes stands below: the floor for a convolution that is a matrix product.
"""

import argparse
import os
import time

BATCH = 16
CONVOLUTIONS = {  # name: (side, channels, kernel, filters, stride, padding, groups)
    "conv1": (227, 3, 11, 96, 4, 0, 1),
    "conv2": (27, 96, 5, 256, 1, 2, 2),
    "conv3": (13, 256, 3, 384, 1, 1, 1),
    "conv4": (13, 384, 3, 384, 1, 1, 2),
    "conv5": (13, 384, 3, 256, 1, 1, 2),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, help="default: as many as there are cores")
    parser.add_argument("--seconds", type=float, default=0.6, help="for each layer and direction")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if options.threads:  # must be set before NumPy's and TensorFlow's first operation
        os.environ["OPENBLAS_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(options.threads)
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    if options.threads:
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    alexnet_table(options.threads or len(os.sched_getaffinity(0)), options.seconds)
    products_table(options.seconds)
    cs231n_table(options.seconds)


def least_times(calls, seconds):
    """Least time of each function in milliseconds. Each runs by itself, twice, after a pause in
    which the other library's waiting threads go to sleep."""
    best = [float("inf")] * len(calls)
    for k, call in 2 * list(enumerate(calls)):
        time.sleep(0.2)
        call()
        end = time.perf_counter() + seconds / 2
        while time.perf_counter() < end:
            start = time.perf_counter()
            call()
            best[k] = min(best[k], time.perf_counter() - start)
    return [1e3 * t for t in best]


def tensorflow_passes(stride, padding, groups):
    """Forward, and forward with backward, as graph functions. TensorFlow has no gradient of
    grouped convolutions on a CPU, so groups are sliced and concatenated."""
    import tensorflow as tf

    pads = [[0, 0], [padding] * 2, [padding] * 2, [0, 0]]

    def forward(x, w, b):
        parts = zip(tf.split(x, groups, 3), tf.split(w, groups, 3), strict=True)
        return tf.concat([tf.nn.conv2d(p, k, stride, pads) for p, k in parts], 3) + b

    def forward_backward(x, w, b, dy):
        with tf.GradientTape() as tape:
            tape.watch([x, w, b])
            y = forward(x, w, b)
        return y, tape.gradient(y, [x, w, b], dy)

    return tf.function(forward), tf.function(forward_backward)


def convolution_times(side, channels, kernel, filters, stride, padding, groups, seconds):
    """[NumPy, TensorFlow] forward and [NumPy, TensorFlow] forward + backward, in ms."""
    import numpy as np
    import tensorflow as tf

    from helpers.layers import conv2d, conv2d_backward

    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, side, side, channels), np.float32)
    w = rng.standard_normal((kernel, kernel, channels // groups, filters), np.float32)
    b = np.zeros(filters, np.float32)
    y, _ = conv2d(x, w, b, stride, padding, groups)
    dy = rng.standard_normal(y.shape, np.float32)

    def forward():
        return conv2d(x, w, b, stride, padding, groups)

    def forward_backward():
        conv2d_backward(dy, forward()[1])

    tensors = [tf.constant(a) for a in (x, w, b, dy)]
    theirs, their_both = tensorflow_passes(stride, padding, groups)
    once = least_times([forward, lambda: theirs(*tensors[:3])], seconds)
    return once, least_times([forward_backward, lambda: their_both(*tensors)], seconds)


def alexnet_table(threads, seconds):
    print(f"AlexNet's convolutions, batch {BATCH}, float32, {threads} threads each; ms\n")
    print("            forward                       forward + backward")
    print("            NumPy   TensorFlow   ratio    NumPy   TensorFlow   ratio")
    totals = [0.0] * 4
    for name, shape in CONVOLUTIONS.items():
        (a, b), (c, d) = convolution_times(*shape, seconds)
        totals = [t + v for t, v in zip(totals, (a, b, c, d), strict=True)]
        print_row(name, a, b, c, d)
    print_row("total", *totals)


def print_row(name, a, b, c, d):
    print(f"{name:8}{a:9.1f}{b:13.1f}{a / b:8.2f}{c:9.1f}{d:13.1f}{c / d:8.2f}")


def products_table(seconds):
    """The floor: the same multiply-adds as plain matrix products in NumPy and in TensorFlow."""
    import numpy as np
    import tensorflow as tf

    print("\nMatrix products of the same sizes, one group; GFLOP/s\n")
    print("            rows x inner x columns     NumPy   TensorFlow")
    rng = np.random.default_rng(0)
    multiply = tf.function(tf.matmul)
    for name, (side, channels, kernel, filters, stride, padding, groups) in CONVOLUTIONS.items():
        out = (side + 2 * padding - kernel) // stride + 1
        rows, inner, columns = out * out * BATCH, kernel**2 * channels // groups, filters // groups
        a = rng.standard_normal((rows, inner), np.float32)
        b = rng.standard_normal((inner, columns), np.float32)
        tensors = tf.constant(a), tf.constant(b)
        ours, theirs = least_times(
            [lambda a=a, b=b: a @ b, lambda t=tensors: multiply(*t)], seconds / 2
        )
        flops = 2e-6 * rows * inner * columns
        size = f"{rows} x {inner} x {columns}"
        print(f"{name:8}{size:>26}{flops / ours:10.0f}{flops / theirs:13.0f}")


def conv_loops(x, w, b, stride, pad):
    """Convolution as CS231n's assignment first writes it: four loops around a sum."""
    import numpy as np

    padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    kh, kw, _, filters = w.shape
    height, width = (
        (s - k) // stride + 1 for s, k in zip(padded.shape[1:3], (kh, kw), strict=True)
    )
    y = np.empty((len(x), height, width, filters))
    for n, p, q, k in np.ndindex(y.shape):
        window = padded[n, p * stride : p * stride + kh, q * stride : q * stride + kw]
        y[n, p, q, k] = (window * w[..., k]).sum() + b[k]
    return y


def conv_loops_backward(dy, x, w, stride, pad):
    """The gradients with the same four loops."""
    import numpy as np

    padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    dpadded, dw, db = np.zeros_like(padded), np.zeros_like(w), np.zeros(w.shape[3])
    kh, kw = w.shape[:2]
    for n, p, q, k in np.ndindex(dy.shape):
        where = n, slice(p * stride, p * stride + kh), slice(q * stride, q * stride + kw)
        dw[..., k] += padded[where] * dy[n, p, q, k]
        dpadded[where] += w[..., k] * dy[n, p, q, k]
        db[k] += dy[n, p, q, k]
    return dpadded[:, pad:-pad, pad:-pad], dw, db


def cs231n_table(seconds):
    """CS231n's shape, float64 as there: x 100 x 31 x 31 x 3, 25 filters 3 x 3, stride 2, pad 1."""
    import numpy as np

    from helpers.layers import conv2d, conv2d_backward

    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s) for s in ((100, 31, 31, 3), (3, 3, 3, 25), (25,)))
    y, cache = conv2d(x, w, b, 2, 1)
    dy = rng.standard_normal(y.shape)
    start = time.perf_counter()
    slow = conv_loops(x, w, b, 2, 1)
    middle = time.perf_counter()
    slow_gradients = conv_loops_backward(dy, x, w, 2, 1)
    loops = [1e3 * (middle - start), 1e3 * (time.perf_counter() - middle)]
    fast = least_times([lambda: conv2d(x, w, b, 2, 1), lambda: conv2d_backward(dy, cache)], seconds)
    pairs = zip((y, *conv2d_backward(dy, cache)), (slow, *slow_gradients), strict=True)
    error = max(np.abs(a - c).max() / np.abs(c).max() for a, c in pairs)
    print("\nCS231n's shape: x 100x31x31x3, 25 filters 3x3, stride 2, pad 1, float64; ms\n")
    print("             loops   helpers.layers   times faster")
    for name, slow_time, fast_time in zip(("forward", "backward"), loops, fast, strict=True):
        print(f"{name:9}{slow_time:9.0f}{fast_time:17.2f}{slow_time / fast_time:15.0f}")
    print(f"\nLargest relative difference between the two: {error:.1e}")


if __name__ == "__main__":
    main()
