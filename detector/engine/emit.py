"""Python source for the expressions of rules: straight lines of assignments, unknown as None.

Only names that this module makes and constants that it binds ever enter the source; nothing an analyst
writes does.
"""

from __future__ import annotations

from typing import Any

from detector.language.syntax import (
    Arithmetic,
    Call,
    Comparison,
    Expression,
    Literal,
    Logic,
    Membership,
    Negation,
    Not,
)

TOLERANCE = 1e-9
"""Money and plain numbers this close (relative) are equal: 1.1 × 200 CAD is 220 CAD."""


class Block:
    """Lines of one generated function, and the constants bound for it."""

    def __init__(self, constants: dict[str, Any]) -> None:
        self.lines: list[str] = []
        self.constants = constants
        self.indent = "    "
        self._count = 0
        self._known: dict[str, str] = {}

    def line(self, text: str) -> None:
        self.lines.append(self.indent + text)

    def fresh(self) -> str:
        self._count += 1
        return f"v{self._count}"

    def put(self, source: str) -> str:
        """Assign an expression to a new name."""
        name = self.fresh()
        self.line(f"{name} = {source}")
        return name

    def once(self, source: str) -> str:
        """The same name for the same expression over things that do not change within the function."""
        if source not in self._known:
            self._known[source] = self.put(source)
        return self._known[source]

    def constant(self, value: Any) -> str:
        """A name or numeral for a constant."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return repr(value)
        for name, known in self.constants.items():
            if known is value or (isinstance(value, str) and known == value and isinstance(known, str)):
                return name
        name = f"K{len(self.constants)}"
        self.constants[name] = value
        return name


class Value:
    """A generated value: its name, and whether it can be unknown."""

    __slots__ = ("maybe", "name")

    def __init__(self, name: str, maybe: bool) -> None:
        self.name = name
        self.maybe = maybe


class Emitter:
    """Turns expressions into lines; subclasses say what a leaf is."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self._done: dict[Expression, Value] = {}

    def leaf(self, node: Expression) -> Value:
        """The value of a quantity, a name, a `since` …"""
        raise NotImplementedError

    def cost(self, node: Expression) -> int:
        """How dear an operand is to look at; those of equal cost stay in their order."""
        return 0

    def emit(self, node: Expression) -> Value:
        """The value of any expression; the same one is computed once."""
        known = self._done.get(node)
        if known is None:
            known = self._done[node] = self._emit(node)
        return known

    def _emit(self, node: Expression) -> Value:
        block = self.block
        if isinstance(node, Literal):
            return Value(block.constant(node.value), False)
        if isinstance(node, Arithmetic):
            return self._arithmetic(node)
        if isinstance(node, Comparison):
            left, right = self.emit(node.left), self.emit(node.right)
            return self._guarded(compared(node.operator, left.name, right.name, node.exact), left, right)
        if isinstance(node, Membership):
            item = self.emit(node.item)
            tests = [
                compared("==", item.name, block.constant(option.value), node.exact) for option in node.options
            ]
            source = "(" + " or ".join(tests) + ")"
            return self._guarded(f"not {source}" if node.negated else source, item)
        if isinstance(node, Logic):
            return self._logic(node)
        if isinstance(node, Not):
            operand = self.emit(node.operand)
            return self._guarded(f"not {operand.name}", operand)
        if isinstance(node, Negation):
            operand = self.emit(node.operand)
            return self._guarded(f"-{operand.name}", operand)
        if isinstance(node, Call):
            arguments = [self.emit(argument) for argument in node.arguments]
            return self._guarded(
                f"{node.function}({', '.join(argument.name for argument in arguments)})", *arguments
            )
        return self.leaf(node)

    def _guarded(self, source: str, *inputs: Value) -> Value:
        """A result that is unknown when an input is."""
        unsure = sorted({value.name for value in inputs if value.maybe})
        if unsure:
            source = f"None if {' or '.join(f'{name} is None' for name in unsure)} else {source}"
        return Value(self.block.put(source), bool(unsure))

    def _arithmetic(self, node: Arithmetic) -> Value:
        left, right = self.emit(node.left), self.emit(node.right)
        if node.operator != "/":
            return self._guarded(f"{left.name} {node.operator} {right.name}", left, right)
        if isinstance(node.right, Literal) and node.right.value:
            return self._guarded(f"{left.name} / {right.name}", left)
        unsure = [f"{value.name} is None" for value in (left, right) if value.maybe]
        # A division by zero is unknown.
        source = f"None if {' or '.join([*unsure, f'not {right.name}'])} else {left.name} / {right.name}"
        return Value(self.block.put(source), True)

    def _logic(self, node: Logic) -> Value:
        values = [self.emit(operand) for operand in node.operands]
        names = [value.name for value in values]
        unsure = [value.name for value in values if value.maybe]
        if not unsure:
            return Value(self.block.put(f" {node.operator} ".join(names)), False)
        # Kleene: a certain False decides an `and`, a certain True an `or`, whatever is unknown beside it.
        decider = "False" if node.operator == "and" else "True"
        decided = " or ".join(f"{name} is {decider}" for name in names)
        unknown = " or ".join(f"{name} is None" for name in unsure)
        otherwise = "True" if node.operator == "and" else "False"
        return Value(self.block.put(f"{decider} if {decided} else None if {unknown} else {otherwise}"), True)

    def condition(self, node: Expression) -> None:
        """Lines that return True, False or None (unknown) for a condition, stopping at the first False."""
        block = self.block
        operands = node.operands if isinstance(node, Logic) and node.operator == "and" else (node,)
        unknown = False
        # The order changes nothing but how soon one knows.
        for operand in sorted(operands, key=self.cost):
            value = self.emit(operand)
            if value.maybe and not unknown:
                block.line("unknown = False")
                unknown = True
            if value.maybe:
                block.line(f"if {value.name} is None: unknown = True")
                block.line(f"elif not {value.name}: return False")
            else:
                block.line(f"if not {value.name}: return False")
        block.line("return None if unknown else True" if unknown else "return True")


def compared(operator: str, left: str, right: str, exact: bool) -> str:
    """A comparison as source; within the tolerance values are equal."""
    if exact:
        return f"({left} {operator} {right})"
    # Of a > b the larger magnitude is a, or -b where b is the more negative: no call needed to find it.
    above = f"{left} - {right} <= {TOLERANCE!r} * ({left} if {left} > -{right} else -{right})"
    below = f"{right} - {left} <= {TOLERANCE!r} * ({right} if {right} > -{left} else -{left})"
    if operator == ">=":
        return f"({left} >= {right} or {below})"
    if operator == "<=":
        return f"({left} <= {right} or {above})"
    if operator == ">":
        return f"({left} > {right} and not {above})"
    if operator == "<":
        return f"({left} < {right} and not {below})"
    near = f"({above} if {left} > {right} else {below})"
    return near if operator == "==" else f"(not {near})"
