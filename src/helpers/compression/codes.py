"""Weights as symbols: the gaps between those that are not zero, and the numbers of their values.

Both are coded by asymmetric numeral systems, after how often each symbol occurs.
"""

import math

import numpy as np
from constriction import stream

from helpers.compression.layout import SPAN, require


def _model(counts):
    """The coder's model of these frequencies. Two symbols more, since it wants at least two."""
    return stream.model.Categorical(np.r_[counts, 0.5, 0.5], perfect=False)


def encode(array, coder):
    """Push one array on the coder. Returns its row of the header and the bytes of plain values.

    A nonzero weight has a gap (the zeros before it) and a value: its number in the codebook or,
    where that saves nothing, the value itself. The row: shape, bytes of a plain value, and how
    often each gap and each number of the codebook occurs.
    """
    bits = array.ravel().view(np.uint32)  # bit patterns, so that -0.0 and NaN survive too
    kept = np.flatnonzero(bits)
    gaps = np.diff(kept, prepend=-1) - 1
    symbols = np.full(kept.size + (gaps // SPAN).sum(), SPAN, np.int32)
    symbols[np.cumsum(gaps // SPAN + 1) - 1] = gaps % SPAN
    plain, codes, counts = np.unique(bits[kept], return_inverse=True, return_counts=True)
    if plain.size <= min(256, kept.size / 2):
        coder.encode_reverse(codes.astype(np.int32), _model(counts))
    else:
        plain, counts = bits[kept], counts[:0]
    coder.encode_reverse(symbols, _model(np.bincount(symbols)))
    with np.errstate(over="ignore", invalid="ignore"):
        half = plain.view(np.float32).astype("<f2")
    exact = half.astype(np.float32).tobytes() == plain.tobytes()
    values = half if exact else plain.astype("<u4")
    row = [array.shape, values.itemsize, np.bincount(symbols).tolist(), counts.tolist()]
    return row, values.tobytes()


def size_of(shape, width, spread, counts):
    """Check a row of the header. Returns how many weights and how many bytes of values it has."""
    for table, most in ((shape, 8), (spread, SPAN + 1), (counts, 256)):
        whole = all(type(value) is int and 0 <= value < 2**31 for value in table[:most])
        require(whole and len(table) <= most, "a table holds something else than counts")
    size, kept = math.prod(shape), sum(spread[:SPAN])
    require(width in (2, 4) and sum(spread) <= size, "an array has more weights than its shape")
    require(not counts or sum(counts) == kept, "a codebook is not that of its array")
    return size, width * (len(counts) or kept)


def decode(shape, width, spread, counts, data, coder):
    """The float32 array that a row of the header describes, its symbols taken off the coder."""
    array = np.zeros(math.prod(shape), np.float32)
    symbols = coder.decode(_model(spread), sum(spread))
    ends = np.cumsum(np.where(symbols < SPAN, symbols + 1, SPAN), dtype=np.int64)
    kept = ends[symbols < SPAN] - 1
    require(kept.size == sum(spread[:SPAN]), "its gaps do not decode")
    values = np.frombuffer(data, f"<f{width}", len(counts) or kept.size).astype(np.float32)
    array[kept] = values[coder.decode(_model(counts), kept.size)] if counts else values
    return array.reshape(shape)
