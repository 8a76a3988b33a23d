"""A Keras model in LiteRT's file format, in fewer bits: convert, run, time.

Keras converts through ``tf.lite``; LiteRT Quantizer, which LiteRT's documentation names in place
of the converter's own options, takes the bits away; the files run in LiteRT.
"""

import contextlib
import os
import re
import time
import warnings

import numpy as np

from helpers.networks import (
    check_finite,
    check_finite_images,
    check_finite_weights,
    check_plain,
    layers_of,
)
from helpers.words import plain, shown

RECIPES = {  # LiteRT Quantizer's name for each mode
    "float32": None,
    "float16": None,  # the converter's: there is no such recipe
    "dynamic": "dynamic_wi8_afp32",  # int8 weights, activations quantized on the fly
    "int8": "static_wi8_ai8",  # int8 weights and activations; needs calibration images
    "int4": "weight_only_wi4_afp32",  # int4 weights, widened to float32 to compute
}


def convert(source, mode="float32", calibration=None):
    """Convert a Keras model of one input and one output to a LiteRT file, as ``bytes``.

    source        the model, or its float32 file, so as not to convert it twice
    mode          a key of ``RECIPES``
    calibration   float32 images (n, ...) whose activations set the ranges of ``"int8"``

    Raises ``ValueError`` for an unknown mode, calibration images missing, unneeded or misshapen,
    a model with more inputs or outputs or in half precision, quantized by Keras or with a layer
    that LiteRT lacks, a file to be made ``"float16"``, which needs the model, and weights or images
    that hold NaN or infinity.
    """
    if isinstance(source, str | os.PathLike):
        raise ValueError(f"{source} is a path; give the file's bytes: Path(...).read_bytes()")
    if mode not in RECIPES or (mode == "float16" and isinstance(source, bytes)):
        what = "a file" if isinstance(source, bytes) else "a model"
        raise ValueError(
            f"mode={shown(mode)} from {what}; use one of {', '.join(RECIPES)}, from a model"
        )
    if (calibration is not None) != (mode == "int8"):
        raise ValueError(
            f"mode={shown(mode)}: calibration= images go with 'int8', and only with it"
        )
    if not isinstance(source, bytes):
        _check_model(source)
    elif RECIPES[mode] is not None:
        _check_file(source)
    data = source if isinstance(source, bytes) else _converted(source, mode == "float16")
    return data if RECIPES[mode] is None else _quantized(data, RECIPES[mode], calibration)


def _check_model(model):
    ends = [getattr(model, ends, None) for ends in ("inputs", "outputs")]
    if None in ends:
        raise ValueError(f"{shown(model)} is no built Sequential or functional model; give one")
    if [len(tensors) for tensors in ends] != [1, 1]:
        raise ValueError(
            f"{model.name} has {len(ends[0])} inputs and {len(ends[1])} outputs; "
            "give a model with one of each"
        )
    for name, layer in layers_of(model).items():
        if layer.compute_dtype in ("float16", "bfloat16"):
            raise ValueError(
                f"layer {name!r} computes in {layer.compute_dtype}; build the model again under "
                'keras.config.set_dtype_policy("float32") and give it these weights'
            )
    check_plain(model)
    check_finite_weights(model)


def _check_file(data):
    """Look for NaN among a file's weights, which would become numbers with fewer bits."""
    interpreter = _interpreter(data, 1)
    _ends(interpreter)
    for detail in interpreter.get_tensor_details():
        if detail["dtype"] in (np.float32, np.float16):
            try:
                values = interpreter.get_tensor(detail["index"])
            except ValueError:  # not a weight: it has no memory yet
                continue
            with np.errstate(over="ignore"):  # the converter writes infinity as the largest number
                check_finite(detail["name"], 2 * values, "convert a model without them")


def _converted(model, halve):
    import tensorflow as tf

    with _quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if halve:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        try:
            return bytes(converter.convert())
        except Exception as error:  # pages of the compiler's, whose kinds differ by version
            raise ValueError(f"{model.name!r}: {_why(str(error))}") from error


def _why(text):
    """What the converter could not do, in one sentence."""
    operation = re.search(r"'(?:tfl?)\.(\w+)' op", text)
    place = re.search(r'fused\["\w+:", "?(?:\w+@)?([\w/]+)', text)
    if not operation:
        return f"it cannot be converted: {plain(text)[:200]}"
    where = f" in {place[1]}" if place else ""
    return (
        f"LiteRT has no {operation[1]}{where}: put another layer there (a recurrent one converts "
        "with unroll=True)"
    )


def _quantized(data, recipe_name, calibration):
    try:
        from litert_quantizer import quantizer, recipe
    except ModuleNotFoundError as error:  # it has no version for Windows
        raise RuntimeError("install litert-quantizer, on Linux, macOS or in Colab") from error
    interpreter, ranges = _interpreter(data, 1), None
    if calibration is not None:
        calibration = _checked(calibration, _one_by_one(_ends(interpreter)[0]), "calibration")
        key, signature = next(iter(interpreter.get_signature_list().items()))
        samples = {key: [{signature["inputs"][0]: image[None]} for image in calibration]}
    with _quiet():
        work = quantizer.Quantizer(data, getattr(recipe, recipe_name)())
        if calibration is not None:
            ranges = work.calibrate(samples, num_threads=1)
        return bytes(work.quantize(ranges, enable_progress_report=False).quantized_model)


