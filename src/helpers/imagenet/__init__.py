"""Train AlexNet on ImageNet, as its paper did: ``python -m helpers.imagenet --data DIR``.

``find`` says what DIR holds and ``data`` looks at every image in it (``records`` knows TFRecords);
``pixels`` makes of an image what the network sees. ``train`` is the command; ``arguments`` has its
flags, ``steps`` what runs on the devices, ``cluster`` what several workers share. One machine uses
all of its GPUs; for several, start the same command on each with ``TF_CONFIG`` set.
"""
