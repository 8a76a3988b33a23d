"""Pruning, weight sharing and entropy coding: one small file that decodes into a Keras model.

Han, Mao and Dally, "Deep Compression" (2016): remove most weights (``pruning``), let the rest share
a few values (``sharing``), code positions and values by how often they occur (``codes``), and write
all of it to one file (``writing``, ``reading``; ``layout`` has what both must agree on).
Or remove whole channels (``channels``).
"""

from helpers.compression.channels import inherit, strongest
from helpers.compression.layout import PackedFileError
from helpers.compression.pruning import GradualPruning, cubic_sparsity, prune
from helpers.compression.reading import unpack
from helpers.compression.sharing import kmeans, round_for_storage, share
from helpers.compression.ties import Tied, kernels
from helpers.compression.writing import pack

__all__ = [
    "GradualPruning",
    "PackedFileError",
    "Tied",
    "cubic_sparsity",
    "inherit",
    "kernels",
    "kmeans",
    "pack",
    "prune",
    "round_for_storage",
    "share",
    "strongest",
    "unpack",
]
