"""The scorecards that lie beside the rules in a folder: models, each with the event time it is in force from.

They travel, are activated and rolled back with the rules, so that a replay, an embedded detector and every
worker score with the same bytes from the same moment on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from detector.drivers.files import replaced
from detector.errors import InputError
from detector.events.instants import micros, rfc3339_ms
from detector.language.features import FEATURES, Catalogue
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


_NAMED = re.compile(r"Z-([0-9a-f]{16})$")
"""How files end that `file_scorecard` has written: by the id of what is in them."""

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
    return [(since, card) for since, card, _ in _read_all(folder)]


def _read_all(folder: Path) -> list[tuple[int, Scorecard, Path]]:
    files = scorecard_files(folder)
    catalogue = FEATURES.of(folder) if files else None
    found = sorted(((*_read_one(path), path) for path in files), key=lambda each: (each[0], each[1].id))
    for _, card, path in found:
        if catalogue is not None and card.catalogue == catalogue.id:
            _check(path, card, catalogue)
    times = [since for since, *_ in found]
    if len(set(times)) < len(times):
        raise InputError(f"{folder / FOLDER}: two scorecards are in force from the same time on")
    return found


def _check(path: Path, card: Scorecard, catalogue: Catalogue) -> None:
    """What players' records hold and what scores are computed from has to fit, or nobody could be scored."""
    own = [place for place, feature in enumerate(catalogue.features) if feature.own]
    if card.features != list(catalogue.names):
        raise InputError(f"{path}: no scorecard: its features are not those of its catalogue")
    if card.habit != own:
        raise InputError(f"{path}: no scorecard: its habit is not of the features that features.yml says")


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
    if (named := _NAMED.search(path.stem)) is not None and named[1] != card.id:
        raise InputError(
            f"{path}: no scorecard: it was changed since it was laid there; put it back as it was, or remove "
            f"it and promote {named[1]} anew"
        )
    return micros(filed.effective_from), card


def file_scorecard(folder: Path, card: Scorecard, effective_from_us: int) -> Path:
    """Lay a scorecard beside the rules of a folder, in force from a whole millisecond; the oldest go.

    Raises
    ------
    InputError
        One that is there already is in force from that time on or later, or the folder cannot be written.
    """
    home = folder / FOLDER
    effective_from_us = whole(effective_from_us)
    known = check_fileable(folder, effective_from_us)
    path = home / f"{rfc3339_ms(effective_from_us).replace(':', '').replace('.000', '')}-{card.id}.json"
    text = msgspec.json.encode(
        {"effective_from": rfc3339_ms(effective_from_us), "scorecard": msgspec.Raw(card.to_json())}
    )
    try:
        home.mkdir(exist_ok=True)
        with replaced(path) as file:
            file.write(text)
        for _, _, old in known[: max(0, len(known) + 1 - KEPT)]:
            old.unlink()
    except OSError as error:
        raise InputError(f"{home}: {error.strerror or error}") from None
    return path


def check_fileable(folder: Path, effective_from_us: int) -> list[tuple[int, Scorecard, Path]]:
    """See whether a scorecard could be laid there, before anything else is done for it; those that are there.

    Raises
    ------
    InputError
        As `file_scorecard`.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of rules")
    known = _read_all(folder)
    if known and known[-1][0] >= whole(effective_from_us):
        since = rfc3339_ms(known[-1][0])
        raise InputError(f"{folder / FOLDER}: a scorecard is in force from {since} on; choose a later time")
    return known


def whole(at_us: int) -> int:
    """An instant as the files say it: in whole milliseconds."""
    return at_us - at_us % 1000
