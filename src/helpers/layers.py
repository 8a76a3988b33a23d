"""AlexNet's layers in NumPy, forward and backward (Krizhevsky, Sutskever and Hinton, 2012).

Images are ``(n, height, width, channels)``; kernels ``(kh, kw, channels / groups, filters)``. A
forward pass returns ``(y, cache)``, its backward pass takes ``(dy, cache)`` and returns the
gradient with respect to the input, then to the parameters. float32 and float64 are kept. What
makes no sense raises ``ValueError``: which argument, what came, what was expected.
"""

import numbers

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def conv2d(x, w, b, stride=1, padding="valid", groups=1, dilation=1):
    """Cross-correlate images with kernels: y[n,p,q,k] = b[k] + Σ x[n,ps+rd,qs+td,c] w[r,t,c,k].

    x  (n, h, w, c);  w  (kh, kw, c / groups, k);  b  (k,);  all float32 or all float64
    padding  "valid"; "same" as TensorFlow pads (an odd pixel goes below and right); or a number of
             zeros on each side
    groups   filters of group g see only the channels of group g, as on the paper's two GPUs

    Returns y, of shape (n, ⌊(h + pads - d(kh - 1) - 1) / stride⌋ + 1, likewise for the width, k),
    and the cache.
    """
    _check_floats(x=(x, 4), w=(w, 4), b=(b, 1))
    _check_counts(stride=stride, groups=groups, dilation=dilation)
    kh, kw, depth, filters = w.shape
    if filters % groups:
        _fail("w", f"{filters} filters", f"a multiple of groups={groups}")
    if x.shape[3] != depth * groups:
        _fail("x", f"{x.shape[3]} channels", f"{depth} (from w) times groups={groups}")
    if b.shape != (filters,):
        _fail("b", f"shape {b.shape}", f"({filters},), one for each filter")
    reach = (dilation * (kh - 1) + 1, dilation * (kw - 1) + 1)
    pads = _pads(x.shape, reach, stride, padding)
    padded = np.pad(x, pads)
    cache = padded, w, stride, groups, dilation, pads
    y = [
        np.tensordot(_windows(part, reach, stride, dilation), kernels, 3)
        for part, kernels in zip(_split(padded, groups), _split(w, groups), strict=True)
    ]
    y = np.concatenate(y, axis=3) + b
    return y, (*cache, y.shape)


def conv2d_backward(dy, cache):
    """From dy, shaped as y, return (dx, dw, db). See chapter 3 for the derivation."""
    padded, w, stride, groups, dilation, pads, shape = cache
    if dy.shape != shape:
        _fail("dy", f"shape {dy.shape}", f"{shape}, as y has")
    kh, kw = w.shape[:2]
    reach = (dilation * (kh - 1) + 1, dilation * (kw - 1) + 1)
    dpadded, dw = np.zeros_like(padded), np.empty_like(w)
    parts = (_split(a, groups) for a in (padded, dpadded, w, dw, dy))
    for part, dpart, kernels, dkernels, dout in zip(*parts, strict=True):
        dkernels[...] = np.tensordot(
            _windows(part, reach, stride, dilation), dout, ((0, 1, 2), (0, 1, 2))
        )
        dwindows = np.tensordot(dout, kernels, ((3,), (3,)))
        for r, t in np.ndindex(kh, kw):
            _shifted(dpart, r * dilation, t * dilation, stride, dout.shape[1:3])[...] += dwindows[
                :, :, :, r, t
            ]
    return _unpad(dpadded, pads), dw, dy.sum((0, 1, 2))


