"""Helpers of The ImageNet Moment: what the labs share. Importing this imports no TensorFlow."""
