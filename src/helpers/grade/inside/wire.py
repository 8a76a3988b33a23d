"""Values as bytes, both ways between grader and sandbox: no pickle, no code, nothing but data.

Each value is a letter and what follows it. Arrays are a dtype, a shape and their raw buffer. What
comes out of the sandbox is not trusted: ``unpack`` raises ``ValueError`` for anything else, reads
no array beyond the bytes that came, and goes no deeper than ``DEPTH``.

``run`` is the module ``helpers.check.run``, which each side loads in its own way.
"""

import struct

import numpy as np

DEPTH = 20
TEXT = 20_000_000  # bytes of a text
DIGITS = 4000  # of an int; Python reads no longer one
VALUES = 1_000_000  # of one frame, an array counting as one


def pack(value, run, depth=DEPTH):
    """The bytes of a value; ``ValueError`` names a type that has none."""
    kind = type(value)
    if depth < 0:
        raise ValueError("too deeply nested")
    if value is None or value is ... or kind is bool:
        return b"N" if value is None else b"E" if value is ... else b"T" if value else b"F"
    if kind is int:
        if value.bit_length() > 3 * DIGITS:
            raise ValueError(f"an int of {value.bit_length():,} bits")
        return b"i" + _sized(str(value).encode())
    if kind is float:
        return b"f" + struct.pack("<d", value)
    if kind is str:
        return b"s" + _sized(value.encode("utf-8", "backslashreplace"))
    if kind is tuple or kind is list:
        parts = [pack(one, run, depth - 1) for one in value]
        return (b"t" if kind is tuple else b"l") + struct.pack("<I", len(parts)) + b"".join(parts)
    if kind is dict:
        return b"d" + pack([part for item in value.items() for part in item], run, depth - 1)
    if kind is run.Opaque:
        return b"o" + _sized(str(value.name).encode("utf-8", "backslashreplace"))
    if kind is run.Rng:
        return b"r" + pack(int(value.seed), run)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufc":
        letter = b"a" if kind is np.ndarray else b"g"
        shape = struct.pack(f"<B{value.ndim}q", value.ndim, *value.shape)
        return letter + _sized(value.dtype.str.encode()) + shape + _sized(value.tobytes())
    raise ValueError(f"a value of type {kind.__name__}")


def unpack(data, run):
    """The value of some bytes, all of which it must use."""
    reader = _Reader(data, run)
    try:
        value = reader.value(DEPTH)
    except (struct.error, IndexError, TypeError, OverflowError, MemoryError) as error:
        raise ValueError(f"no value: {error}") from None
    if reader.place != len(data):
        raise ValueError("more came than one value")
    return value


def _sized(data):
    return struct.pack("<Q", len(data)) + data


class _Reader:
    def __init__(self, data, run):
        self.data, self.run, self.place, self.left = memoryview(data), run, 0, VALUES

    def take(self, count):
        if count > len(self.data) - self.place:
            raise ValueError("cut off")
        self.place += count
        return self.data[self.place - count : self.place]

    def numbers(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def sized(self, most=2**40):
        (size,) = self.numbers("<Q")
        if size > most:
            raise ValueError("too long")
        return self.take(size)

    def text(self):
        return bytes(self.sized(TEXT)).decode("utf-8", "replace")

    def value(self, depth):
        self.left -= 1
        if depth < 0 or self.left < 0:
            raise ValueError("too deeply nested, or too many values")
        letter = bytes(self.take(1))
        if letter in (b"N", b"T", b"F", b"E"):
            return {b"N": None, b"T": True, b"F": False, b"E": ...}[letter]
        if letter == b"i":
            return int(bytes(self.sized(DIGITS)))
        if letter == b"f":
            return self.numbers("<d")[0]
        if letter == b"s":
            return self.text()
        if letter in (b"t", b"l"):
            (count,) = self.numbers("<I")
            parts = [self.value(depth - 1) for _ in range(count)]
            return tuple(parts) if letter == b"t" else parts
        if letter == b"d":
            parts = self.value(depth - 1)
            return dict(zip(parts[::2], parts[1::2], strict=True))
        if letter == b"o":
            return self.run.Opaque(self.text()[:100])
        if letter == b"r":
            return self.run.Rng(self.value(0))
        if letter in (b"a", b"g"):
            return self.array(letter)
        raise ValueError(f"no value begins with {letter!r}")

    def array(self, letter):
        name = bytes(self.sized(10)).decode("ascii", "replace")
        dtype = np.dtype(name)
        if dtype.kind not in "biufc" or dtype.str != name:
            raise ValueError("no array of numbers")
        (ndim,) = self.numbers("<B")
        shape = self.numbers(f"<{ndim}q")
        raw = bytes(self.sized())
        if min(shape, default=0) < 0 or len(raw) != _product(shape) * dtype.itemsize:
            raise ValueError("an array's size is not its shape's")
        array = np.frombuffer(raw, dtype).reshape(shape).copy()
        return array if letter == b"a" else array[()]


def _product(shape):
    product = 1
    for size in shape:  # Python's own whole numbers do not overflow
        product *= size
    return product
