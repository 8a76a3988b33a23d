"""Train AlexNet on ImageNet, as its paper did: ``python -m helpers.imagenet --data DIR``.

``data`` says what DIR holds and reads it; ``train`` is the command. One machine uses all of its
GPUs; for several, start the same command on each with ``TF_CONFIG`` set.
"""
