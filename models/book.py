"""What a registry of models writes down: entries, what was done with them, and the latest checkpoint."""

from __future__ import annotations

from typing import Literal

import msgspec

from models.report import Interval

Role = Literal["champion", "challenger", "retired"]
Deed = Literal["registered", "promoted", "rolled_back", "frozen", "unfrozen"]

FORMAT = 1


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One scorecard with the trainer that made it.

    Parameters
    ----------
    id
        The first 16 hex digits of the scorecard's SHA-256, as evidence names it.
    kind
        The kind of learner, as `logistic`.
    created, trained_from, trained_until
        µs since the epoch: when it was registered, and the time of the samples it learned from.
    metrics
        What was measured of it when it was registered.
    effective_from
        From when on it is or was in force, by players' clocks; None if it never was.
    """

    id: str
    kind: str
    created: int
    trained_from: int | None
    trained_until: int | None
    river: str
    features: list[str]
    catalogue: str
    card_sha256: str
    state_sha256: str
    metrics: dict[str, float | None]
    role: Role = "challenger"
    effective_from: int | None = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done, by whom and why.

    Parameters
    ----------
    entry
        Whom it was done to; None where it was to all.
    effective_from
        Of a promotion or a roll-back: from when on `entry` is in force.
    gain
        By how much it was better, where that was measured.
    """

    what: Deed
    at: int
    by: str
    why: str
    entry: str | None = None
    effective_from: int | None = None
    gain: Interval | None = None


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The latest state of the trainer, kept so that it can go on after a stop."""

    state_sha256: str
    river: str
    at: int


class Book(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in registry.json."""

    format: int = FORMAT
    frozen: bool = False
    entries: list[Entry] = []
    history: list[Change] = []
    checkpoint: Checkpoint | None = None
