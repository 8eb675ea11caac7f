"""The shapes that a mapping file is made of, and keys that are not spelt as they are meant."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from detector.language.parse import nearest
from detector.language.source import Fault, Mapping, Node, Scalar, Sequence

Entry = tuple[Scalar, Node]


def block_of(node: Node) -> Mapping:
    """The node if it is a mapping; Fault otherwise."""
    if not isinstance(node, Mapping):
        raise Fault(node.place, "a mapping of keys to values is needed here")
    return node


def entries_of(node: Node) -> tuple[Entry, ...]:
    """The keys and values of a mapping; Fault where it is none."""
    return block_of(node).entries


def items_of(node: Node, key: str, most: int) -> tuple[Node, ...]:
    """The items of a list, at least one; Fault where it is none, or has more than `most`."""
    if not isinstance(node, Sequence) or not node.items:
        raise Fault(node.place, f"`{key}` is a list")
    if len(node.items) > most:
        raise Fault(node.place, f"`{key}` has at most {most} entries")
    return node.items


def as_meant(entries: Iterable[Entry], known: Collection[str]) -> tuple[Entry, ...]:
    """The entries, each unknown key taken for the nearest known one that is not there.

    Whoever asks has told of the wrong key already. Taken so, it is not told again at every place that misses
    what it was meant to be, and what stands under it is checked like the rest.
    """
    given = list(entries)
    free = set(known) - {key.text for key, _ in given}
    found = []
    for key, node in given:
        meant = None if key.text in known else nearest(key.text, free)
        if meant is not None:
            free.discard(meant)
            key = replace(key, text=meant)
        found.append((key, node))
    return tuple(found)
