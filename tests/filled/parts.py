"""Which cells of a lab the reader's functions touch, and what those cells need."""

import ast

from IPython.core.inputtransformer2 import TransformerManager


class _Names(ast.NodeVisitor):
    """What a piece of code reads before it has set it, and what it sets."""

    def __init__(self):
        self.read, self.written = set(), set()

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Store):
            self.written.add(node.id)
        elif node.id not in self.written:
            self.read.add(node.id)

    def visit_Assign(self, node):
        for part in (node.value, *node.targets):
            self.visit(part)

    def visit_AugAssign(self, node):
        if isinstance(node.target, ast.Name):
            self.visit_Name(ast.Name(node.target.id, ast.Load()))
        self.generic_visit(node)

    def visit_For(self, node):
        for part in (node.iter, node.target, *node.body, *node.orelse):
            self.visit(part)

    def visit_Import(self, node):
        self.written |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}

    visit_ImportFrom = visit_Import

    def _scope(self, node):
        """A function, a class or a comprehension: what is set in it stays in it."""
        inside = _Names()
        inside.written = {arg.arg for arg in ast.walk(node) if isinstance(arg, ast.arg)}
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            for loop in node.generators:
                inside.visit(loop.iter)
                inside.visit(loop.target)
        inside.generic_visit(node)
        self.read |= inside.read - self.written
        if hasattr(node, "name"):
            self.written.add(node.name)

    visit_FunctionDef = visit_ClassDef = visit_Lambda = _scope
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _scope


def names(source):
    """The names that a cell reads before it sets them, and those that it sets."""
    found = _Names()
    found.visit(ast.parse(TransformerManager().transform_cell(source)))
    return found.read, found.written


def touched(sources, functions):
    """Indices of the cells that name one of ``functions``, and of the cells that set what they use.

    What a cell changes without naming it on a left-hand side, such as the weights of a network, is
    not followed: a value may differ from the whole lab's, so that its claims are not judged here.
    """
    uses = [names(source) for source in sources]
    needed = {k for k, (read, written) in enumerate(uses) if (read | written) & set(functions)}
    needed.add(0)  # the cell that begins the session
    todo = sorted(needed)
    while todo:
        k = todo.pop()
        for name in uses[k][0]:
            for before in reversed(range(k)):
                if name in uses[before][1]:
                    if before not in needed:
                        needed.add(before)
                        todo.append(before)
                    if name not in uses[before][0]:  # set anew, not changed: no need to go on
                        break
    return sorted(needed)
