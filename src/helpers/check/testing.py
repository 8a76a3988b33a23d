"""Tests of checks: right functions are accepted, wrong ones and mutants of right ones rejected.

A mutant is a function with one small thing changed, as a tired reader would: an operator, a
comparison, a constant, a statement dropped, two axes exchanged.
"""

import ast
import copy
import inspect
import textwrap

from helpers import check as package
from helpers.words import shown

SECONDS = 2.0  # for a mutant that never ends
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.Lt,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
NAMES = {"max": "min", "min": "max", "argmax": "argmin", "argmin": "argmax", "sum": "mean"}
NAMES |= {"mean": "sum", "maximum": "minimum", "minimum": "maximum", "zeros": "ones", "exp": "log"}
NAMES |= {"floor": "ceil", "ceil": "floor", "ones": "zeros", "zeros_like": "ones_like"}


def verify(one, right, wrong=(), *, equivalent=(), share=0.95, least=8, seeds=(0, 1, 2)):
    """Assert that a check tells right functions from wrong ones.

    one         a ``Check`` or its name
    right       functions to accept, in different styles; the first one is mutated
    wrong       functions to reject, at least ``least`` of them, the check's mistakes included
    equivalent  beginnings of descriptions of mutants that compute the same (say why beside them)
    share       of the other mutants that must be caught

    Returns (caught, all mutants but the equivalent ones).
    """
    one = package.checks()[one] if isinstance(one, str) else one
    for seed in seeds:
        for fn in (one.reference, *right):
            verdict = one.verdict(fn, seed)
            assert verdict.status == "right", (
                f"{one.name}, seed {seed}: {shown(fn)}: {verdict.sentence}"
            )
        for fn in (*wrong, *one.mistakes.values()):
            verdict = one.verdict(fn, seed, SECONDS)
            assert verdict.status == "wrong", f"{one.name}, seed {seed}: {shown(fn)} is accepted"
    for sentence, fn in one.mistakes.items():
        found = one.verdict(fn).sentence
        assert found.endswith(f"It looks as if {sentence}"), f"{one.name}: {sentence!r} but {found}"
    count = len(wrong) + len(one.mistakes)
    assert count >= least, f"{one.name}: {count} wrong functions, fewer than {least}"
    caught, alive = survivors(one, right[0])
    unknown = [text for text in alive if not text.startswith(tuple(equivalent))]
    total = len(caught) + len(unknown)
    assert total >= 1, f"{one.name}: no mutants were made of {right[0]}"
    assert len(caught) >= share * total, (
        f"{one.name}: {len(caught)} of {total} mutants caught; alive: " + "; ".join(unknown)
    )
    unused = [text for text in equivalent if not any(a.startswith(text) for a in alive)]
    assert not unused, f"{one.name}: not among the survivors: {unused}"
    return len(caught), total


def survivors(one, fn, seed=0):
    """(descriptions of the mutants of ``fn`` that the check rejects, of those it accepts)."""
    caught, alive = [], []
    for text, mutant in mutants(fn):
        right = one.verdict(mutant, seed, SECONDS).status == "right"
        (alive if right else caught).append(text)
    return caught, alive


def mutants(fn):
    """Yield (description, function): ``fn`` with one small change each. It may use globals.

    The docstring and the defaults of arguments stay as they are.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
    function = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    function.decorator_list = []
    if ast.get_docstring(function) is not None:
        function.body = function.body[1:] or [ast.Pass()]
    defaults = {id(n) for d in function.args.defaults for n in ast.walk(d)}
    for place, node in enumerate(list(ast.walk(function))):
        if id(node) in defaults:
            continue
        for number in range(len(list(_changes(node)))):
            changed = copy.deepcopy(function)
            target = list(ast.walk(changed))[place]
            before = ast.unparse(target)
            description, change = list(_changes(target))[number]
            change()
            module = ast.fix_missing_locations(ast.Module([changed], []))
            scope = dict(fn.__globals__)
            exec(compile(module, "<mutant>", "exec"), scope)
            line = before.splitlines()[0] if not isinstance(node, ast.FunctionDef) else ""
            yield (
                f"line {getattr(node, 'lineno', 0)}: {description} {line}".strip(),
                scope[fn.__name__],
            )


def _changes(node):
    """Yield (what, a function that does it in place) for one node of a syntax tree."""
    if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in OPERATORS:
        yield "other operator in", lambda: setattr(node, "op", OPERATORS[type(node.op)]())
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
        yield "other comparison in", lambda: node.ops.__setitem__(0, OPERATORS[type(node.ops[0])]())
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield "one more than", lambda: setattr(node, "value", node.value + 1)
        yield "one less than", lambda: setattr(node, "value", node.value - 1)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "no minus in", lambda: setattr(node, "op", ast.UAdd())
    if isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield "other function in", lambda: setattr(node, "attr", NAMES[node.attr])
    if isinstance(node, ast.Attribute) and node.attr == "T" and isinstance(node.ctx, ast.Load):
        yield "no transpose in", lambda: _replace(node, node.value)
    if isinstance(node, ast.Name) and node.id in NAMES and isinstance(node.ctx, ast.Load):
        yield "other function in", lambda: setattr(node, "id", NAMES[node.id])
    if isinstance(node, ast.AugAssign):
        yield "= instead of", lambda: _assign(node)
    if isinstance(node, ast.Call) and len(node.args) == 2:
        yield "arguments exchanged in", lambda: node.args.reverse()
    if isinstance(node, ast.Call | ast.Subscript):
        yield from _axes(node)
    yield from _dropped(node)


def _axes(node):
    """A keyword left out; the first two axes of an index, or of a tuple given, exchanged."""
    if isinstance(node, ast.Call):
        for keyword in node.keywords:
            yield f"no {keyword.arg} in", lambda k=keyword: node.keywords.remove(k)
    parts = node.slice if isinstance(node, ast.Subscript) else None
    if isinstance(parts, ast.Tuple) and len(parts.elts) >= 2:
        yield (
            "indices exchanged in",
            lambda: parts.elts.__setitem__(slice(-2, None), parts.elts[:-3:-1]),
        )


def _dropped(node):
    """A statement left out, in each block of this node."""
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            for i, statement in enumerate(block):
                if not isinstance(statement, ast.Pass):
                    text = ast.unparse(statement).splitlines()[0]
                    yield f"without `{text}`", lambda b=block, i=i: b.__setitem__(i, ast.Pass())


def _assign(node):
    """Turn ``a += b`` into ``a = b`` in place."""
    target, value = node.target, node.value
    node.__class__ = ast.Assign
    node.targets, node.value, node.type_comment = [target], value, None


def _replace(node, by):
    """Make ``node`` the node ``by``, in place."""
    node.__class__, node.__dict__ = by.__class__, by.__dict__
