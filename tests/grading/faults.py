"""Submissions of every kind of fault, with what each must be graded: ``KINDS`` and ``make``.

A kind is a function: student -> (end of the file's name, bytes, names of the lost questions).
"""

import io
import json
import zipfile

from grading import notebooks as nb
from grading.toy import ASSIGNMENT

ALL = {*nb.QUESTIONS, ASSIGNMENT.number}
RELU, POOL, BIAS = nb.QUESTIONS
NUMBER = ASSIGNMENT.number
KINDS = {}


def kind(fn):
    KINDS[fn.__name__] = fn
    return fn


def _book(student, lost=(), **changed):
    return "a2.ipynb", nb.right(student, **changed).encode(), set(lost)


def _with(student, *sources, lost=(), first=False):
    """A right notebook with more code cells, before the functions or after them."""
    found = nb.cells(student)
    place = 2 if first else len(found)
    more = [("code", source) for source in sources]
    return "a2.ipynb", nb.notebook(found[:place] + more + found[place:]).encode(), set(lost)


def _simple(name, lost=(), **changed):
    KINDS[name] = lambda student: _book(student, lost, **changed)


def _after(name, *sources, lost=(), first=False):
    KINDS[name] = lambda student: _with(student, *sources, lost=lost, first=first)


def _zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


STUB = '"""To be written."""\n    ...\n'
LOOPS = """\
def relu_backward(da, z):
    out = []
    for d, v in zip(da.ravel(), z.ravel()):
        at_zero = {"nothing": 0.0, "all": d, "half": d / 2}[CHOICES["zero"]]
        out.append(d if v > 0 else at_zero if v == 0 else 0.0)
    return np.array(out).reshape(z.shape)
"""
_simple("right")
_simple("right_in_loops", relu_backward=LOOPS)
_simple("one_unwritten", [RELU], relu_backward=f"def relu_backward(da, z):\n    {STUB}")
_simple(
    "none_written", ALL, my_number="",
    number=f"{NUMBER} = ...\n", answer="<!-- answer: ties -->\n",
    **{n: f"def {n}(*a):\n    {STUB}" for n in nb.QUESTIONS},
)  # fmt: skip
_simple(
    "half_written",
    [RELU],
    relu_backward="def relu_backward(da, z):\n    mask = ...\n    return da * mask\n",
)
_simple("wrong_sign", [RELU], relu_backward=nb.RIGHT[RELU].replace("return da", "return -da"))
_simple("comparison", [RELU], relu_backward="def relu_backward(da, z):\n    return da * (z < 0)\n")
_simple("float32", [BIAS], bias_gradient=nb.RIGHT[BIAS] + "_b = bias_gradient\n"
        "def bias_gradient(dz):\n    return _b(dz).astype(np.float32)\n")  # fmt: skip
_simple("one_row", [BIAS], bias_gradient=nb.RIGHT[BIAS] + "_b = bias_gradient\n"
        "def bias_gradient(dz):\n    return _b(dz)[None]\n")  # fmt: skip
_simple("list_returned", [BIAS], bias_gradient=nb.RIGHT[BIAS] + "_b = bias_gradient\n"
        "def bias_gradient(dz):\n    return _b(dz).tolist()\n")  # fmt: skip
_simple("rounded", [BIAS], bias_gradient=nb.RIGHT[BIAS] + "_b = bias_gradient\n"
        "def bias_gradient(dz):\n    return np.round(_b(dz), 3)\n")  # fmt: skip
_simple("no_return", [RELU], relu_backward="def relu_backward(da, z):\n    dz = da * (z > 0)\n")
_simple("printed", [RELU], relu_backward="def relu_backward(da, z):\n    print(da * (z > 0))\n")
_simple("input_changed", [RELU], relu_backward=nb.RIGHT[RELU] + "_r = relu_backward\n"
        "def relu_backward(da, z):\n    da[...] = _r(da, z)\n    return da\n")  # fmt: skip
_simple(
    "syntax_error", [POOL], max_pool_backward="def max_pool_backward(da, x, size)\n    return x\n"
)
_simple(
    "indentation",
    [POOL],
    max_pool_backward="def max_pool_backward(da, x, size):\n   a = 1\n  return a\n",
)
_simple(
    "name_error", [POOL], max_pool_backward="def max_pool_backward(da, x, size):\n    return dxx\n"
)
_simple(
    "index_error",
    [POOL],
    max_pool_backward="def max_pool_backward(da, x, size):\n    return x[99]\n",
)
_simple("endless_function", [POOL], max_pool_backward="def max_pool_backward(da, x, size):\n"
        "    while True:\n        pass\n")  # fmt: skip
