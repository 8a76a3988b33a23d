"""Several workers, on one machine or many: who they are, their supervisor, and one common state."""

import json
import os
import select
import subprocess
import sys
import time

import numpy as np

NO_PEERS, LOST_PEER = 3, 75  # exit codes
READY = "IMAGENET_READY_FD"  # set in the environment of a worker that has a supervisor


class SetupError(RuntimeError):
    """Flags, machines and data do not fit together. The message says what and how to change it."""


def cluster():
    """The addresses of all workers and this one's rank, from ``TF_CONFIG``; ``([], 0)`` without."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return [], 0
    try:
        config = json.loads(text)
        addresses, rank = config["cluster"]["worker"], int(config["task"]["index"])
        fits = set(config["cluster"]) == {config["task"]["type"]} and 0 <= rank < len(addresses)
    except (ValueError, KeyError, TypeError):
        fits = False
    if not fits:
        form = '"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}'
        raise SetupError(f"TF_CONFIG is {text!r}; its form is {{{form}}}")
    return addresses, rank


def supervise(argv, args, addresses):
    """Run the worker as a child; start it again when it was killed or has lost another worker."""
    for attempt in range(args.restarts + 1):
        ready, childs_end = os.pipe()
        command = [sys.executable, "-m", "helpers.imagenet", *argv]
        environment = {**os.environ, READY: str(childs_end)}
        child = subprocess.Popen(command, env=environment, pass_fds=[childs_end])
        os.close(childs_end)
        try:
            # A worker that waits for the others inside TensorFlow hears no signal but SIGKILL.
            if not select.select([ready], [], [], 60 * args.wait)[0]:
                print(f"error: not all of {addresses} answered in {args.wait:g} minutes; start all")
                return NO_PEERS
            code = child.wait()
        finally:
            child.kill()
            child.wait()
            os.close(ready)
        if 0 <= code != LOST_PEER:
            return code
        reason = "lost another worker" if code == LOST_PEER else f"was killed by signal {-code}"
        print(f"the worker {reason}; start {attempt + 2} goes on from the last checkpoint")
        time.sleep(1)
    return LOST_PEER


def share(strategy, run):
    """Give every worker the first one's state of the run; refuse if its data or flags differ."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def firsts(value):
        def replica(value):
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group == 0
            return context.all_reduce("SUM", tf.where(first, value, tf.zeros_like(value)))

        return strategy.run(replica, (value,))

    def broadcast(value):
        value = tf.constant(value, None if value.dtype.kind == "f" else tf.float64)
        return strategy.experimental_local_results(firsts(value))[0].numpy()

    state = {"settings": run.settings, "step": run.step, "history": run.history}
    codes = np.frombuffer(json.dumps(state).encode(), np.uint8)
    codes = broadcast(np.pad(codes, (0, 2**18 - len(codes))))
    state = json.loads(bytes(codes[codes > 0].astype(np.uint8)))
    other = [name for name, value in run.settings.items() if state["settings"].get(name) != value]
    if other:
        raise SetupError(f"this worker and the first differ in {', '.join(other)}: make them equal")
    run.step, run.history = state["step"], state["history"]
    for variable in run.variables:
        variable.assign(broadcast(variable.numpy()).astype(variable.numpy().dtype))
