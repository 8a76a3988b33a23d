"""AlexNet's layers in NumPy, forward and backward (Krizhevsky, Sutskever and Hinton, 2012).

Images are ``(n, h, w, c)``, float32 or float64, which is kept. A forward pass returns its output
and a cache; its backward pass takes the gradient with respect to that output, called ``dz`` or
``da`` as in chapter 3, and the cache, and returns the gradient with respect to the input, then to
the parameters. ``ValueError`` says which argument makes no sense, what came and what was expected.
"""

import itertools
import numbers

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

COLUMN_BYTES = 8 * 2**20  # of windows that a convolution copies at a time, to stay in the cache


def conv2d(x, w, b, stride=1, padding="valid", groups=1, dilation=1):
    """Cross-correlate: z[n,i,j,k] = b[k] + Σ x[n, iS + rD, jS + tD, c] w[r,t,c,k], over r, t, c.

    x  (n, h, w, c);  w  (kh, kw, c / groups, k);  b  (k,);  all float32 or all float64
    padding  "valid"; "same", where an odd pixel goes below and right; or a number for every side
    groups   filters of group g see only the channels of group g, as on the paper's two GPUs

    S is the stride, D the dilation. Returns z and the cache; z has the shape
    (n, ⌊(h + pads − D(kh − 1) − 1) / S⌋ + 1, likewise for the width, k).
    """
    _check_counts(stride=stride, groups=groups, dilation=dilation)
    _check_array("w", w, "****")
    *size, depth, filters = w.shape
    _check(filters % groups == 0, "w", f"{filters} filters", f"a multiple of groups={groups}")
    _check_array(f"x, for {depth=} of w, {groups=}", x, (*"***", depth * groups), w.dtype)
    _check_array("b", b, (filters,), w.dtype)
    if groups > 1:  # each group is a convolution by itself
        parts = zip(*(np.split(a, groups, axis=-1) for a in (x, w, b)), strict=True)
        zs, caches = zip(*(conv2d(*p, stride, padding, 1, dilation) for p in parts), strict=True)
        return np.concatenate(zs, axis=-1), caches
    padded, inner = _pad(x, [dilation * (k - 1) + 1 for k in size], stride, padding)
    windows = _windows(padded, size, stride, dilation)
    z = np.empty((*windows.shape[:3], filters), x.dtype)
    for places, columns in _chunks(windows, w):
        np.matmul(columns, w.reshape(-1, filters), out=z[places].reshape(-1, filters))
    z += b
    return z, (padded, w, stride, dilation, inner, z.shape)


