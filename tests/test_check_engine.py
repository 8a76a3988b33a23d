"""The engine of ``helpers.check``: whatever a reader's function does, one clear line comes out."""

import linecache
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from helpers import check
from helpers.check import engine, hints
from helpers.check.compare import describe, difference, same
from helpers.check.engine import Check, case, placeholder
from helpers.check.run import KEPT, Opaque, Rng, freeze, run
from helpers.check.testing import mutants, survivors, verify


def double(x):
    return 2.0 * x


def double_cases(rng):
    yield case("x = [1, 2]", np.array([1.0, 2.0]))
    yield case("x 2×3", rng.normal(size=(2, 3)))


DOUBLE = Check("double", double, double_cases, {"it is added": lambda x: x + 2})
SUM = Check("sum", lambda x: x.sum(), double_cases)
PAIR = Check("pair", lambda x: (x + 1, x.sum()), double_cases, returns=("up", "total"))


@pytest.fixture(autouse=True)
def empty_state(monkeypatch):
    monkeypatch.setattr(engine, "STATE", {})


def sentence(fn, one=DOUBLE, **options):
    verdict = one.verdict(fn, **options)
    assert verdict.status == "wrong"
    return verdict.sentence


def test_right_is_handed_back_and_wrong_replaced(capsys):
    right, wrong = lambda x: x + x, lambda x: x + 3
    assert DOUBLE(right) is right
    assert DOUBLE(wrong) is double
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "✓ double: right in all 2 cases"
    assert out[1].startswith("✗ double: case 1 of 2, x = [1, 2]: at [0] came 4, expected 2")
    assert len(out) == 2


def test_stub(capsys):
    def stub(x):
        """With a docstring."""
        ...

    assert DOUBLE(stub) is double
    assert capsys.readouterr().out.startswith("· double: not written yet")


def stub_pass(x):
    pass


def stub_return(x):
    return ...


def stub_line(x):
    y = np.zeros(x.shape)
    for i in range(len(x)):
        y[i] = ...
    return y


def stub_statement(x):
    y = np.zeros(x.shape)
    for _ in x:
        ...  # add the value twice
    return y


def stub_raises(x):
    raise NotImplementedError


def stub_pair(x):
    total = ...
    return x, total


@pytest.mark.parametrize(
    "stub", [stub_pass, stub_return, stub_line, stub_statement, stub_raises, stub_pair]
)
def test_every_kind_of_stub_is_not_written_yet(stub):
    assert DOUBLE.verdict(stub).status == "unwritten"


def test_a_stub_names_the_line_that_is_missing():
    line = stub_line.__code__.co_firstlineno + 3
    assert f"`...` still stands in line {line}" in DOUBLE.verdict(stub_line).sentence


def test_an_ellipsis_in_an_index_is_no_stub():
    def wrong(x):
        y = x.copy()
        y[..., 0] = 7
        y[...] += 1
        return y

    assert placeholder(wrong) == ""
    assert DOUBLE.verdict(wrong).status == "wrong"


def test_dots_that_were_left_behind_do_not_harm_a_right_function():
    def right(x):
        ...
        return 2 * x

    assert DOUBLE.verdict(right).status == "right"


def test_running_the_line_again_does_not_call_the_books_function_the_readers(capsys):
    handed = DOUBLE(stub_pass)
    DOUBLE(handed)
    assert "✓" not in capsys.readouterr().out
    assert engine.STATE["double"].status == "unwritten"


def test_wrong_types():
    assert "a list of 2 came, a float64 array of shape (2,) expected" in sentence(
        lambda x: [2.0, 4.0]
    )
    assert "None (is the `return` missing?) came" in sentence(lambda x: None)
    assert "the number 3 came" in sentence(lambda x: 3)
    assert "a generator" in sentence(lambda x: (v for v in x))
    assert "a set came" in sentence(lambda x: set(x))
    assert "array of dtype object came" in sentence(lambda x: np.array([None, 1], object))
    assert "a MaskedArray came" in sentence(lambda x: np.ma.array(2 * x))
    assert "a float64 array of shape (2,) came, the number 3 expected" in sentence(lambda x: x, SUM)
    assert DOUBLE.verdict("text").sentence.startswith("'text' came, a function expected")


