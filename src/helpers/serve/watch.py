"""What the service knows about itself, in the text format of Prometheus.

Counts of requests and answers, a histogram of seconds, and whether the answers still look as they
did where the network was made: the largest gap between two distributions of confidence (the
statistic of Kolmogorov and Smirnov), beside the bound that one clean window in a hundred exceeds.
"""

import math
import os
from collections import deque

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

WINDOW = 200  # of the last answers, which drift is judged by
KS_AT_ONE_PERCENT = 1.63  # asymptotic; times √(1/n + 1/m)
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # where several workers keep their counts


def gap(sample, reference):
    """The largest distance between the distribution functions of two samples."""
    both = np.sort(np.concatenate([sample, reference]))
    steps = (np.searchsorted(np.sort(s), both, "right") / len(s) for s in (sample, reference))
    return float(np.abs(np.subtract(*steps)).max())


class Watch:
    """The metrics of one process. ``text()`` is what ``/metrics`` answers."""

    def __init__(self, window=WINDOW):
        self.registry = registry = CollectorRegistry()
        self.recent, self.reference = deque(maxlen=window), np.empty(0)
        own = {"registry": registry}
        live = {**own, "multiprocess_mode": "livemax"}
        self.requests = Counter("serve_requests", "Requests to /predict", ["status"], **own)
        self.seconds = Histogram(
            "serve_seconds", "From a request's head to its answer", buckets=SECONDS, **own
        )
        self.answers = Counter("serve_answers", "Pictures answered", ["answer"], **own)
        self.unsure = Counter("serve_unsure", "Answers below the card's threshold", **own)
        self.loads = Counter("serve_loads", "Models that came, or were refused", ["result"], **own)
        self.calls = Gauge("serve_network_calls", "Calls of the network", **live)
        self.waiting = Gauge("serve_waiting", "Requests in the queue", **live)
        self.model = Gauge("serve_model", "The model that serves", ["version", "sha256"], **live)
        self.drift = Gauge(
            "serve_drift_gap", "Largest gap between recent and reference confidences", **live
        )
        self.bound = Gauge(
            "serve_drift_bound", "Gap that one clean window in a hundred exceeds", **live
        )

    def new_model(self, model):
        """Drift is judged against the new model's own reference, from nothing."""
        self.recent.clear()
        self.reference = np.asarray(model.card.reference, np.float64)
        self.model.clear()
        self.model.labels(model.card.version, model.sha256).set(1)
        for name in model.card.classes:  # so that a class that never comes shows as 0
            self.answers.labels(name)
        self.loads.labels("taken").inc()

    def answered(self, names, probabilities, unsure):
        for name in names:
            self.answers.labels(name).inc()
        self.unsure.inc(int(np.sum(unsure)))
        self.recent.extend(map(float, probabilities))

    def text(self, engine):
        self.waiting.set(engine.waiting)
        self.calls.set(engine.calls)
        full = len(self.recent) == self.recent.maxlen
        if full and len(self.reference):
            self.drift.set(gap(np.array(self.recent), self.reference))
            share = 1 / len(self.recent) + 1 / len(self.reference)
            self.bound.set(KS_AT_ONE_PERCENT * math.sqrt(share))
        if SHARED not in os.environ:
            return generate_latest(self.registry)
        from prometheus_client import multiprocess

        together = CollectorRegistry()  # of all workers
        multiprocess.MultiProcessCollector(together)
        return generate_latest(together)