def conv2d_backward(dz, cache):
    """Return (dx, dw, db), the gradients with respect to x, w and b. Chapter 3 derives them."""
    if isinstance(cache[0], tuple):
        parts = zip(np.array_split(dz, len(cache), axis=-1), cache, strict=True)
        gradients = zip(*(conv2d_backward(*p) for p in parts), strict=True)
        return tuple(np.concatenate(g, axis=-1) for g in gradients)
    padded, w, stride, dilation, inner, shape = cache
    _check_array("dz", dz, shape, w.dtype)
    size, kernels = w.shape[:2], w.reshape(-1, w.shape[3])
    dpadded, dkernels = np.zeros_like(padded), np.zeros_like(kernels)
    windows, dwindows = (_windows(a, size, stride, dilation) for a in (padded, dpadded))
    # Windows this far apart share no pixel, so that one += can add to all of them.
    down, right = (-(-(dilation * (k - 1) + 1) // stride) for k in size)
    for places, columns in _chunks(windows, w):
        rows = dz[places].reshape(-1, w.shape[3])
        dkernels += columns.T @ rows
        dcolumns = np.matmul(rows, kernels.T, out=columns).reshape(windows[places].shape)
        for i, j in np.ndindex(down, right):
            dwindows[places][:, i::down, j::right] += dcolumns[:, i::down, j::right]
    return dpadded[inner], dkernels.reshape(w.shape), dz.sum((0, 1, 2))


def max_pool(x, size=3, stride=2, padding="valid"):
    """Largest value of each size×size window; windows overlap if stride < size (section 3.4).

    Padding is as in ``conv2d``, but of −∞, so that it never wins. Of equal values the first wins.
    """
    _check_array("x", x, "****")
    _check_counts(size=size, stride=stride)
    padded, inner = _pad(x, (size, size), stride, padding, -np.inf)
    fits = padding in ("valid", "same") or padding < size
    _check(fits, "padding", padding, f"less than size={size}, or a window holds only padding")
    windows = _windows(padded, (size, size), stride)
    a = windows[..., 0, 0, :].copy()
    winner = np.zeros(a.shape, np.uint16 if size <= 256 else np.uint32)
    for k, (r, t) in enumerate(np.ndindex(size, size)):
        np.copyto(winner, k, where=windows[..., r, t, :] > a)
        np.maximum(a, windows[..., r, t, :], out=a)
    return a, (winner, size, stride, inner, padded.shape)


def max_pool_backward(da, cache):
    """Give each da to the input that won its window; an input may win several, so add them up."""
    winner, size, stride, inner, shape = cache
    _check_array("da", da, winner.shape)
    dpadded = np.zeros(shape, da.dtype)
    dwindows = _windows(dpadded, (size, size), stride)
    for k, (r, t) in enumerate(np.ndindex(size, size)):
        dwindows[..., r, t, :] += da * (winner == k)
    return dpadded[inner]


def lrn(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75):
    """Local response normalization across channels (section 3.3): a = x / (bias + alpha Σ x²)^beta.

    The sum runs over up to 2 depth_radius + 1 neighboring channels. alpha multiplies the sum, as in
    the paper's formula and in TensorFlow, and its default is the number printed there. The program
    that the paper reports divides its 1e-4 by the five channels before it runs, so what it ran is
    alpha=2e-5 here. PyTorch and Caffe multiply the mean: 5e-4 there for the formula, 1e-4 for the
    program. The default keeps to the printed page, which readers compare it with.
    """
    _check_array("x", x, "****")
    _check_counts(0, depth_radius=depth_radius)
    _check(bias > 0 and alpha >= 0, "bias, alpha", f"{bias}, {alpha}", "bias > 0 and alpha >= 0")
    scale = bias + alpha * _sum_neighbors(x * x, depth_radius)
    power = scale**-beta
    return x * power, (x, scale, power, depth_radius, 2 * alpha * beta)


def lrn_backward(da, cache):
    """dx_c = da_c s_c^−β − 2αβ x_c Σ_e da_e x_e s_e^(−β−1), over the e whose window holds c."""
    x, scale, power, depth_radius, factor = cache
    _check_array("da", da, x.shape, x.dtype)
    return da * power - factor * x * _sum_neighbors(da * x * power / scale, depth_radius)


def relu(x):
    """max(0, x), for an array of any shape (section 3.1)."""
    return np.maximum(x, 0), x > 0


def relu_backward(da, cache):
    """da where x was positive, 0 elsewhere (and at 0, by convention)."""
    _check_array("da", da, cache.shape)
    return da * cache


def dense(x, w, b):
    """z = x w + b, for x (n, inputs), w (inputs, outputs), b (outputs,)."""
    _check_array("w", w, "**")
    _check_array("x", x, ("*", w.shape[0]), w.dtype)
    _check_array("b", b, w.shape[1:], w.dtype)
    return x @ w + b, (x, w)


def dense_backward(dz, cache):
    """Return (dx, dw, db), the gradients with respect to x, w and b."""
    x, w = cache
    _check_array("dz", dz, (len(x), w.shape[1]), x.dtype)
    return dz @ w.T, x.T @ dz, dz.sum(0)


def flatten(x):
    """One row for each image: (n, h, w, c) -> (n, h w c)."""
    return x.reshape(len(x), -1), x.shape


def flatten_backward(da, cache):
    """da in the images' shape again."""
    return da.reshape(cache)


def dropout(x, rate, rng, training):
    """Set each value to 0 with probability ``rate``, divide the others by 1 − rate.

    Without ``training`` return x, where the paper (section 4.2) multiplies by 1 − rate instead.
    """
    _check(0 <= rate < 1, "rate", rate, "from 0 up to, but not including, 1")
    _check_array("x", x, "*" * np.ndim(x))
    if not training:
        return x, x.dtype.type(1)
    mask = (rng.random(x.shape) >= rate).astype(x.dtype) / x.dtype.type(1 - rate)
    return x * mask, mask


def dropout_backward(da, cache):
    """da with the same mask and scale as in the forward pass."""
    return da * cache


def softmax_cross_entropy(logits, labels):
    """Mean of −log softmax(logits)[label] over the rows, and its gradient (softmax − one-hot) / n.

    logits  (n, classes), finite;  labels  (n,), whole numbers from 0 to classes − 1
    """
    _check_array("logits", logits, "**")
    labels, (n, classes) = np.asarray(labels), logits.shape
    found = f"{labels.dtype} of shape {labels.shape}"
    whole = labels.dtype.kind in "iu" and labels.shape == (n,) and n > 0
    _check(whole, "labels", found, f"whole numbers of shape ({n},), n > 0")
    found = f"{labels.min()} to {labels.max()}"
    _check(set(labels) <= set(range(classes)), "labels", found, f"all from 0 to {classes - 1}")
    wrong = np.sum(~np.isfinite(logits))
    _check(wrong == 0, "logits", f"{wrong} values not finite", "finite values")
    shifted = logits - logits.max(1, keepdims=True)  # so that no exponential overflows
    exponentials = np.exp(shifted)
    total = exponentials.sum(1, keepdims=True)
    loss = np.mean(np.log(total[:, 0]) - shifted[range(n), labels])
    dlogits = exponentials / total
    dlogits[range(n), labels] -= 1
    return loss, dlogits / n


def _windows(padded, size, stride, dilation=1):
    """All windows as a view, without a copy: (n, out_h, out_w, kh, kw, c)."""
    reach = [dilation * (k - 1) + 1 for k in size]
    view = sliding_window_view(padded, reach, axis=(1, 2), writeable=True)
    return np.moveaxis(view[:, ::stride, ::stride, :, ::dilation, ::dilation], 3, -1)


def _chunks(windows, w):
    """For a few places at a time: their slices, and a copy of their windows, one in each row.

    Whole images if they fit into ``COLUMN_BYTES``, else rows of one, else a part of a row.
    """
    room, counts = COLUMN_BYTES // max(1, windows[:1, :1, :1].nbytes), []
    for size in windows.shape[2::-1]:
        counts.insert(0, max(1, min(size, room)))
        room //= max(1, size)
    starts = (range(0, n, count) for n, count in zip(windows.shape, counts, strict=False))
    for corner in itertools.product(*starts):
        places = tuple(slice(i, i + count) for i, count in zip(corner, counts, strict=True))
        yield places, windows[places].copy().reshape(-1, w[..., 0].size)


def _sum_neighbors(a, radius):
    """Sum over the channels at most ``radius`` away."""
    total = a.copy()
    for k in range(1, min(radius, a.shape[-1] - 1) + 1):
        total[..., k:] += a[..., :-k]
        total[..., :-k] += a[..., k:]
    return total


def _pad(x, reach, stride, padding, value=0):
    """x padded for windows that span ``reach`` pixels, and the index that cuts x out again."""
    number = isinstance(padding, numbers.Integral) and padding >= 0
    known = number or padding in ("valid", "same")
    _check(known, "padding", repr(padding), '"valid", "same" or a whole number, 0 or more')
    pads, inner = [(0, 0)], [slice(None)]
    for size, span in zip(x.shape[1:3], reach, strict=True):
        same = max((-(-size // stride) - 1) * stride + span - size, 0)
        total = 2 * padding if number else same * (padding == "same")
        fits = size + total >= span
        _check(fits, "x", f"{size} pixels padded to {size + total}", f"at least {span}")
        pads.append((total // 2, total - total // 2))
        inner.append(slice(total // 2, total // 2 + size))
    return np.pad(x, [*pads, (0, 0)], constant_values=value), tuple(inner)


def _check_array(name, array, shape, *dtypes):
    """Expect ``shape``, where "*" is any length, and one of ``dtypes``, or else any of the two."""
    dtypes = dtypes or ("float32", "float64")
    found = f"{getattr(array, 'dtype', type(array).__name__)} of shape {np.shape(array)}"
    holds = isinstance(array, np.ndarray) and array.dtype in dtypes and array.ndim == len(shape)
    holds = holds and all(s in ("*", a) for a, s in zip(array.shape, shape, strict=True))
    wanted, lengths = " or ".join(map(str, dtypes)), ", ".join(map(str, shape))
    _check(holds, name, found, f"{wanted} of shape ({lengths})")


def _check_counts(least=1, **counts):
    for name, count in counts.items():
        whole = isinstance(count, numbers.Integral) and count >= least
        _check(whole, name, repr(count), f"a whole number, {least} or more")


def _check(holds, name, found, expected):
    if not holds:
        raise ValueError(f"{name}: got {found}, expected {expected}")
