"""A LiteRT network behind HTTP: a service that refuses what it must and watches itself.

    python -m helpers.serve model.tflite --port 8000

``POST /predict`` takes JPEG or PNG files and answers with names and calibrated probabilities;
``/health`` and ``/metrics`` (Prometheus) are for machines, ``/`` is a page to drop a picture on,
``/docs`` says the rest. When the file changes, or on SIGHUP, the new network takes over; requests
that are under way are answered by the old one.

The file is an ordinary LiteRT file with a *card* appended (``bundle``): the names of the classes
and how a picture becomes the network's input, so that this is decided once, where it was trained.

``pictures`` turns files into arrays, ``model`` runs the network, ``engine`` lets requests wait for
it, ``uploads`` reads what strangers send, ``watch`` counts, ``app`` puts them together, ``local``
starts the service inside another program, such as a notebook. No room imports TensorFlow.
"""
