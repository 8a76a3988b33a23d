"""What a training loop spends its time on, from the file that TensorFlow's profiler writes.

TensorBoard's plugin draws the same file as a timeline. Here only sums are taken from it.
"""

import re
import tempfile
import time
from collections import Counter, namedtuple
from pathlib import Path

# In seconds: the whole run, the part of it in which the loop waited for its next batch, and what
# each kind of operation took, {kind: seconds}. Operations at work at once on several threads are
# added up, so that their sum may be larger than the whole.
Profile = namedtuple("Profile", "whole waiting operations")

NEXT = "IteratorGetNextOp::DoCompute"  # how a `for` loop over a dataset asks for each batch
OPERATION = re.compile(r"[^:]+:(\w+)")  # of a graph, "place/name:Kind"; "A::B" is part of another


def profile(run):
    """Call ``run()`` under TensorFlow's profiler and return a ``Profile``.

    Only loops over a ``tf.data.Dataset`` outside of a ``tf.function`` are seen to wait. Raises
    ``RuntimeError`` if another profile is being made in this process, or if none was written.
    """
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        try:
            tf.profiler.experimental.start(folder)
        except tf.errors.AlreadyExistsError:
            raise RuntimeError("another profile is being made; let it end first") from None
        began = time.perf_counter()
        try:
            run()
        finally:
            whole = time.perf_counter() - began
            tf.profiler.experimental.stop()
        return Profile(whole, *_sums(folder))


def _sums(folder):
    """Seconds that loops waited, and seconds of each kind of operation, from a profile's files."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    files = list(Path(folder).rglob("*.xplane.pb"))
    if not files:
        raise RuntimeError("TensorFlow's profiler wrote no file; is it built into this TensorFlow?")
    waiting, operations = 0.0, Counter()
    for file in files:
        for plane in xplane_pb2.XSpace.FromString(file.read_bytes()).planes:
            names = {number: kind.name for number, kind in plane.event_metadata.items()}
            for event in (event for line in plane.lines for event in line.events):
                name, seconds = names[event.metadata_id], event.duration_ps / 1e12
                if name == NEXT:
                    waiting += seconds
                elif match := OPERATION.fullmatch(name):
                    operations[match[1]] += seconds
    return waiting, dict(operations)
