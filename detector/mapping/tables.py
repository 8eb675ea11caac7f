"""Value tables: ours by the feed's, and what becomes of a value that is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from detector.language.parse import suggestion
from detector.language.source import Fault, Node, Scalar, scalar, shorten, single
from detector.language.source import Mapping as Block
from detector.mapping.origins import Dropped, Unmapped
from detector.mapping.values import Unfit, text_of


class Omitted:
    """What a table gives for "leave this field out"; JSON null is another thing."""

    __slots__ = ()


OMITTED: Final = Omitted()


@dataclass(frozen=True, slots=True)
class Table:
    """The values of a field by those of the feed.

    Parameters
    ----------
    field
        What it is the table of, for whoever counts what was dropped.
    values
        The feed's value as text → ours as the file writes it, None for null.
    otherwise
        What becomes of a value that is not there: "refuse", "drop" (the record), "omit" (the field), "pass",
        or a constant's Scalar.
    """

    field: str
    values: Mapping[str, Scalar | None]
    otherwise: str | Scalar = "refuse"

    @property
    def outcomes(self) -> list[Scalar]:
        """Every constant that can come out."""
        found = [value for value in self.values.values() if value is not None]
        return [*found, self.otherwise] if isinstance(self.otherwise, Scalar) else found

    def look_up(self, value: Any, at: str) -> Any:
        """The constant's text, None for null, OMITTED, or the value itself where it passes."""
        try:
            key = text_of(value)
        except Unfit as unfit:
            raise Unmapped(unfit.reason, at, unfit.mend) from None
        if key in self.values:
            found = self.values[key]
            return None if found is None else found.text
        if isinstance(self.otherwise, Scalar):
            return self.otherwise.text
        if self.otherwise == "pass":
            return value
        if self.otherwise == "omit":
            return OMITTED
        if self.otherwise == "drop":
            raise Dropped(f"`{self.field}` is not in its table")
        raise Unmapped("unmapped", at, "holds what the table does not know; add it, or say `else`")


OTHERWISE = ("refuse", "drop", "omit", "pass")


def read_table(field: str, node: Node, otherwise: Node | None, named: Mapping[str, Node]) -> Table:
    """`table`, a mapping or the name of one of the file's tables, with its `else`."""
    if isinstance(node, Scalar):
        found = named.get(node.text)
        if found is None:
            raise Fault(
                node.place, f'no table "{shorten(node.text)}" in `tables`{suggestion(node.text, named)}'
            )
        node = found
    values = {}
    for key, value in check_table(node):
        single_value = scalar(value)
        values[key.text] = None if single_value.is_null else single_value
    return Table(field, values, _otherwise(otherwise))


def check_table(node: Node) -> Block:
    """The node if it is a table with something in it; Fault otherwise."""
    if not isinstance(node, Block) or not node.entries:
        raise Fault(node.place, "a table is a mapping of the feed's values to ours")
    return node


def _otherwise(node: Node | None) -> str | Scalar:
    if node is None:
        return "refuse"
    if isinstance(node, Block):
        value = node.get("value")
        if len(node.entries) != 1 or value is None:
            raise Fault(node.place, "`else` is one of refuse, drop, omit, pass, or {value: …}")
        return scalar(value)
    text = single(node)
    if text not in OTHERWISE:
        raise Fault(
            node.place,
            f"`else` is one of {', '.join(OTHERWISE)}, or {{value: …}}{suggestion(text, OTHERWISE)}",
        )
    return text
