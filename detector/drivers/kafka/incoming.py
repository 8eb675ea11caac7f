"""What comes into a partition: records, and the events in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from detector.events.vocabulary import AnyEvent


class Record(Protocol):
    """What is read of a Kafka record; `timestamp` is in ms."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


@dataclass(slots=True)
class Read:
    """An event on its way to the engine; `is_last` says that its record holds no further."""

    topic: str
    offset: int
    is_last: bool
    received_us: int
    event: AnyEvent
    content: int
    raw: bytes
