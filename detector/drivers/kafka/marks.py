"""What is kept of a partition: under which keys of its changelog, and the marks of how far it has come."""

from __future__ import annotations

import msgspec

from detector.errors import StateError

PLAYER, RUNNING, MARKS = b"p", b"i", b"m"
"""How keys of the changelog begin: a player's record, what is in force for one, the partition's own."""

_pack = msgspec.msgpack.Encoder().encode


class Marks(msgspec.Struct, array_like=True):
    """What is kept of a partition beside its players.

    `rules` is the id of the set that judges from here on; `next` tells each topic's next offset.
    """

    engine: bytes
    rules: str
    next: dict[str, int]

    @property
    def packed(self) -> bytes:
        """As they are kept."""
        return _pack(self)


_read_marks = msgspec.msgpack.Decoder(Marks).decode


def read_marks(data: bytes) -> Marks:
    """What was kept of a partition; StateError if it cannot be read."""
    try:
        return _read_marks(data)
    except msgspec.DecodeError as error:
        raise StateError(
            "a partition's marks are damaged; restore its changelog or replay its events"
        ) from error
