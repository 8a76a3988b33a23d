"""The scattering transform: a convolutional network of two layers whose kernels nobody learned.

    U1 = |x * ψ1|    U2 = |U1 * ψ2|    S = x * φ, U1 * φ, U2 * φ

ψ are Morlet wavelets, waves under a bell that look like the first kernels of a trained network, in
eight directions and two sizes; the modulus is the nonlinearity; φ, a bell, averages. Bruna and
Mallat, "Invariant Scattering Convolution Networks", PAMI 2013. Widths and frequencies are those of
the library Kymatio (Andreux and others, JMLR 2020), whose numbers these are to a thousandth, in
another order.

Needs NumPy and SciPy only.
"""

from functools import cache

import numpy as np
from scipy import fft

from helpers.words import shown

SCALES = 2  # sizes of wavelets; the averages stand 2**SCALES pixels apart
WIDTH, FREQUENCY = 0.8, 3 * np.pi / 4  # of the smallest wavelet: pixels, radians a pixel


def bell(size, step, width, squeeze=1.0, angle=0.0, frequency=0.0):
    """The Fourier transform of a bell, moved to ``frequency`` in the direction ``angle``.

    size, step         ``size``×``size`` samples, ``step`` pixels apart
    width, squeeze     standard deviation in pixels along the direction, and how many times smaller
                       it is across

    Returns (size, size) float64, 1 at its center. Frequencies that samples ``step`` pixels apart
    cannot tell apart are added up.
    """
    period = 2 * np.pi / step
    along = fft.fftfreq(size) * period + period * np.arange(-2, 3)[:, None]
    rows, columns = along[:, None, :, None], along[None, :, None, :]
    forward = columns * np.cos(angle) + rows * np.sin(angle) - frequency
    aside = rows * np.cos(angle) - columns * np.sin(angle)
    return np.exp(-(width**2) * (forward**2 + (aside / squeeze) ** 2) / 2).sum(axis=(0, 1))


@cache  # every batch asks for the same
def wavelets(size, step, scale, angles):
    """The Fourier transforms of the Morlet wavelets of one scale, (angles, size, size) float32.

    From the bell at its frequency as much of the bell at frequency 0 is taken away that the mean of
    the wavelet is 0: a flat gray wakes none of them.
    """
    width, frequency, found = WIDTH * 2**scale, FREQUENCY / 2**scale, []
    for k in range(angles):
        turned = {"squeeze": 4 / angles, "angle": k * np.pi / angles}
        wave = bell(size, step, width, **turned, frequency=frequency)
        still = bell(size, step, width, **turned)
        found.append(wave - wave[0, 0] / still[0, 0] * still)
    found = np.array(found, np.float32)
    found.flags.writeable = False
    return found


def thinned(spectrum, factor):
    """The Fourier transform of every ``factor``-th sample, along the last two axes."""
    size = spectrum.shape[-1] // factor
    shape = (*spectrum.shape[:-2], factor, size, factor, size)
    return spectrum.reshape(shape).mean(axis=(-4, -2))


def _scattered(images, angles):
    """``scattering`` for a few images, (n, side, side) float32."""
    reach = 2**SCALES
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    size = padded.shape[-1]

    def average(spectrum, step):
        """From samples ``step`` pixels apart; the margin goes."""
        low = thinned(spectrum * bell(size // step, step, WIDTH * reach / 2), reach // step)
        return fft.ifft2(low).real[..., 1:-1, 1:-1]

    x = fft.fft2(padded)
    maps = [average(x, 1)[:, None]]
    for first in range(SCALES):
        step = 2**first
        u = np.abs(fft.ifft2(thinned(x[:, None] * wavelets(size, 1, first, angles), step)))
        u = fft.fft2(u)
        maps.append(average(u, step))
        for second in range(first + 1, SCALES):
            waves = wavelets(size // step, step, second, angles)
            v = np.abs(fft.ifft2(thinned(u[:, :, None] * waves, 2**second // step)))
            v = average(fft.fft2(v), 2**second)
            maps.append(v.reshape(len(v), -1, *v.shape[-2:]))
    return np.concatenate(maps, axis=1, dtype=np.float32)


def scattering(images, angles=8, batch=100):
    """Scattering coefficients of gray images, with two scales of wavelets.

    images   (n, side, side), numbers; ``side`` a multiple of 4, at least 8
    angles   directions of the wavelets, at least 1
    batch    images at a time, which bounds the memory

    Returns (n, 1 + 2 angles + angles², side / 4, side / 4) float32: 81 maps of 7×7 for images of 28
    pixels. First the average, then the moduli of the small and large wavelets with those of both in
    a row between them: orders 0, 1, 2, 1. Raises ``ValueError`` for other shapes.
    """
    images = np.asarray(images, np.float32)
    side = images.shape[-1] if images.ndim == 3 else 0
    if side < 8 or side % 2**SCALES or images.shape[1] != side:
        raise ValueError(
            f"images of shape {images.shape}: (n, side, side) is needed, side a multiple of 4"
        )
    if angles < 1 or batch < 1:
        raise ValueError(f"angles={shown(angles)}, batch={shown(batch)}: at least 1 each")
    parts = [_scattered(images[i : i + batch], angles) for i in range(0, len(images), batch)]
    shape = 1 + SCALES * angles + angles**2, side // 4, side // 4
    return np.concatenate(parts) if parts else np.zeros((0, *shape), np.float32)


def group_normalized(maps, groups=27):
    """Each group of maps of an image with mean 0 and variance 1, which uses no other image.

    Wu and He, "Group Normalization", ECCV 2018, without their γ and β. Tramèr and Boneh (ICLR 2021)
    normalize scattering coefficients so before a private linear classifier: nothing about the other
    images is used, so it costs no ε.

    maps     (n, c, h, w) numbers; ``groups`` divides c. The same, float32, is returned.
    """
    maps = np.asarray(maps, np.float32)
    if maps.ndim != 4 or groups < 1 or maps.shape[1] % groups:
        raise ValueError(
            f"groups={shown(groups)} for maps of shape {maps.shape}: (n, c, h, w) is needed, and "
            "a number of groups that divides c"
        )
    rows = maps.reshape(len(maps), groups, -1)
    rows = rows - rows.mean(axis=2, keepdims=True)
    rows /= np.sqrt(rows.var(axis=2, keepdims=True) + 1e-5)
    return rows.reshape(maps.shape)
