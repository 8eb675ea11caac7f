"""To which aid organisation a player is referred: pure functions over the register."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from api.partners.schemas import Entry
from api.referrals.protocol import Language, Purpose
from detector.events.instants import micros

Protection = Literal["same_country", "adequate", "contract"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody is looked for to do."""

    purpose: Purpose
    jurisdiction: str
    language: Language
    now_us: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """An organisation that is not suspended, and to how many players it was named this hour."""

    id: str
    entry: Entry
    load: int


def serves(entry: Entry, jurisdiction: str) -> bool:
    """Whether it serves players of a jurisdiction, by its name or by its country's."""
    return jurisdiction in entry.jurisdictions or country(jurisdiction) in entry.jurisdictions


def protection(entry: Entry, jurisdiction: str) -> Protection | None:
    """What protects what is sent there: it stays in the country, or safeguards are in place."""
    if country(jurisdiction) == entry.location:
        return "same_country"
    own = entry.safeguards.get(jurisdiction) or entry.safeguards.get(country(jurisdiction), "none")
    return None if own == "none" else own


def fits(entry: Entry, wish: Wish) -> bool:
    """Whether an organisation may be named to a player at all."""
    return (
        wish.purpose in entry.purposes
        and (wish.purpose == "help" or entry.is_sent_to)  # who would give is sent a link
        and wish.language in entry.languages
        and serves(entry, wish.jurisdiction)
        and protection(entry, wish.jurisdiction) is not None
        and wish.now_us < micros(entry.mou.expires_at)
    )


def choose(candidates: Iterable[Candidate], wish: Wish) -> Candidate | None:
    """Of those that fit and have capacity left this hour, the one with the smallest share of it taken."""
    found = [
        each for each in candidates if fits(each.entry, wish) and each.load < each.entry.capacity_per_hour
    ]
    return min(
        found, key=lambda each: (Fraction(each.load, each.entry.capacity_per_hour), each.id), default=None
    )


def country(jurisdiction: str) -> str:
    """The country of a jurisdiction."""
    return jurisdiction.partition("-")[0]