_simple("exit_in_function", [POOL], max_pool_backward="import os\n\n\n"
        "def max_pool_backward(da, x, size):\n    os._exit(0)\n")  # fmt: skip
_simple("endless_recursion", [POOL], max_pool_backward="def max_pool_backward(da, x, size):\n"
        "    return max_pool_backward(da, x, size)\n")  # fmt: skip
_simple("too_much_memory", [POOL], max_pool_backward="def max_pool_backward(da, x, size):\n"
        "    return np.ones((10**6, 10**6))\n")  # fmt: skip
_simple("package_in_function", [POOL], max_pool_backward="def max_pool_backward(da, x, size):\n"
        "    import tensorflow as tf\n    return tf.zeros(x.shape).numpy()\n")  # fmt: skip
_simple("misspelt", [POOL], max_pool_backward=nb.RIGHT[POOL].replace("def max_pool", "def maxpool"))
_simple("cell_deleted", [POOL], max_pool_backward="")
_simple(
    "class_instead",
    [BIAS],
    bias_gradient="class bias_gradient:\n    def __init__(self, dz):\n        pass\n",
)
_simple(
    "generator", [BIAS], bias_gradient="def bias_gradient(dz):\n    yield dz.sum(axis=(0, 1, 2))\n"
)
_simple("lambda_given", bias_gradient="bias_gradient = lambda dz: "
        "getattr(dz, CHOICES['reduce'])(axis=(0, 1, 2))\n")  # fmt: skip
_simple("defined_in_if", bias_gradient="if True:\n    for _ in range(2):\n"
        + "".join(f"        {line}\n" for line in nb.RIGHT[BIAS].splitlines()))  # fmt: skip
_simple(
    "noisy_function",
    bias_gradient=nb.RIGHT[BIAS].replace("    flat", "    print('x' * 10**6)\n    flat", 1),
)
_simple("number_missing", [NUMBER], number="")
_simple("number_wrong", [NUMBER], number=f"{NUMBER} = 3.14\n")
_simple("number_as_text", [NUMBER], number=f"{NUMBER} = str(mine.values.sum())\n")
_simple("number_as_array", [NUMBER], number=f"{NUMBER} = np.maximum(mine.values, 0)\n")
_simple("answer_place_gone", answer="Ties decide who learns.")
_simple("no_answer", answer="<!-- answer: ties -->\n")
_after(
    "plot",
    "import matplotlib.pyplot as plt\nfig, (a, b) = plt.subplots(1, 2)\na.plot([1])\nplt.show()",
)
_after("exception_at_top", "1 / 0", "undefined_name", first=True)
_after("endless_at_top", "while True:\n    pass", first=True)
_after("sleeps_at_top", "import time\ntime.sleep(10**6)", first=True)
_after("exit_at_top", "import os\nos._exit(1)", "import sys\nsys.exit()", "quit()", first=True)
_after("crash_at_top", "import ctypes\nctypes.string_at(0)", first=True)
_after(
    "missing_package", "import pandas as pd\nimport torch, cv2", "df = pd.DataFrame()", first=True
)
_after("magics", "%matplotlib inline\n!pip install numpy\nx = 1\n?x\nfiles = !ls", first=True)
_after("cell_magics", "%%bash\nls -l | wc", "%%time\ny = 2", "%%html\n<b>x</b>", first=True)
_after("asks", "name = input('Your name? ')", first=True)
_after(
    "own_tests", f"assert {RELU}(np.ones(2), np.ones(2)).sum() == 99", "raise SystemExit('done')"
)
_after("names_shadowed", "list = sum = max = len = 3\nprint = None\nnp.seterr(all='raise')",
       lost=[], first=True)  # fmt: skip
_after("numpy_lost", "np = None", lost=[RELU, POOL][1:])
_after("duplicate_stub", f"def {RELU}(da, z):\n    {STUB}")
_after("duplicate_wrong", f"def {RELU}(da, z):\n    return da\n", lost=[RELU])
_after("deleted_again", f"del {RELU}", lost=[RELU])
_after("other_value", f"{RELU} = 3", lost=[RELU])
_after("nested_source", "(" * 5000 + ")" * 5000, "-" * 50_000 + "1", first=True)
_after("long_sum", "total = " + "+".join(["1"] * 50_000), first=True)
_after("much_output", "for i in range(300):\n    print('x' * 100_000)", first=True)
_after(
    "writes_files",
    "open('mine.txt', 'w').write('x')\nnp.save('/root/x.npy', np.ones(3))",
    first=True,
)


@kind
def no_name(student):
    """Its variants are those of the school's name."""
    return "a2.ipynb", nb.right("").encode(), None


@kind
def metadata_stripped(student):
    book = json.loads(nb.right(student))
    cells = [{"cell_type": c["cell_type"], "source": "".join(c["source"])} for c in book["cells"]]
    return "a2.ipynb", json.dumps({"cells": cells}).encode(), set()


