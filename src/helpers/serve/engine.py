"""Where requests wait for the network: a bounded queue, a few threads, small batches.

A thread takes what is waiting, up to a batch, and never waits for more to come: alone, a request is
answered at once; under load, several share one call. A job keeps the model that its pictures were
prepared for, so a new model may come at any time.
"""

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from helpers.serve.pictures import Refused

STOP = object()


@dataclass
class Job:
    images: np.ndarray
    model: object
    future: Future = field(default_factory=Future)


class Engine:
    """``submit(images, model)`` gives a ``Future`` of (n, classes) logits.

    threads   that run networks, each with interpreters of its own
    batch     images at most in one call; 1 turns batching off
    waiting   requests at most in the queue; one more is ``Refused`` with 429
    """

    def __init__(self, threads=1, batch=8, waiting=64):
        self.batch, self._queue = int(batch), queue.Queue(int(waiting))
        self._lock, self._closed = threading.Lock(), False
        self.calls = self.images = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"network-{k}", daemon=True)
            for k in range(int(threads))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self):
        return self._queue.qsize()

    def submit(self, images, model):
        job = Job(images, model)
        with self._lock:  # nothing may enter behind the STOPs
            if self._closed:
                raise Refused(503, "The service is stopping.", {"Retry-After": "5"})
            try:
                self._queue.put_nowait(job)
            except queue.Full:
                raise Refused(
                    429, "Too many requests are waiting; try again.", {"Retry-After": "1"}
                ) from None
        return job.future

    def close(self):
        """Answer what is waiting, then stop."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for _ in self._threads:
            self._queue.put(STOP)
        for thread in self._threads:
            thread.join()

    def _work(self):
        kept = None  # taken from the queue, but for the next call
        while True:
            job, kept = kept or self._queue.get(), None
            if job is STOP:
                return
            jobs, size = [job], len(job.images)
            while size < self.batch:
                try:
                    other = self._queue.get_nowait()
                except queue.Empty:
                    break
                fits = other is not STOP and other.model is job.model
                if not fits or size + len(other.images) > self.batch:
                    kept = other
                    break
                jobs.append(other)
                size += len(other.images)
            self._run(jobs)

    def _run(self, jobs):
        jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
        if not jobs:
            return
        try:
            logits = jobs[0].model.logits(np.concatenate([job.images for job in jobs]))
        except BaseException as error:  # whatever a network does, its thread goes on
            for job in jobs:
                told = error if isinstance(error, Exception) else RuntimeError(repr(error))
                job.future.set_exception(told)
            return
        self.calls, self.images = self.calls + 1, self.images + len(logits)
        ends = np.cumsum([len(job.images) for job in jobs])
        for job, part in zip(jobs, np.split(logits, ends[:-1]), strict=True):
            job.future.set_result(part)
