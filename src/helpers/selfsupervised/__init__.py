"""Learning from images without labels (lab 8), a room per thing:

``views``     random changes of an image that should not change what it is
``losses``    what pulls two views of one image together, and what keeps all images apart
``learning``  the small encoder, the tasks that it learns from, and the loop
``reading``   what was learned: features, HOG, a linear probe, a meter for collapse, the split
``table``     the runs of ``tools/measure_selfsupervision.py``

``reading`` and ``table`` import no TensorFlow.
"""