def test_wrong_dtypes():
    assert "dtype int64 came, float64 expected" in sentence(lambda x: (2 * x).astype(np.int64))
    found = sentence(lambda x: (2 * x).astype(np.float32))
    assert found.endswith("dtype float32 came, float64 expected (keep the input's precision)")
    assert "(was the result made of whole numbers?)" in sentence(lambda x: int(x.sum()), SUM)
    assert "dtype complex128 came" in sentence(lambda x: 2 * x + 0j)
    assert "dtype bool came" in sentence(lambda x: x > 0)


def test_nothing_broadcasts():
    assert "shape (1, 2) came" in sentence(lambda x: 2 * x[None])
    assert "the number 2 came" in sentence(lambda x: 2.0)
    assert "shape (1,) came" in sentence(lambda x: x.sum(keepdims=True).ravel(), SUM)
    assert "shape (2, 1) came" in sentence(lambda x: 2 * x[:, None])


class EqualToEverything:
    shape, dtype, ndim = (2,), np.dtype(float), 1

    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0

    def __float__(self):
        return 0.0

    def __array__(self, *args, **kwargs):
        raise AssertionError("the reader's code was called while comparing")


class EqualArray(np.ndarray):
    def __eq__(self, other):
        return np.ones(self.shape, bool)

    __array_ufunc__ = None


def test_objects_that_are_equal_to_everything():
    assert "an EqualToEverything came" in sentence(lambda x: EqualToEverything())
    assert "an EqualArray came" in sentence(lambda x: np.zeros(2).view(EqualArray))
    assert "part" not in sentence(lambda x: EqualToEverything(), PAIR)


def test_not_a_number():
    assert "at [1] came nan, expected 4" in sentence(lambda x: np.array([2.0, np.nan]))
    assert "came inf" in sentence(lambda x: x / 0)
    assert "came nan, expected 3" in sentence(lambda x: float("nan"), SUM)


def test_nan_where_nan_is_expected():
    root = Check("root", lambda x: np.array([np.nan, np.inf]), double_cases)
    assert root.verdict(lambda x: np.array([np.nan, np.inf])).status == "right"
    assert root.verdict(lambda x: np.array([np.inf, np.nan])).status == "wrong"
    assert root.verdict(lambda x: np.array([np.nan, -np.inf])).status == "wrong"


def test_an_exception_names_the_readers_line():
    def wrong(x):
        y = np.zeros(2)
        return y[5]

    line = wrong.__code__.co_firstlineno + 2
    found = sentence(wrong)
    assert "IndexError: index 5 is out of bounds for axis 0 with size 2" in found
    assert found.endswith(f", in line {line}, `return y[5]`")


def test_an_exception_in_numpy_names_the_readers_line():
    def wrong(x):
        return np.concatenate([x, np.zeros((2, 2, 2))])

    assert "`return np.concatenate(" in sentence(wrong)
    assert "helpers" not in sentence(wrong) and "Traceback" not in sentence(wrong)


def test_an_exception_in_a_cell_names_the_cells_line():
    source = "def wrong(x):\n    y = x + 1\n    return undefined + y\n"
    name = "<ipython-input-7-abc>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    scope = {}
    exec(compile(source, name, "exec"), scope)
    found = sentence(scope["wrong"])
    assert found.endswith("'undefined' is not defined, in line 3, `return undefined + y`")


def test_too_few_and_too_many_arguments():
    assert "TypeError" in sentence(lambda: 1)
    assert "takes 1 positional" not in sentence(lambda x, y: 1)
    assert "missing 1 required positional argument: 'y'" in sentence(lambda x, y: 1)


def exits(x):
    sys.exit(3)


def recurses(x):
    return recurses(x)


def raises_base(x):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("fn", "text"),
    [(exits, "SystemExit: 3"), (recurses, "RecursionError"), (raises_base, "KeyboardInterrupt")],
)
def test_exceptions_of_every_kind(fn, text):
    assert text in sentence(fn)


def endless(x):
    while True:
        pass


def endless_that_catches(x):
    while True:
        try:
            x = x + 1
        except Exception:
            x = 0


def endless_printing(x):
    while True:
        print("x" * 1000)


