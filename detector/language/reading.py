"""What comes of reading a file in the manner of rules: what it holds, or each of its faults at its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from detector.errors import Finding, RuleErrors
from detector.language.source import Fault, Mapping, Node, Sequence, Unsaid, read_file, read_source, single
from detector.language.syntax import Place

T = TypeVar("T")
Made = TypeVar("Made")

_VERSION = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(slots=True)
class Reading(Generic[T]):
    """What came of reading one file.

    Attributes
    ----------
    path
        The file, as the caller named it.
    found
        What the file holds; None where `findings` say why.
    places
        Those of its top keys, and of what else its reader notes by a name of its own.
    """

    path: str
    found: T | None = None
    findings: list[Finding] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)

    def read(self, what: str, load: Callable[[Mapping], T | None]) -> None:
        """Read the file; never raises for what it holds.

        Parameters
        ----------
        what
            What messages call such a file.
        load
            Makes what is meant of the file's mapping, and tells what keeps it from doing so.
        """
        try:
            root = read_source(read_file(Path(self.path)), what)
        except Fault as fault:
            self.tell(fault.place, fault.message)
            return
        self.places.update((key.text, key.place) for key, _ in root)
        self.found = load(root)
        # What others rest on is looked at for each of them, and its faults are told once.
        self.findings = sorted(set(self.findings))

    def sound(self) -> T:
        """Return what the file holds; raise RuleErrors with every finding where there are any."""
        if self.found is None:
            raise RuleErrors(self.findings)
        return self.found

    def finding(self, key: str, message: str) -> Finding:
        """Return a finding at a key of the file, or at its start if it lacks the key."""
        return self.finding_at(self.places.get(key, Place(1, 1)), message)

    def finding_at(self, place: Place, message: str) -> Finding:
        """Return a finding at a place of the file."""
        return Finding(self.path, place.line, place.column, message)

    def tell(self, place: Place, message: str) -> None:
        """Add a finding at a place of the file."""
        self.findings.append(self.finding_at(place, message))

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn a fault into a finding and go on behind it."""
        try:
            yield
        except Unsaid:
            pass
        except Fault as fault:
            self.tell(fault.place, fault.message)

    def made(self, node: Node | None, make: Callable[[Node], Made]) -> Made | None:
        """Return what `make` makes of a node, None where there is none or it has a fault, which is told."""
        if node is not None:
            with self.told():
                return make(node)
        return None


def read_version(node: Node) -> int:
    """Return the version that a file gives itself; raise Fault where it is none."""
    text = single(node)
    if not _VERSION.fullmatch(text):
        raise Fault(node.place, "a version is a whole number from 1 up")
    return int(text)


def read_sources(node: Node) -> tuple[str, ...]:
    """Return what a file names as its `sources`; raise Fault where that is no list of texts."""
    if not isinstance(node, Sequence):
        raise Fault(node.place, "`sources` is a list of texts")
    return tuple(single(item) for item in node.items)