def run(data, images, threads=1, batch=100):
    """Outputs (n, ...) float32 of the LiteRT file ``data`` for float32 ``images`` (n, ...).

    Integer inputs and outputs are converted with their scale and zero point: x = Δ (q − q₀).
    A network that wants whole numbers themselves, such as pixels, is given images of their type.
    A file for batches of one size takes any number of images, too. Raises ``ValueError`` for images
    of another shape or type or with a pixel that is NaN or infinite, bytes that are no LiteRT file,
    and a file of several inputs or outputs.
    """
    interpreter = _interpreter(data, threads)
    source, target = _ends(interpreter)
    images = _checked(images, source, "images")
    fixed = int(source["shape_signature"][0])  # above 0: converted for batches of this size
    batch, outputs, count = fixed if fixed > 0 else batch, [], len(images)
    if fixed > 0:
        images = np.concatenate([images, np.repeat(images[-1:], -count % fixed, axis=0)])
    for start in range(0, len(images), batch):
        chunk = images[start : start + batch]
        interpreter.resize_tensor_input(source["index"], chunk.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source["index"], _to_integers(chunk, source))
        interpreter.invoke()
        outputs.append(_to_reals(interpreter.get_tensor(target["index"]), target))
        if outputs[-1].shape[:1] != (len(chunk),):
            raise ValueError(f"the file gives {outputs[-1].shape} for {len(chunk)} images")
    return np.concatenate(outputs)[:count]


def race(files, image, rounds=30, calls=10, threads=1):
    """Time one call on one float32 ``image`` for each of ``files`` (name -> bytes), in turn.

    In every round each file is called ``calls`` times in a row, and the next round begins with
    another file: so all of them share the machine's good and bad moments, and the ratio of two
    times of one round is a fair one. The first round warms up and does not count.

    Returns ``{name: (rounds,) milliseconds}``, of each round the median call. Raises ``ValueError``
    as ``run`` does.
    """
    if rounds < 1 or calls < 1:
        raise ValueError(f"rounds={rounds}, calls={calls}: give whole numbers from 1")
    lanes = {name: _lane(data, image, threads) for name, data in files.items()}
    times, order = {name: [] for name in files}, list(files)
    for _ in range(rounds + 1):
        for name in order:
            times[name].append(1e3 * np.median([lanes[name]() for _ in range(calls)]))
        order = order[1:] + order[:1]
    return {name: np.array(measured[1:]) for name, measured in times.items()}


def _lane(data, image, threads):
    """A function that calls the file once and says how many seconds that took."""
    interpreter = _interpreter(data, threads)
    source = _one_by_one(_ends(interpreter)[0])
    image = _checked(image[None], source, "image")
    interpreter.resize_tensor_input(source["index"], image.shape)
    interpreter.allocate_tensors()
    image = _to_integers(image, source)

    def call():
        start = time.perf_counter()
        interpreter.set_tensor(source["index"], image)
        interpreter.invoke()
        return time.perf_counter() - start

    return call


def _interpreter(data, threads):
    from ai_edge_litert.interpreter import Interpreter

    if isinstance(data, str | os.PathLike):
        raise ValueError(f"{data} is a path; give the file's bytes: Path(...).read_bytes()")
    try:
        with _quiet():
            return Interpreter(model_content=bytes(data), num_threads=threads)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"these {len(data)} bytes are no LiteRT file: {error}") from None


def _ends(interpreter):
    """The input and the output of a file that has one of each."""
    ends = interpreter.get_input_details(), interpreter.get_output_details()
    if [len(each) for each in ends] != [1, 1]:
        raise ValueError(
            f"the file has {len(ends[0])} inputs and {len(ends[1])} outputs, in an order that may "
            "not be the model's; convert a model with one of each"
        )
    return ends[0][0], ends[1][0]


def _one_by_one(source):
    if source["shape_signature"][0] > 1:
        raise ValueError(
            f"the file was converted for batches of {source['shape_signature'][0]}; convert a "
            "model whose keras.Input has no batch size"
        )
    return source


def _checked(images, detail, name):
    """The images as an array, if they are those that this input of a file (``detail``) takes."""
    images = np.asarray(images)
    # Without a scale, the whole numbers are no quantized reals: the network wants them as they are.
    dtype = np.dtype(np.float32 if detail["quantization"][0] else detail["dtype"])
    shape = [side if side > 0 else "any" for side in detail["shape_signature"][1:]]
    fits = images.ndim == 1 + len(shape) and images.dtype == dtype and len(images) > 0
    if not fits or any(a not in ("any", b) for a, b in zip(shape, images.shape[1:], strict=True)):
        raise ValueError(
            f"{name} has shape {images.shape} and type {images.dtype}; "
            f"expected {dtype} (n, {', '.join(map(str, shape))}) with n > 0"
        )
    check_finite_images(name, images)
    return images


def _to_integers(reals, detail):
    if detail["dtype"] == np.float32 or not detail["quantization"][0]:
        return reals
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.round(reals / scale) + zero, limits.min, limits.max).astype(detail["dtype"])


def _to_reals(values, detail):
    if detail["dtype"] == np.float32 or not detail["quantization"][0]:
        return values
    scale, zero = detail["quantization"]
    return (scale * (values.astype(np.float32) - zero)).astype(np.float32)


@contextlib.contextmanager
def _quiet():
    """Silence what the converter's C++ parts write past Python to the terminal."""
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(open(os.devnull, "w"))
        stack.enter_context(contextlib.redirect_stdout(sink))
        stack.enter_context(contextlib.redirect_stderr(sink))
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        saved = os.dup(2)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
