"""Helpers of The ImageNet Moment: what the labs share. Importing this imports no TensorFlow."""

__version__ = "0.1.0"
