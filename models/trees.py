"""A decision tree as plain lists, and the walk down to one of its leaves.

Half-space trees and Hoeffding trees end up in the same form, so that one walk scores both.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Tree(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Nodes from the root down, a parent always before its children, each an index into three lists.

    Parameters
    ----------
    inputs
        Which input a node looks at; -1 for a leaf.
    at
        A node's threshold: `<=` goes to the left; of a leaf, its value.
    left
        The index of the left child; the right one follows it. 0 for a leaf.
    """

    inputs: list[int]
    at: list[float]
    left: list[int]


def leaf_value(tree: Tree, inputs: Sequence[float]) -> float:
    """The value of the leaf that `inputs` lead to.

    >>> leaf_value(Tree([0, -1, -1], [0.5, 10.0, 20.0], [1, 0, 0]), [0.7])
    20.0
    """
    which, at, left = tree.inputs, tree.at, tree.left
    node = 0
    while (looked_at := which[node]) >= 0:
        node = left[node] + (inputs[looked_at] > at[node])
    return at[node]


def sound(tree: Tree, width: int) -> bool:
    """Whether every walk over `width` inputs ends at a leaf: as in all trees made here, not all files."""
    nodes = len(tree.inputs)
    if not nodes == len(tree.at) == len(tree.left) or not nodes:
        return False
    return all(
        looked_at == -1 or (0 <= looked_at < width and node < left < nodes - 1)
        for node, (looked_at, left) in enumerate(zip(tree.inputs, tree.left, strict=True))
    )