@kind
def format_three(student):
    cells = [
        {"cell_type": "code", "input": text}
        if what == "code"
        else {"cell_type": what, "source": text}
        for what, text in nb.cells(student)
    ]
    return "a2.ipynb", json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3}).encode(), set()


@kind
def with_mark(student):
    return "a2.ipynb", b"\xef\xbb\xbf" + nb.right(student).encode(), set()


@kind
def utf_16(student):
    return "a2.ipynb", nb.right(student).encode("utf-16"), set()


@kind
def windows_lines(student):
    found = [(what, text.replace("\n", "\r\n")) for what, text in nb.cells(student)]
    return "a2.ipynb", nb.notebook(found).encode(), set()


@kind
def named_txt(student):
    return "a2.ipynb.txt", nb.right(student).encode(), set()


@kind
def odd_file_name(student):
    return "作业 2 – final (really) (1).ipynb", nb.right(student).encode(), set()


@kind
def handed_in_again(student):
    return "a2-3.ipynb", nb.right(student).encode(), set()


@kind
def as_python(student):
    code = [text for what, text in nb.cells(student) if what == "code"]
    return "a2.py", "\n\n# In[ ]:\n\n".join(code).encode(), set()


@kind
def empty(student):
    return "a2.ipynb", b"", ALL


@kind
def zeros(student):
    return "a2.ipynb", bytes(4096), ALL


@kind
def cut_off(student):
    return "a2.ipynb", nb.right(student).encode()[:1500], ALL


@kind
def pdf(student):
    return "a2.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3 nothing", ALL


@kind
def pdf_named_notebook(student):
    return "a2.ipynb", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3 nothing", ALL


@kind
def web_page(student):
    return "a2.ipynb", b"<!DOCTYPE html><html><body>a2</body></html>", ALL


@kind
def conflict(student):
    text = nb.right(student).replace(' "cells"', '<<<<<<< HEAD\n "cells"')
    return "a2.ipynb", text.encode(), ALL


@kind
def nested_json(student):
    return "a2.ipynb", b"[" * 200_000, ALL


@kind
def no_cells(student):
    return "a2.ipynb", b'{"cells": 3, "nbformat": 4}', ALL


@kind
def strange_cells(student):
    book = json.loads(nb.right(student))
    book["cells"] += [None, 3, {"cell_type": "code"}, {"cell_type": "code", "source": [1, None]}]
    book["cells"].append({"cell_type": "code", "source": "bad = '\ud800'"})
    return "a2.ipynb", json.dumps(book).encode(), set()


@kind
def zipped(student):
    files = {
        "a2/a2.ipynb": nb.right(student),
        "__MACOSX/._a2.ipynb": b"\0\5\x16\7",
        "a2/x.png": b"\x89PNG",
    }
    return "a2.zip", _zipped(files), set()


@kind
def zip_in_zip(student):
    return "a2.zip", _zipped({"b.zip": _zipped({"c/a2.ipynb": nb.right(student)})}), set()


@kind
def zip_matryoshka(student):
    data = nb.right(student).encode()
    for depth in range(8):
        data = _zipped({f"{depth}.zip" if depth else "a2.ipynb": data})
    return "a2.zip", data, ALL


@kind
def zip_bomb(student):
    return "a2.zip", _zipped({"a2.ipynb": bytes(80 * 2**20)}), ALL


@kind
def zip_slip(student):
    return "a2.zip", _zipped({"../../../../tmp/attacked-by-zip.ipynb": nb.right(student)}), set()


@kind
def broken_zip(student):
    return "a2.zip", _zipped({"a2.ipynb": nb.right(student)})[:-60], ALL


@kind
def another_assignment(student):
    return "a1.ipynb", nb.notebook([("code", "def top_k(x):\n    return x")]).encode(), ALL


ATTACKS = {"zip_bomb", "zip_slip", "zip_matryoshka", "nested_json", "nested_source"}


def make(name, student, number, late=False):
    """(name of the file as Canvas gives it, bytes, lost) of one submission."""
    end, data, lost = KINDS[name](student)
    who = "".join(c for c in student.lower() if c.isalnum())
    if lost is None:  # graded as the school's name says
        lost = _by_name(who)
    return f"{who}_{'LATE_' if late else ''}{number}_{number + 500_000}_{end}", data, set(lost)


def _by_name(who):
    """What a notebook with the choices of the name "" loses when it is graded as another's."""
    theirs, own = ASSIGNMENT.variants(nb.KEY, who), ASSIGNMENT.variants(nb.KEY, "")
    return {name for name in theirs if theirs[name] != own[name]}
