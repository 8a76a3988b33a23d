"""Federated averaging: the images stay with their owners, only weights travel.

McMahan, Moore, Ramage, Hampson and Agüera y Arcas, "Communication-Efficient Learning of Deep
Networks from Decentralized Data", AISTATS 2017. Importing this needs NumPy only.
"""

import numpy as np

from helpers.networks import check_finite, check_logits, check_precision, checked_examples
from helpers.words import shown


def alike(labels, clients, rng):
    """Shares that look alike: all images are shuffled and dealt out, one client after another.

    labels   (n,) whole numbers;   clients   how many;   rng   a NumPy ``Generator``

    Returns a list of index arrays, one for each client; together they are 0 … n − 1, each once.
    """
    labels = _checked(labels, clients)
    return [np.sort(part) for part in np.array_split(rng.permutation(len(labels)), clients)]


def dirichlet(labels, clients, concentration, rng, least=1):
    """Shares by chance: each class is divided among the clients in proportions that are drawn.

    The proportions of a class come from a symmetric Dirichlet distribution: a small
    ``concentration`` gives most of a class to one client, a large one deals evenly (Yurochkin and
    others, ICML 2019). Drawn anew until each client has ``least`` images.

    Returns a list of index arrays as ``alike`` does. Raises ``ValueError`` if ``concentration`` is
    not positive, or a thousand draws left a client with fewer than ``least`` images.
    """
    labels = _checked(labels, clients)
    if not concentration > 0:
        raise ValueError(f"concentration={shown(concentration)}: it has to be above 0, such as 0.5")
    for _ in range(1000):
        parts = [[] for _ in range(clients)]
        for k in np.unique(labels):
            images = rng.permutation(np.flatnonzero(labels == k))
            share = rng.dirichlet(np.full(clients, float(concentration)))
            cuts = (np.cumsum(share)[:-1] * len(images)).astype(int)
            for part, piece in zip(parts, np.split(images, cuts), strict=True):
                part.append(piece)
        shares = [np.sort(np.concatenate(part)) for part in parts]
        if min(map(len, shares)) >= least:
            return shares
    raise ValueError(
        f"in 1,000 draws some client had fewer than {least} of {len(labels)} images; ask for fewer "
        "clients, a larger concentration or a smaller least"
    )


def by_label(labels, clients, each, rng):
    """Shares of few kinds: each client has images of ``each`` classes only.

    The classes are put in a random order and dealt out like cards, so each class has about as many
    owners as any other; its images are divided evenly among them.

    Returns a list of index arrays as ``alike`` does. Raises ``ValueError`` if there are not so many
    classes, or if a class would belong to nobody.
    """
    labels = _checked(labels, clients)
    classes = rng.permutation(np.unique(labels))
    if not 1 <= each <= len(classes):
        raise ValueError(f"each={shown(each)}: a client has from 1 to {len(classes)} classes")
    if clients * each < len(classes):
        raise ValueError(
            f"{clients} clients with {each} of {len(classes)} classes leave a class to nobody"
        )
    cards = classes[np.arange(clients * each) % len(classes)].reshape(clients, each)
    parts = [[] for _ in range(clients)]
    for k in classes:
        owners = np.flatnonzero((cards == k).any(axis=1))
        pieces = np.array_split(rng.permutation(np.flatnonzero(labels == k)), len(owners))
        for owner, piece in zip(owners, pieces, strict=True):
            parts[owner].append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def average(weights, sizes):
    """The mean of the clients' weights, each counted as often as the client has images (eq. 4).

    weights   one list of arrays for each client, all of the same shapes;   sizes   images of each

    Returns a list of arrays. Raises ``ValueError`` if lists do not fit, nobody has an image or a
    client's weight is NaN or infinite, which would make everybody's so.
    """
    sizes = np.asarray(sizes, np.float64)
    if len(weights) == 0 or sizes.shape != (len(weights),):
        raise ValueError(f"{len(weights)} lists of weights and sizes {sizes.shape}: one for each")
    if not (sizes >= 0).all() or not sizes.sum() > 0:
        raise ValueError(f"sizes are counts of images, not {shown(sizes.tolist())}")
    shapes = [[np.shape(array) for array in one] for one in weights]
    if any(one != shapes[0] for one in shapes):
        raise ValueError("the clients' networks differ in the shapes of their weights")
    for number, arrays in enumerate(weights):
        for array in arrays:
            advice = "leave this client out of the round, or lower its learning rate"
            check_finite(f"what client {number} sent", array, advice)
    share = sizes / sizes.sum()
    return [
        sum(p * np.asarray(array, np.float64) for p, array in zip(share, arrays, strict=True))
        for arrays in zip(*weights, strict=True)
    ]


