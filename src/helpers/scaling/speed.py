"""Seconds a step with several workers: a share of the computing, and what a ring has to send."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Speed:
    """Two parameters, both in seconds a step.

    compute   for all images of the batch on one core
    send      to send the whole gradient once
    cores     that the workers share: more workers than cores compute no faster
    """

    compute: float
    send: float
    cores: int = 1_000_000

    def seconds(self, workers):
        """A ring sends the gradient 2 (V − 1) / V times through each of its links."""
        ring = 2 * (workers - 1) / workers
        return self.compute / min(workers, self.cores) + self.send * ring


def fit(one, two, cores):
    """``Speed`` from the seconds a step of one worker and of two."""
    alone = Speed(one, 0.0, cores).seconds(2)
    return Speed(one, max(0.0, two - alone), cores)
