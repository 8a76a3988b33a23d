"""A network with its card, ready to run: checked when it is loaded, safe to use in many threads."""

import base64
import hashlib
import threading

import numpy as np

from helpers.serve import bundle, pictures
from helpers.serve.bundle import ModelError


class Model:
    """A served network. ``card``, ``sha256`` of the whole file, ``logits(images)``.

    Every thread has interpreters of its own, one for each power of two of images: changing an
    interpreter's batch plans its memory anew, which takes longer than a small network does.

    Raises ``ModelError`` if the file, its card and its own check do not agree.
    """

    def __init__(self, data):
        data = bytes(data)
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._data, self.card = bundle.split(data)
        self._own = threading.local()
        self._agree()

    def logits(self, images):
        """(n, classes) float32 of (n, height, width, channels) float32."""
        n = len(images)
        size = 1 << (n - 1).bit_length()
        if size > n:
            images = np.concatenate([images, np.zeros((size - n, *images.shape[1:]), np.float32)])
        return self._lane(size)(images)[:n]

    def probabilities(self, logits):
        """Softmax of the logits over the card's temperature: calibrated, (n, classes) float64."""
        z = np.asarray(logits, np.float64) / self.card.temperature
        z = np.exp(z - z.max(axis=1, keepdims=True))
        return z / z.sum(axis=1, keepdims=True)

    def _lane(self, size):
        lanes = self._own.__dict__.setdefault("lanes", {})
        if size not in lanes:
            lanes[size] = _lane(self._data, size)
        return lanes[size]

    def _agree(self):
        card, blank = (
            self.card,
            np.zeros((1, self.card.height, self.card.width, self.card.channels)),
        )
        try:
            shape = self.logits(blank.astype(np.float32)).shape
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"LiteRT cannot run it on the card's images: {reason}") from None
        if shape != (1, len(card.classes)):
            raise ModelError(f"it gives {shape[1:]} numbers for {len(card.classes)} classes")
        if card.check is None:
            return
        try:
            png = base64.b64decode(card.check["image"])
            wanted, within = np.array(card.check["logits"]), float(card.check["within"])
            found = self.logits(pictures.array_of(png, card)[None])[0]
            gap = float(np.abs(found - wanted).max())
        except (KeyError, TypeError, ValueError, pictures.Refused):
            raise ModelError("the card's check is no picture with its logits") from None
        if not gap <= within:
            raise ModelError(
                f"the picture on its card gives other logits here, off by {gap:.3g}; at most "
                f"{within:g} is allowed: preparation or file are not those it was made with"
            )


def _lane(data, size):
    """A function from ``size`` images to their logits."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:  # pragma: no cover
        raise ModelError("install ai-edge-litert") from None
    interpreter = Interpreter(model_content=data, num_threads=1)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    shape = (size, *source["shape_signature"][1:])
    interpreter.resize_tensor_input(source["index"], shape)
    interpreter.allocate_tensors()

    def run(images):
        x = images
        if source["dtype"] != np.float32:
            scale, zero = source["quantization"]
            if scale:
                x = np.round(x / scale) + zero
            limits = np.iinfo(source["dtype"])
            x = np.clip(x, limits.min, limits.max).astype(source["dtype"])
        interpreter.set_tensor(source["index"], x)
        interpreter.invoke()
        z = interpreter.get_tensor(target["index"])
        if target["dtype"] != np.float32 and target["quantization"][0]:
            scale, zero = target["quantization"]
            z = scale * (z.astype(np.float32) - zero)
        return z.astype(np.float32)

    return run