@pytest.mark.parametrize("fn", [endless, endless_that_catches, endless_printing])
def test_an_endless_loop_ends_and_its_thread_too(fn, capfd):
    before, start = threading.active_count(), time.monotonic()
    assert "not done after 0.3 s: an endless loop" in sentence(fn, seconds=0.3)
    assert time.monotonic() - start < 1.5
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert threading.active_count() == before
    assert capfd.readouterr() == ("", "")


def test_a_loop_that_catches_everything_cannot_hold_up_the_notebook():
    stop = threading.Event()

    def stubborn(x):
        while not stop.is_set():
            try:
                while not stop.is_set():
                    pass
            except BaseException:
                pass

    start = time.monotonic()
    found = sentence(stubborn, seconds=0.2)
    stop.set()
    assert time.monotonic() - start < 2.5
    assert "not done after 0.2 s" in found


def test_sleep_does_not_hold_up_the_notebook():
    start = time.monotonic()
    found = sentence(lambda x: time.sleep(4), seconds=0.2)
    assert time.monotonic() - start < 2.5
    assert "restart the kernel" in found


def test_the_time_is_for_all_cases_together():
    def slow(x):
        time.sleep(0.3)
        return 2 * x

    assert "case 2 of 2" in sentence(slow, seconds=0.45)


def test_works_outside_of_the_main_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(DOUBLE.verdict(endless, seconds=0.2)))
    thread.start()
    thread.join(5)
    assert found and found[0].status == "wrong"


def test_an_interrupt_stops_the_readers_function(monkeypatch):
    def interrupted(self, timeout=None):
        monkeypatch.undo()
        raise KeyboardInterrupt

    before = threading.active_count()
    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        DOUBLE.verdict(endless)
    time.sleep(0.1)
    assert threading.active_count() == before


def test_printing_megabytes_is_cut(capsys):
    def loud(x):
        for _ in range(200):
            print("spam" * 3000)
        print("noise" * 1000, file=sys.stderr)
        return x

    assert DOUBLE(loud) is double
    shown = capsys.readouterr()
    assert len(shown.out) < 3 * KEPT and "In this case it printed:" in shown.out
    assert shown.err == ""


def test_printing_is_shown_for_the_case_that_fails_only(capsys):
    def talks(x):
        print("shape", x.shape)
        return 2 * x if x.ndim == 1 else x

    DOUBLE(talks)
    out = capsys.readouterr().out
    assert "shape (2, 3)" in out and "shape (2,)" not in out


def test_right_functions_are_quiet(capsys):
    DOUBLE(lambda x: (print("hello"), 2 * x)[1])
    assert "hello" not in capsys.readouterr().out


def test_changing_the_input_is_told():
    def doubles_in_place(x):
        x *= 2
        return x

    assert "its argument number 1 was changed; work on a copy" in sentence(doubles_in_place)


def test_adding_and_taking_away_a_small_step_is_no_change():
    def right(x):
        x[0] += 1e-5
        x[0] -= 1e-5
        return 2 * x

    assert DOUBLE.verdict(right).status == "right"


def test_the_cases_are_not_spoiled_by_the_one_before():
    cases = DOUBLE.draw(0)
    before = [c.args[0].copy() for c in cases]
    run(lambda x: x.fill(0), cases)
    assert all((a == c.args[0]).all() for a, c in zip(before, cases, strict=True))


def test_a_view_of_the_input_where_it_matters():
    same_again = Check("again", lambda x: x.copy(), double_cases, fresh=True)
    assert "view of) the input" in sentence(lambda x: x, same_again)
    assert "view of) the input" in sentence(lambda x: x[:], same_again)
    assert same_again.verdict(lambda x: np.array(x)).status == "right"
    lenient = Check("again", lambda x: x.copy(), double_cases)
    assert lenient.verdict(lambda x: x).status == "right"


def test_tuples_name_their_parts():
    assert PAIR.verdict(lambda x: (x + 1, x.sum())).status == "right"
    assert PAIR.verdict(lambda x: [x + 1, float(x.sum())]).status == "right"
    assert "total: came 4, expected 3" in sentence(lambda x: (x + 1, x.sum() + 1), PAIR)
    found = sentence(lambda x: x + 1, PAIR)
    assert "a float64 array of shape (2,) came, a tuple of 2: (up, total) expected" in found
    assert "a tuple of 3 came" in sentence(lambda x: (x, x, x), PAIR)


