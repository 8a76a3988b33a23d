"""What the interactive figures need from the labs: ``DATA[name]()`` gives values and files.

The values travel in the page as JSON; the files are what they were read from, so that the page is
made anew when one of them changes. Nothing here is typed: measured numbers come from the labs'
stored outputs. A lab that no longer has what a figure needs is a ``LookupError``.
"""

DATA = {}


def data_of(name):
    """Decorator: the function makes the data of the figure ``name``."""

    def register(function):
        DATA[name] = function
        return function

    return register