class Federation:
    """A server, its network, and clients that train it on their own images.

    model    a built Keras network that ends in logits; its weights are those of the server
    images   (n, ...) float32;   labels   (n,) whole numbers
    shares   one index array for each client, as ``alike`` and the others make them
    rate, batch, epochs   of the clients' own plain SGD; ``batch=None`` takes all of its images
    rng      a NumPy ``Generator``: who sees its images in which order
    step     what ``sgd_step(model, rate)`` gave, to compile it once for several federations

    ``run`` makes one round and may be called again. Raises ``ValueError`` for settings that make no
    sense, for an empty share, and for an image in two shares.
    """

    def __init__(self, model, images, labels, shares, rng, *, rate, batch=50, epochs=1, step=None):
        if not rate > 0 or epochs < 1 or (batch is not None and batch < 1):
            raise ValueError(f"rate={rate}, batch={batch}, epochs={epochs}: all are above 0")
        if not model.built:
            raise ValueError(f"{model.name!r} is not built: give it a keras.Input")
        if not shares or min(map(len, shares)) == 0:
            raise ValueError("a client has no image: leave it out")
        flat = np.concatenate(shares)
        if len(np.unique(flat)) < len(flat):
            raise ValueError("an image lies in two shares")
        if flat.min() < 0 or flat.max() >= len(images) or len(images) != len(labels):
            raise ValueError(f"a share points outside of the {len(images)} images and their labels")
        self.model, self.rng, self.shares = model, rng, [np.asarray(s) for s in shares]
        check_precision(model)
        self.images, self.labels = images, checked_examples(model, images, labels)
        check_logits(model, images[:8])
        self.batch, self.epochs = batch, epochs
        self._step = step or sgd_step(model, rate)
        self.rounds = self.bytes_sent = 0

    def local(self, client):
        """The weights that ``client`` sends: it starts from the model's and trains by SGD."""
        share = self.shares[client]
        size = self.batch or len(share)
        for _ in range(self.epochs):
            order = self.rng.permutation(share)
            for start in range(0, len(order), size):
                chosen = order[start : start + size]
                self._step(self.images[chosen], self.labels[chosen])
        return [w.numpy() for w in self.model.weights]

    def run(self, clients=None):
        """One round: the server's weights go to the clients and come back trained, then the mean.

        clients   which take part; by default all. Counts ``rounds`` and ``bytes_sent``.
        """
        clients = range(len(self.shares)) if clients is None else list(clients)
        if not len(clients) or not set(clients) <= set(range(len(self.shares))):
            raise ValueError(f"a round needs clients, from 0 to {len(self.shares) - 1}")
        server = [w.numpy() for w in self.model.weights]
        sent = []
        for client in clients:
            self._set(server)
            sent.append(self.local(client))
        self._set(average(sent, [len(self.shares[c]) for c in clients]))
        self.rounds += 1
        self.bytes_sent += 2 * len(clients) * sum(w.nbytes for w in server)

    def _set(self, arrays):
        for variable, array in zip(self.model.weights, arrays, strict=True):
            variable.assign(array)


def sgd_step(model, rate):
    """A compiled function (images, labels) → one step of plain SGD on the mean loss."""
    import tensorflow as tf

    variables = model.trainable_variables

    @tf.function(reduce_retracing=True)
    def step(images, labels):
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = sum(map(tf.reduce_sum, model.losses), tf.reduce_mean(losses))
        for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
            variable.assign_sub(rate * gradient)

    return step


def bytes_of(model, bits=32):
    """Bytes of a network's weights sent once, at ``bits`` bits each, rounded up."""
    if bits < 1:
        raise ValueError(f"bits={shown(bits)}: at least 1")
    return -(-model.count_params() * bits // 8)


def _checked(labels, clients):
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"labels are (n,) whole numbers, not {labels.dtype} {labels.shape}")
    if not 1 <= clients <= len(labels):
        raise ValueError(f"clients={shown(clients)}: from 1 to the number of images, {len(labels)}")
    return labels