def test_mistakes_and_slips_are_named():
    assert sentence(lambda x: x + 2).endswith("It looks as if it is added")
    assert sentence(lambda x: 6 * x).endswith("everything is 3 times what it should be")
    assert sentence(lambda x: -2 * x).endswith("the sign is wrong")
    assert sentence(lambda x: 2 * x - 0.5).endswith("everything is 0.5 too small")
    matrix = Check("matrix", lambda x: np.arange(6.0).reshape(2, 3), double_cases)
    turned = sentence(lambda x: np.arange(6.0).reshape(2, 3).T, matrix)
    assert turned.endswith("rows and columns are exchanged")
    flat = sentence(lambda x: np.arange(6.0), matrix)
    assert flat.endswith("the values are right, only their shape is not")


def test_a_mistake_is_named_only_if_it_explains_every_case():
    def both(x):
        return x + 2 if x.ndim == 1 else x * 5

    assert "looks as if" not in sentence(both)


def test_a_mistake_that_raises_is_recognized_too():
    one = Check("one", lambda x: x[0], double_cases, {"there is no row 9": lambda x: x[9]})
    assert "looks as if there is no row 9" in sentence(lambda x: x[9], one)


def test_differences_show_the_digits_that_differ():
    found = difference(np.array([1.00000001]), np.array([1.0]))
    assert found == "at [0] came 1.00000001, expected 1"
    assert difference(np.array([1 + 1e-12]), np.array([1.0])) is None
    assert difference(np.array([1.0, 5.0]), np.array([1.0, 4.0])).endswith("(1 of 2 values differ)")


def test_the_tolerance_is_relative_to_the_largest_value():
    assert difference(np.array([1e6, 1e-4]), np.array([1e6, 0.0])) is None
    assert difference(np.array([1e-9, 2e-9]), np.array([1e-9, 1e-9])) is not None
    assert difference(np.array([1e-15]), np.array([0.0])) is not None


def test_texts_and_whole_numbers():
    assert difference("cat", "cat") is None and difference("dog", "cat")
    assert difference(3, np.int32(3)) is None
    assert difference(3.0, np.int64(3)) == "float64 3 came, int64 3 expected"
    assert difference(np.array([1, 2], np.int8), np.array([1, 2])) is None
    assert difference(True, True) is None and difference(2, True)
    assert same((1, [2.0]), (1, [2.0])) and not same((1,), (1, 2)) and not same("a", 1)


def test_results_are_frozen():
    array = np.arange(3.0)
    frozen = freeze((array, [1, "a"], np.float32(2)))
    array[:] = 9
    assert frozen[0].tolist() == [0, 1, 2] and frozen[1] == [1, "a"]
    assert freeze(EqualToEverything()) == Opaque("EqualToEverything")
    assert freeze([0] * 1000) == Opaque("1000 values")
    assert describe(freeze(object())) == "an object"


def test_generators_start_anew_for_every_call():
    draw = Check("draw", lambda rng: rng.random(3), lambda rng: iter([case("one", Rng(5))]))
    assert draw.verdict(lambda g: g.random(3)).status == "right"
    assert draw.verdict(lambda g: np.random.default_rng(6).random(3)).status == "wrong"


def test_cases_follow_the_seed():
    first, again, other = DOUBLE.draw(0), DOUBLE.draw(0), DOUBLE.draw(1)
    assert (first[1].args[0] == again[1].args[0]).all()
    assert (first[1].args[0] != other[1].args[0]).any()


def test_judging_needs_the_outcomes_only():
    """The grader runs the function elsewhere and brings the outcomes back."""
    cases = DOUBLE.draw(3)
    assert DOUBLE.judge(cases, run(lambda x: x + x, cases)).status == "right"
    assert DOUBLE.judge(cases, run(lambda x: x, cases)).status == "wrong"
    assert DOUBLE.judge(cases, run(lambda x: x + x, cases[:1])).status == "wrong"
    assert DOUBLE.judge(cases, []).status == "wrong"


def test_accept_may_take_more_than_one_answer():
    def accept(case, value):
        return None if np.ptp(value) == 0 else "not all alike"

    one = Check("alike", lambda x: np.zeros(2), double_cases, accept=accept)
    assert one.verdict(lambda x: np.ones(3)).status == "right"
    assert sentence(lambda x: np.arange(2.0), one).endswith("not all alike")


