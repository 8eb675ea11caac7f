"""What events say of players, kept by the time of the event: an older one that comes late changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from api.archive.events import Face
from api.players.facts import MINIMUM_AGE, MINIMUM_AGES
from api.players.tables import Identity
from api.store.adding import storable
from detector.events.instants import micros

Learnt = dict[str, tuple[int, Any]]
"""The name of a fact → the time of the event that says it, and what it says."""

OFTEN = ("brand", "jurisdiction")
AGAIN_US = 3_600_000_000
"""What nearly every event says is not written down again within an hour. An event that is late by less, and
says something else, may so be believed, until the next one comes."""
FACTS = ("brand", "jurisdiction", "language", "outcome", "over_age", "birth_year")


def learn(faces: Iterable[Face], homes: Mapping[str, str]) -> dict[str, Learnt]:
    """What events say, by player; nothing where an event says nothing but that the player is there.

    Parameters
    ----------
    homes
        Brand → its jurisdiction.
    """
    found: dict[str, Learnt] = {}
    for each in faces:
        if not each.player:
            continue
        player = storable(each.player)
        learnt = found.get(player)
        if learnt is None:
            learnt = found[player] = {}
        at_us = each.ts_us
        brand = each.brand
        if brand is not None:
            _say(learnt, "brand", at_us, brand)
        jurisdiction = each.jurisdiction or (None if brand is None else homes.get(brand))
        if jurisdiction is not None:
            _say(learnt, "jurisdiction", at_us, jurisdiction)
        if each.type == "player_profile":
            _say(learnt, "language", at_us, each.language)
            _say(learnt, "birth_year", at_us, each.birth_year)
        elif each.type == "identity_check":
            for name in ("outcome", "over_age", "birth_year"):
                _say(learnt, name, at_us, getattr(each, name))
    return found


def _say(learnt: Learnt, name: str, at_us: int, value: Any) -> None:
    if value is not None and (name not in learnt or learnt[name][0] <= at_us):
        learnt[name] = (at_us, storable(value) if isinstance(value, str) else value)


def is_news(name: str, said: tuple[int, Any], value: Any, value_us: int) -> bool:
    """Whether it is worth writing down."""
    at_us, told = said
    if name in OFTEN and told == value:
        return at_us - value_us >= AGAIN_US
    return at_us >= value_us and said != (value_us, value)


def merged(row: Mapping[str, Any], learnt: Learnt, default: str | None, now_us: int) -> dict[str, Any]:
    """A row with what was learnt since, and what follows from it."""
    new = dict(row)
    for name, (at_us, value) in learnt.items():
        if new[f"{name}_us"] <= at_us:
            new[name], new[f"{name}_us"] = value, at_us
    if not new["jurisdiction_us"]:
        new["jurisdiction"] = default
    new["adult_us"], new["identity"] = _age(new, now_us)
    return new


def _age(row: Mapping[str, Any], now_us: int) -> tuple[int | None, Identity]:
    outcome, over_age, birth_year = row["outcome"], row["over_age"], row["birth_year"]
    is_passed = outcome == "passed"
    adult_us = None
    if birth_year is not None:
        turns = birth_year + MINIMUM_AGES.get(row["jurisdiction"] or "", MINIMUM_AGE)
        # A year alone says only that the birthday comes within it; somebody who saw papers knows the day.
        adult_us = micros(datetime(turns if is_passed and over_age else turns + 1, 1, 1, tzinfo=UTC))
    if over_age is False or (adult_us is not None and now_us < adult_us):
        return adult_us, "under_age"
    return adult_us, "verified" if is_passed else "unverified"


def nothing_known(player: str, pseudonym: str, since_day: str) -> dict[str, Any]:
    """The row of somebody of whom nothing was heard yet."""
    row: dict[str, Any] = {"player": player, "pseudonym": pseudonym, "since_day": since_day}
    for name in FACTS:
        row[name], row[f"{name}_us"] = None, 0
    return row
