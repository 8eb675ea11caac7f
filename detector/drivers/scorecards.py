"""The scorecards that lie beside the rules in a folder: models, each with the event time it is in force from.

They travel, are activated and rolled back with the rules, so that a replay, an embedded detector and every
worker score with the same bytes from the same moment on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from detector.drivers.files import replaced
from detector.errors import InputError
from detector.events.instants import micros, rfc3339_ms
from models.errors import ModelError
from models.scorecard import Scorecard

FOLDER = "scorecards"
MAX_BYTES = 4 << 20
KEPT = 8
"""How many scorecards a folder keeps: the one in force, and those that some clock may still lie in."""

Scorecards = Sequence[tuple[int, Scorecard]]


class _Filed(msgspec.Struct, forbid_unknown_fields=True):
    """A file of the folder: a scorecard, and from which event time on it is in force, RFC 3339."""

    effective_from: datetime
    scorecard: msgspec.Raw


_read = msgspec.json.Decoder(_Filed).decode


def scorecard_files(folder: Path) -> list[Path]:
    """The files of the scorecards that lie beside the rules of a folder."""
    return sorted((folder / FOLDER).glob("*.json")) if (folder / FOLDER).is_dir() else []


def read_scorecards(folder: Path) -> Scorecards:
    """The scorecards beside the rules of a folder, by the time from which they are in force.

    Raises
    ------
    InputError
        One cannot be used, or two are in force from the same time on.
    """
    found = sorted(
        (_read_one(path) for path in scorecard_files(folder)), key=lambda each: (each[0], each[1].id)
    )
    times = [since for since, _ in found]
    if len(set(times)) < len(times):
        raise InputError(f"{folder / FOLDER}: two scorecards are in force from the same time on")
    return found


def _read_one(path: Path) -> tuple[int, Scorecard]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: a scorecard has at most {MAX_BYTES} bytes")
    try:
        filed = _read(data)
        card = Scorecard.read(bytes(filed.scorecard))
    except (msgspec.DecodeError, ModelError) as error:
        raise InputError(f"{path}: no scorecard: {error}") from None
    if filed.effective_from.tzinfo is None:
        raise InputError(f"{path}: no scorecard: `effective_from` has no zone")
    return micros(filed.effective_from), card


def file_scorecard(folder: Path, card: Scorecard, effective_from_us: int) -> Path:
    """Lay a scorecard beside the rules of a folder; the oldest beyond KEPT go.

    Raises
    ------
    InputError
        One that is there already is in force from that time on or later.
    """
    home = folder / FOLDER
    home.mkdir(exist_ok=True)
    known = read_scorecards(folder)
    if known and known[-1][0] >= effective_from_us:
        since = rfc3339_ms(known[-1][0])
        raise InputError(f"{home}: a scorecard is in force from {since} on; choose a later time")
    path = home / f"{rfc3339_ms(effective_from_us).replace(':', '').replace('.000', '')}-{card.id}.json"
    text = msgspec.json.encode(
        {"effective_from": rfc3339_ms(effective_from_us), "scorecard": msgspec.Raw(card.to_json())}
    )
    with replaced(path) as file:
        file.write(text)
    for old in scorecard_files(folder)[:-KEPT]:
        old.unlink()
    return path