def test_score_and_failed(capsys):
    DOUBLE(stub_pass)
    SUM(lambda x: float(x.sum()))
    PAIR(lambda x: (x, 0))
    capsys.readouterr()
    check.score()
    assert capsys.readouterr().out == "1 of 3 functions are right:  · double  ✓ sum  ✗ pair\n"
    assert check.failed()[0].tolist() == [1, 2]
    assert check.failed("pair")[0].tolist() == [1, 2]
    check.failed()[0][0] = 7
    assert check.failed()[0].tolist() == [1, 2]


def test_nothing_failed(capsys):
    assert check.failed() is None
    assert capsys.readouterr().out == "No case has failed.\n"
    check.score()
    assert capsys.readouterr().out == "0 of 0 functions are right\n"


def test_an_unknown_name_lists_those_that_there_are():
    with pytest.raises(AttributeError, match=r"no check of 'convolve'; there are: .*conv2d.*relu"):
        _ = check.convolve
    assert {"relu", "conv2d", "score"} <= set(dir(check))
    assert check.names() == sorted(check.checks())


def test_names_are_unique_and_do_not_hide_the_package_s_own():
    for name, one in check.checks().items():
        assert one is getattr(check, name) and name.isidentifier()


@pytest.mark.parametrize("name", check.names())
def test_every_check_accepts_the_books_function_and_every_mistake_is_told(name):
    one = check.checks()[name]
    for seed in range(5):
        assert one.verdict(one.reference, seed).status == "right"
    for text, wrong in one.mistakes.items():
        found = one.verdict(wrong)
        assert found.status == "wrong" and found.sentence.endswith(f"It looks as if {text}")
    start = time.perf_counter()
    one.verdict(one.reference)
    assert time.perf_counter() - start < 1, "a check answers in under a second"
    assert all(c.label and "\n" not in c.label for c in one.draw(0))


def test_importing_the_checks_imports_no_tensorflow():
    code = (
        "import sys; from helpers import check; check.checks(); "
        "print([m for m in sys.modules if m in ('tensorflow', 'keras', 'torch')])"
    )
    run_ = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ
    )
    assert run_.stdout.strip() == "[]", run_.stdout + run_.stderr


def test_modules_stay_readable():
    folder = os.path.dirname(check.__file__)
    for file in os.listdir(folder):
        if file.endswith(".py"):
            with open(os.path.join(folder, file), encoding="utf-8") as text:
                assert len(text.readlines()) <= 300, file


def example(x, n):
    """Doc 1."""
    total = 0
    for i in range(n):
        if i < 2:
            total += x[i, 0] * -3
    return max(total, 1)


def test_mutants_change_one_thing_each():
    texts = [text for text, _ in mutants(example)]
    for part in (
        "without `total = 0`",
        "other comparison in i < 2",
        "= instead of total +=",
        "no minus in -3",
        "indices exchanged in x[i, 0]",
        "one more than 0",
        "arguments exchanged in max(total, 1)",
        "other operator in x[i, 0] * -3",
    ):
        assert any(part in text for text in texts), (part, texts)
    assert not any("Doc" in text for text in texts)
    assert example(np.ones((3, 1)), 3) == 1, "the function itself is left alone"


def test_verify_finds_a_check_that_is_too_weak():
    def right(x):
        return x * 2.0

    wrong = [lambda x, k=k: x + k for k in range(9)]
    verify(DOUBLE, [right], wrong)
    weak = Check("weak", double, lambda rng: iter([case("zeros", np.zeros(2))]))
    with pytest.raises(AssertionError, match="is accepted"):
        verify(weak, [right], [lambda x: 3 * x] * 8)
    with pytest.raises(AssertionError, match="fewer than 8"):
        verify(DOUBLE, [right], wrong[:3])
    with pytest.raises(AssertionError, match="mutants caught"):
        verify(weak, [right], [lambda x: x + 1] * 8)
    with pytest.raises(AssertionError, match="not among the survivors"):
        verify(DOUBLE, [right], wrong, equivalent=["line 2: nothing like that"])
    caught, alive = survivors(DOUBLE, right)
    assert len(caught) >= 3 and not alive


def test_no_mistake_is_looked_for_where_nothing_came():
    cases = DOUBLE.draw(0)
    assert hints.mistake(DOUBLE, cases, [], DOUBLE.wanted(cases)) == ""