def max_pool(x, size=3, stride=2, padding="valid"):
    """Largest value of each size×size window; windows overlap if stride < size (section 3.4).

    x  (n, h, w, c), float32 or float64. Padding as in ``conv2d``, but with −∞, so that it never
    wins. Of equal values the first, in reading order, counts as the maximum.
    """
    _check_floats(x=(x, 4))
    _check_counts(size=size, stride=stride)
    pads = _pads(x.shape, (size, size), stride, padding)
    if max(max(p) for p in pads) >= size:
        _fail("padding", padding, f"less than size={size}, or a window holds nothing but padding")
    padded = np.pad(x, pads, constant_values=-np.inf)
    out = [(padded.shape[axis] - size) // stride + 1 for axis in (1, 2)]
    winner = None
    for k, (r, t) in enumerate(np.ndindex(size, size)):
        value = _shifted(padded, r, t, stride, out)
        if winner is None:
            y, winner = value.copy(), np.zeros(value.shape, np.uint16)
        else:
            winner[value > y] = k
            np.maximum(y, value, out=y)
    return y, (winner, size, stride, pads, padded.shape)


def max_pool_backward(dy, cache):
    """Give each dy to the input that won its window; an input may win several, so add them up."""
    winner, size, stride, pads, shape = cache
    dpadded = np.zeros(shape, dy.dtype)
    for k, (r, t) in enumerate(np.ndindex(size, size)):
        _shifted(dpadded, r, t, stride, dy.shape[1:3])[...] += dy * (winner == k)
    return _unpad(dpadded, pads)


def lrn(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75):
    """Local response normalization across channels (section 3.3): y = x / (bias + alpha Σ x²)^beta.

    The sum runs over 2 * depth_radius + 1 neighboring channels, fewer at either end. As in the
    paper and TensorFlow, alpha multiplies the sum and not the mean (PyTorch, Caffe: 5e-4).
    """
    _check_floats(x=(x, 4))
    if depth_radius < 0 or not isinstance(depth_radius, numbers.Integral):
        _fail("depth_radius", depth_radius, "a whole number, zero or more")
    scale = bias + alpha * _sum_neighbors(x * x, depth_radius)
    power = scale**-beta
    return x * power, (x, scale, power, depth_radius, alpha, beta)


def lrn_backward(dy, cache):
    """dx_m = dy_m s_m^−β − 2αβ x_m Σ_i dy_i x_i s_i^(−β−1), over the i whose window holds m."""
    x, scale, power, depth_radius, alpha, beta = cache
    through_scale = _sum_neighbors(dy * x * power / scale, depth_radius)
    return dy * power - (2 * alpha * beta) * x * through_scale


def relu(x):
    """max(0, x), for an array of any shape (section 3.1)."""
    positive = x > 0
    return np.maximum(x, 0), positive


def relu_backward(dy, cache):
    """dy where x was positive, 0 elsewhere (and at 0, by convention)."""
    return dy * cache


def dense(x, w, b):
    """y = x w + b, for x (n, inputs), w (inputs, outputs), b (outputs,)."""
    _check_floats(x=(x, 2), w=(w, 2), b=(b, 1))
    if x.shape[1] != w.shape[0]:
        _fail("x", f"{x.shape[1]} inputs", f"{w.shape[0]}, as w has rows")
    if b.shape != w.shape[1:]:
        _fail("b", f"shape {b.shape}", f"{w.shape[1:]}, one for each column of w")
    return x @ w + b, (x, w)


def dense_backward(dy, cache):
    """Return (dx, dw, db) = (dy wᵀ, xᵀ dy, column sums of dy)."""
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.sum(0)


def dropout(x, rate, rng, training):
    """Set each value to 0 with probability ``rate``, divide the others by 1 − rate (section 4.2).

    This is inverted dropout: when ``training`` is False nothing happens, where the paper multiplies
    by 1 − rate instead. ``rng`` is a NumPy Generator.
    """
    if not 0 <= rate < 1:
        _fail("rate", rate, "from 0 up to, but not including, 1")
    if not training:
        return x, None
    mask = (rng.random(x.shape) >= rate).astype(x.dtype) / x.dtype.type(1 - rate)
    return x * mask, mask


def dropout_backward(dy, cache):
    """dy with the same mask and scale as in the forward pass."""
    return dy if cache is None else dy * cache


def softmax_cross_entropy(logits, labels):
    """Mean over the batch of −log softmax(logits)[label], and its gradient.

    logits  (n, classes), finite;  labels  (n,), whole numbers from 0 to classes − 1

    Returns (loss, dlogits), where dlogits = (softmax − one-hot) / n. The largest logit is
    subtracted first, so that no exponential overflows.
    """
    _check_floats(logits=(logits, 2))
    labels = np.asarray(labels)
    n, classes = logits.shape
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        _fail("labels", f"{labels.dtype} of shape {labels.shape}", f"whole numbers, shape ({n},)")
    if n == 0 or labels.min() < 0 or labels.max() >= classes:
        found = f"{labels.min()} to {labels.max()}" if n else "none"
        _fail("labels", found, f"at least one, all from 0 to {classes - 1}")
    if not np.isfinite(logits).all():
        _fail("logits", f"{np.sum(~np.isfinite(logits))} values not finite", "finite values")
    shifted = logits - logits.max(1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(1, keepdims=True)
    rows = np.arange(n)
    loss = np.mean(np.log(total[:, 0]) - shifted[rows, labels])
    dlogits = exponentials / total
    dlogits[rows, labels] -= 1
    return loss, dlogits / n


def _windows(padded, reach, stride, dilation):
    """All windows as a view without a copy: (n, out_h, out_w, kh, kw, c)."""
    view = sliding_window_view(padded, reach, axis=(1, 2))
    view = view[:, ::stride, ::stride, :, ::dilation, ::dilation]
    return view.transpose(0, 1, 2, 4, 5, 3)


def _shifted(padded, r, t, stride, out):
    """View of the inputs that kernel position (r, t) meets, one for each of ``out`` positions."""
    rows, columns = out
    return padded[:, r : r + rows * stride : stride, t : t + columns * stride : stride]


def _split(a, groups):
    """Views of ``groups`` equal parts of the last axis (for w: of the filters)."""
    return np.split(a, groups, axis=-1)


def _sum_neighbors(a, radius):
    """Sum over the channels at most ``radius`` away, in order, so that rounding stays small."""
    channels = a.shape[-1]
    total = a.copy()
    for k in range(1, min(radius, channels - 1) + 1):
        total[..., k:] += a[..., :-k]
        total[..., :-k] += a[..., k:]
    return total


def _pads(shape, reach, stride, padding):
    """np.pad's argument for images of ``shape`` and a window that spans ``reach`` pixels."""
    pads = [(0, 0)]
    for size, span in zip(shape[1:3], reach, strict=True):
        if padding == "same":
            total = max((-(-size // stride) - 1) * stride + span - size, 0)
            pads.append((total // 2, total - total // 2))
        elif padding == "valid":
            pads.append((0, 0))
        elif isinstance(padding, numbers.Integral) and padding >= 0:
            pads.append((int(padding), int(padding)))
        else:
            _fail("padding", repr(padding), '"valid", "same" or a whole number, zero or more')
        if size + sum(pads[-1]) < span:
            _fail("x", f"{size} pixels padded to {size + sum(pads[-1])}", f"at least {span}")
    return [*pads, (0, 0)]


def _unpad(padded, pads):
    (_, _), (top, bottom), (left, right), (_, _) = pads
    return padded[:, top : padded.shape[1] - bottom, left : padded.shape[2] - right]


def _check_floats(**arrays):
    """Each keyword is (array, number of axes); all must have the same dtype, float32 or float64."""
    first = next(iter(arrays.values()))[0]
    for name, (array, axes) in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
            found = getattr(array, "dtype", type(array).__name__)
            _fail(name, found, "a NumPy array of float32 or float64")
        if array.ndim != axes:
            _fail(name, f"shape {array.shape}", f"{axes} axes")
        if array.dtype != first.dtype:
            _fail(name, array.dtype, f"{first.dtype}, as the first argument has")


def _check_counts(**counts):
    for name, count in counts.items():
        if not isinstance(count, numbers.Integral) or count < 1:
            _fail(name, repr(count), "a whole number, one or more")


def _fail(name, found, expected):
    raise ValueError(f"{name}: got {found}, expected {expected}")
