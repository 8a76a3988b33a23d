"""Each assignment's functions once more, in another style: variant -> function.

The book's right functions and the sources' solutions are two; with these, three.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import logsumexp, softmax


def tied_error(variant):
    def by_sorting(scores, labels, k):
        columns, ties = np.arange(scores.shape[1]) + 0 * scores, variant["ties"]
        label = columns == labels[:, None]
        if ties == "lot":
            own = scores[label][:, None]
            free, rivals = k - (scores > own).sum(axis=1), (scores == own).sum(axis=1)
            return 1 - np.mean(np.minimum(np.maximum(free, 0), rivals) / rivals)
        later = {"first": columns, "last": -columns, "for": -1.0 * label, "against": 1.0 * label}
        order = np.lexsort((later[ties], -scores))
        return 1 - np.mean((order[:, :k] == labels[:, None]).any(axis=1))

    return by_sorting


def mistake_cost(variant):
    def by_series(a, b):
        shared, fade = (
            next(
                (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y),
                min(len(a), len(b)),
            ),
            variant["fade"],
        )
        up, down = (fade ** (shared - 1) * (1 - fade ** (len(p) - shared)) / (1 - fade)
                    for p in (a, b))  # fmt: skip
        way = variant["way"]
        return (
            (way in ("both", "up")) * up
            + (way in ("both", "down")) * down
            + (way == "longer") * max(up, down)
        )

    return by_series


def agreement(variant):
    def by_table(first, second, classes):
        table = np.zeros((classes, classes))
        for a, b in zip(first, second, strict=True):
            if a != -1 and b != -1:
                table[a, b] += 1
        seen = table.sum()
        all_ = seen if variant["blank"] == "skip" else len(first)
        rows, columns = table.sum(axis=1) / seen, table.sum(axis=0) / seen
        if variant["chance"] == "uniform":
            chance = 1 / classes
        elif variant["chance"] == "own":
            chance = sum(rows * columns)
        else:
            chance = sum(((rows + columns) / 2) ** 2)
        return (np.trace(table) / all_ - chance) / (1 - chance)

    return by_table


def pool_gradient(variant):
    def by_windows(da, x):
        stride, edge = variant["stride"], 0.0 if variant["border"] == "zeros" else -np.inf
        padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=edge)
        windows = sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::stride, ::stride]
        best = windows == windows.max(axis=(-2, -1), keepdims=True)
        flat = best.reshape(*best.shape[:-2], 9)
        if variant["ties"] == "shared":
            share = flat / flat.sum(axis=-1, keepdims=True)
        elif variant["ties"] == "first":
            share = np.arange(9) == flat.argmax(axis=-1)[..., None]
        else:
            share = np.arange(9) == 8 - flat[..., ::-1].argmax(axis=-1)[..., None]
        dpadded, (rows, columns) = np.zeros(padded.shape), da.shape[1:3]
        for k in range(9):
            r, t = divmod(k, 3)
            view = dpadded[:, r : r + stride * rows : stride, t : t + stride * columns : stride]
            view[:, :rows, :columns] += da * share[..., k]
        return dpadded[:, 1:-1, 1:-1]

    return by_windows


def depthwise_gradient(variant):
    def by_kernel(dz, x, w):
        stride, pad, dilation = variant["stride"], variant["pad"], variant["dilation"]
        padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
        dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
        for r, t in np.ndindex(w.shape[:2]):
            rows = r * dilation + stride * np.arange(dz.shape[1])
            columns = t * dilation + stride * np.arange(dz.shape[2])
            place = np.ix_(range(len(x)), rows, columns, range(x.shape[3]))
            dpadded[place] += dz * w[r, t]
            dw[r, t] = np.einsum("nijc,nijc->c", dz, padded[place])
        end = -pad if pad else None
        return dpadded[:, pad:end, pad:end], dw

    return by_kernel


def transposed_gradient(variant):
    def by_kernel(da, x, w):
        step, crop = variant["step"], variant["crop"]
        full = np.zeros((len(da), *(s + 2 * crop for s in da.shape[1:3]), da.shape[3]))
        full[:, crop : crop + da.shape[1], crop : crop + da.shape[2]] = da
        dx, dw = np.zeros_like(x), np.zeros_like(w)
        for r, t in np.ndindex(w.shape[:2]):
            seen = full[:, r::step, t::step][:, : x.shape[1], : x.shape[2]]
            kernel = w[r, t] if variant["axes"] == "CK" else w[r, t].T
            dx += seen @ kernel.T
            dkernel = np.tensordot(x, seen, axes=([0, 1, 2], [0, 1, 2]))
            dw[r, t] = dkernel if variant["axes"] == "CK" else dkernel.T
        return dx, dw

    return by_kernel


def velocity_step(variant):
    def expanded(w, v, dw, rate):
        mu, coupled = variant["momentum"], variant["shrink"] == "coupled"
        g = dw + (0.01 * w if coupled else 0)
        kept = w * (1 if coupled else 1 - 0.01 * rate)
        if variant["form"] == "paper":
            return kept + mu * v - rate * g, mu * v - rate * g
        if variant["form"] == "outside":
            return kept - rate * mu * v - rate * g, mu * v + g
        return kept + mu * mu * v - (1 + mu) * rate * g, mu * v - rate * g

    return expanded


def scheduled_rate(variant):
    def by_interpolation(step, steps, peak):
        warm = variant["warm"] * steps
        if step < warm:
            return float(np.interp(step, [0, warm], [0, peak]))
        left = float(np.interp(step, [warm, steps], [1, 0]))
        f = left if variant["shape"] == "line" else left * left
        if variant["shape"] == "cosine":
            f = np.sin(np.pi / 2 * left) ** 2
        return float(peak * f + variant["floor"] * peak * (1 - f))

    return by_interpolation


def residual_gradient(variant):
    def image_by_image(da, x, w1, w2):
        dx, dw1, dw2 = np.zeros_like(x), np.zeros_like(w1), np.zeros_like(w2)
        for n in range(len(x)):
            given = np.maximum(x[n], 0) if variant["order"] == "pre" else x[n]
            hidden = np.maximum(given @ w1, 0)
            out = da[n].copy()
            if variant["order"] == "post":
                out[x[n] + variant["scale"] * hidden @ w2 <= 0] = 0
            dw2 += np.outer(hidden, out) * variant["scale"]
            back = variant["scale"] * w2 @ out
            back[hidden == 0] = 0
            dw1 += np.outer(given, back)
            below = w1 @ back
            if variant["order"] == "pre":
                below[x[n] <= 0] = 0
            dx[n] = out + below
        return dx, dw1, dw2

    return image_by_image


def split_groups(variant):
    def by_cumulated_sizes(groups, share):
        numbers, first, sizes = np.unique(groups, return_index=True, return_counts=True)
        keys = {"largest": -sizes, "smallest": sizes, "seen": first, "number": numbers}
        order = np.lexsort((numbers, keys[variant["order"]]))
        total = np.cumsum(sizes[order])
        if variant["stop"] == "reach":
            count = int(np.searchsorted(total, share * len(groups))) + 1 if share > 0 else 0
        else:
            count = int(np.searchsorted(total, share * len(groups), side="right"))
        return np.isin(groups, numbers[order[:count]])

    return by_cumulated_sizes


def frozen_gradients(variant):
    def by_layers(dz, x, *weights):
        inputs, slopes = [x], []
        for w in weights[:-1]:
            z = inputs[-1] @ w
            slopes.append(np.where(z > 0, 1.0, variant["leak"]))
            inputs.append(z * slopes[-1])
        frozen, found = {"first": 0, "middle": 1, "last": 2}[variant["frozen"]], []
        for i in (2, 1, 0):
            found.insert(0, inputs[i].T @ dz * (i != frozen))
            dz = (dz @ weights[i].T) * slopes[i - 1] if i else dz
        return tuple(found)

    return by_layers


def contrastive_loss(variant):
    def by_logsumexp(u, v):
        u, v = (x / np.sqrt(np.einsum("nc,nc->n", x, x))[:, None] for x in (u, v))
        s, n = u @ v.T / variant["temperature"], len(u)
        if variant["way"] != "all":
            rows = (logsumexp(s, axis=1) - np.diag(s)).mean()
            columns = (logsumexp(s, axis=0) - np.diag(s)).mean()
            return float(rows if variant["way"] == "one" else (rows + columns) / 2)
        both = np.vstack([u, v])
        s, total = both @ both.T / variant["temperature"], 0.0
        for i in range(2 * n):
            total += logsumexp(np.delete(s[i], i)) - s[i, (i + n) % (2 * n)]
        return float(total / (2 * n))

    return by_logsumexp


def attack_step(variant):
    def at_once(x, dx, epsilon):
        step = dx if variant["aim"] == "away" else -dx
        if variant["step"] == "sign":
            step = 1.0 * (step > 0) - 1.0 * (step < 0)
        else:
            sizes = np.linalg.norm(step.reshape(len(x), -1), axis=1).reshape(-1, 1, 1, 1)
            step = np.divide(step, sizes, out=np.zeros(x.shape), where=sizes > 0)
        return (x + epsilon * step).clip(-1 if variant["box"] == "centered" else 0, 1)

    return at_once


def onto_ball(variant):
    def pixel_by_pixel(x, x0, epsilon):
        epsilon, y = epsilon / (255 if variant["unit"] == "255" else 1), x.copy()
        for n, i, j, c in np.ndindex(x.shape):
            d = x[n, i, j, c] - x0[n, i, j, c]
            if variant["ball"] == "inf":
                size = abs(d)
            elif variant["ball"] == "two":
                size = np.linalg.norm(x[n] - x0[n])
            else:
                size = np.linalg.norm(x[n, i, j] - x0[n, i, j])
            if size > epsilon:
                y[n, i, j, c] = x0[n, i, j, c] + d * (epsilon / size)
        return y.clip(-1 if variant["box"] == "centered" else 0, 1)

    return pixel_by_pixel


def occlusion_map(variant):
    def by_batch(x, w, b, y, size):
        fill = {"gray": 0.5, "black": 0, "mean": x.sum() / x.size}[variant["fill"]]
        tops = range(0, x.shape[0] - size + 1, variant["stride"])
        lefts = range(0, x.shape[1] - size + 1, variant["stride"])
        images = [x]
        for top in tops:
            for left in lefts:
                covered = np.zeros(x.shape, bool)
                covered[top : top + size, left : left + size] = True
                images.append(np.where(covered, fill, x))
        z = np.stack(images).reshape(len(images), -1) @ w + b
        answers = z[:, y] if variant["drop"] == "logit" else softmax(z, axis=1)[:, y]
        return (answers[0] - answers[1:]).reshape(len(tops), len(lefts))

    return by_batch


def structured_mask(variant):
    def by_ranks(w):
        rows = np.swapaxes(w, 0, 1) if variant["axis"] == 0 else w
        fours = np.abs(rows).reshape(rows.shape[0], -1, 4)
        later = np.arange(4) if variant["ties"] == "first" else -np.arange(4)
        rank = np.lexsort((np.broadcast_to(later, fours.shape), -fours)).argsort(axis=-1)
        mask = (rank < variant["keep"]).reshape(rows.shape)
        return mask.T if variant["axis"] == 0 else mask

    return by_ranks


def shared_step(variant):
    def by_borders(w, dw, values, rate):
        borders = (values[1:] + values[:-1]) / 2
        codes = np.searchsorted(
            borders, w, side="left" if variant["midway"] == "lower" else "right"
        )
        sums = np.bincount(codes.ravel(), dw.ravel(), minlength=len(values))
        if variant["gather"] == "mean":
            sums /= np.clip(np.bincount(codes.ravel(), minlength=len(values)), 1, None)
        moved = values - rate * sums
        return codes, np.where(values == 0, 0, moved) if variant["zero"] == "pinned" else moved

    return by_borders


def layer_int8(variant):
    def by_whole_numbers(q_x, q_w, q_b, zero_x, multiplier, zero_z):
        units = q_w if variant["units"] == "rows" else q_w.T
        low, high = {"signed": (-128, 127), "narrow": (-127, 127), "unsigned": (0, 255)}[
            variant["codes"]
        ]
        multipliers = np.broadcast_to(multiplier, len(units))
        out = np.zeros((len(q_x), len(units)), int)
        for n, k in np.ndindex(out.shape):
            total = sum((int(x) - zero_x) * int(w) for x, w in zip(q_x[n], units[k], strict=True))
            z = float((total + int(q_b[k])) * multipliers[k])
            if variant["round"] == "even":
                z = round(z)
            elif variant["round"] == "up":
                z = int(np.floor(z + 0.5))
            else:
                z = int(z + 0.5) if z >= 0 else -int(0.5 - z)
            out[n, k] = min(max(z + zero_z, low), high)
        return out

    return by_whole_numbers
