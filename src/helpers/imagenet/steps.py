"""One step of training and one of measuring, on all devices, and the devices themselves."""

import os

from helpers.imagenet.cluster import READY


def start(args, workers):
    """The distribution strategy for the devices that there are; sets seed and precision."""
    import keras
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    keras.utils.set_random_seed(args.seed)
    if args.deterministic or not gpus:
        tf.config.experimental.enable_op_determinism()
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    # Fast float16 came with compute capability 7.0, bfloat16 with 8.0.
    able = min([each.get("compute_capability", (0, 0)) for each in details], default=(0, 0))
    fast = "mixed_bfloat16" if able >= (8, 0) else "mixed_float16" if able >= (7, 0) else "float32"
    keras.config.set_dtype_policy(fast if args.precision == "auto" else args.precision)
    if workers > 1:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        os.write(int(os.environ[READY]), b"1")
        return strategy
    devices = tf.config.list_logical_devices("GPU" if gpus else "CPU")
    many = len(devices) > 1
    return tf.distribute.MirroredStrategy(devices) if many else tf.distribute.get_strategy()


def sums(probabilities, labels, weights):
    """Sums over a batch of cross-entropy, top-1 hits, top-5 hits and examples, float64 (4,).

    probabilities (n, classes), labels (n,), weights (n,): 0 for rows that only fill the batch
    """
    import tensorflow as tf

    chosen = tf.gather(probabilities, labels[:, None], axis=1, batch_dims=1)[:, 0]
    top1, top5 = (
        tf.cast(tf.math.in_top_k(labels, probabilities, min(k, probabilities.shape[-1])), "float")
        for k in (1, 5)
    )
    parts = [-tf.math.log(tf.maximum(chosen, 1e-30)), top1, top5, tf.ones_like(top1)]
    return tf.stack([tf.reduce_sum(tf.cast(part * weights, tf.float64)) for part in parts])


def compiled_steps(strategy, model, optimizer, batch, seed):
    """``update(step, images, labels, weights)`` and ``measure(ten, images, labels, weights)``: both
    return the ``sums`` over the batch."""
    import keras
    import tensorflow as tf

    from helpers.imagenet.pixels import crops

    dropouts = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    # float16 loses gradients below 6e-8, so the loss is scaled up and the gradients down again.
    scale = 1024.0 if keras.config.dtype_policy().compute_dtype == "float16" else 1.0

    def update(step, images, labels, weights):
        # Dropout that follows from (seed, step, device) leaves no state to save or to share.
        device = tf.distribute.get_replica_context().replica_id_in_sync_group
        number = step * strategy.num_replicas_in_sync + device
        seeds = [tf.cast([seed + i, number], tf.uint32) for i in range(len(dropouts))]
        states = [(d.seed_generator.state, s) for d, s in zip(dropouts, seeds, strict=True)]
        with tf.GradientTape() as tape:
            with keras.StatelessScope(state_mapping=states):
                logits = tf.cast(model(images, training=True), tf.float32)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_sum(losses) / batch * scale
        gradients = tape.gradient(loss, model.trainable_variables)
        if scale != 1:  # an entry that overflowed sits this step out
            gradients = [tf.where(tf.math.is_finite(g), g / scale, 0.0) for g in gradients]
        optimizer.apply(gradients, model.trainable_variables)
        return sums(tf.nn.softmax(logits), labels, weights)

    def measure(ten, images, labels, weights):
        views = [tf.cast(model(view, training=False), tf.float32) for view in crops(images, ten)]
        mean = tf.add_n([tf.nn.softmax(logits) for logits in views]) / len(views)
        return sums(mean, labels, weights)

    def over_devices(function):
        def run(first, *part):
            return strategy.reduce("SUM", strategy.run(function, (first, *part)), axis=None)

        return tf.function(run, reduce_retracing=True)

    return over_devices(update), over_devices(measure)
