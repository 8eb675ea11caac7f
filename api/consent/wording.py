"""What players are asked, word for word: versioned texts whose hashes are locked.

A consent is worth what was read when it was given. So a text that was once in force never changes:
`lock.json` remembers the hash of each version in each language, and one that differs is not loaded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import msgspec
from ruamel.yaml import YAML

from api.audit.chain import canonical
from api.consent.schemas import ConsentKind
from api.referrals.protocol import Language, Purpose, Reason, Urgency
from detector.errors import StateError
from detector.events.instants import to_datetime

TextId = Literal["referral", "slip", "outcome", "donation"]
TEXTS: tuple[TextId, ...] = get_args(TextId)
LANGUAGES: tuple[Language, ...] = get_args(Language)

PLACEHOLDERS = frozenset(("partner", "sent", "until", "withdraw"))
"""All that is ever filled in: who, what is sent, for how long, and how to take it back."""

FOLDER = files("api.consent") / "texts"
LOCK = FOLDER / "lock.json"

_MONTHS: Mapping[Language, str] = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
}


class Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The words for what is sent; a text has those that its purpose needs."""

    and_: str = msgspec.field(name="and")
    urgency: dict[Urgency, str] = {}
    about: str | None = None
    reasons: dict[Reason, str] = {}
    contact_by: str | None = None
    contact: str | None = None
    outcome: str | None = None
    gives: str | None = None
    region: str | None = None
    code: str | None = None


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a text in one language."""

    title: str
    body: list[str]
    agree: str
    refuse: str
    withdraw: str
    sent: Sent


@dataclass(frozen=True, slots=True)
class Text:
    """One version of a text in one language, and the hash of its words before anything is filled in."""

    id: TextId
    version: int
    language: Language
    words: Words
    hash: str

    @property
    def name(self) -> str:
        """As it is referred to: `referral@1`."""
        return f"{self.id}@{self.version}"


@dataclass(frozen=True, slots=True)
class Told:
    """What a text speaks of this time; `contact` is whether details may be typed in."""

    partner: str
    until_us: int
    urgency: Urgency
    reasons: Sequence[Reason]
    contact: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as a player reads it; `hash` is of all these words, `text_hash` of the text they come from."""

    text: str
    language: Language
    title: str
    body: list[str]
    agree: str
    refuse: str
    text_hash: str
    hash: str

    @property
    def asks(self) -> ConsentKind:
        """Which consent a yes to it is."""
        return "outcome" if self.text.startswith("outcome@") else "referral"


def in_force(text_id: TextId, language: Language) -> Text:
    """The newest version of a text."""
    return max(
        (each for each in every_text() if each.id == text_id and each.language == language),
        key=lambda each: each.version,
    )


def texts_of(purpose: Purpose, *, is_sent: bool) -> tuple[TextId, ...]:
    """Which questions a prompt puts, the one that all hangs on first; `is_sent`: not only told by phone."""
    if purpose == "donation":
        return ("donation",)
    return ("referral" if is_sent else "slip", "outcome")


def show(text: Text, told: Told) -> Shown:
    """Fill a text in."""
    words = text.words
    values = {
        "partner": told.partner,
        "sent": _sent(words.sent, told),
        "until": day(told.until_us, text.language),
        "withdraw": words.withdraw,
    }
    title, agree, refuse = (_fill(each, values) for each in (words.title, words.agree, words.refuse))
    body = [_fill(each, values) for each in words.body]
    digest = _hash([text.name, text.language, title, body, agree, refuse])
    return Shown(text.name, text.language, title, body, agree, refuse, text.hash, digest)


def day(at_us: int, language: Language) -> str:
    """A day in words.

    >>> day(1_767_261_600_000_000, "en"), day(1_767_261_600_000_000, "fr")
    ('1 January 2026', '1er janvier 2026')
    """
    at = to_datetime(at_us)
    number = "1er" if language == "fr" and at.day == 1 else str(at.day)
    return f"{number} {_MONTHS[language].split()[at.month - 1]} {at.year}"


@cache
def every_text() -> Sequence[Text]:
    """Every version of every text in each language.

    Raises
    ------
    StateError
        One of them is not what was locked.
    """
    found = read_texts()
    locked = msgspec.json.decode(LOCK.read_bytes(), type=dict[str, dict[str, str]])
    for text in found:
        if locked.get(text.name, {}).get(text.language) != text.hash:
            raise StateError(f"the text {text.name} ({text.language}) is not what its lock says")
    return found


def read_texts() -> list[Text]:
    """The texts as they stand in their files, locked or not."""
    found = []
    for text_id in TEXTS:
        document = YAML(typ="safe", pure=True).load((FOLDER / f"{text_id}.yml").read_text("utf-8"))
        assert document["id"] == text_id
        for version, languages in document["versions"].items():
            for language in LANGUAGES:
                raw = languages[language]
                words = msgspec.convert(raw, Words)
                found.append(Text(text_id, version, language, words, _hash(raw)))
    return found


def placeholders(words: Words) -> set[str]:
    """What stands in braces anywhere in a text but in the words for what is sent."""
    told = [words.title, *words.body, words.agree, words.refuse, words.withdraw]
    return {name for each in told for name in re.findall(r"\{(\w+)\}", each)}


def listed(items: Sequence[str], last: str) -> str:
    """Items as a sentence lists them.

    >>> listed(["a", "b", "c"], "and")
    'a, b and c'
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def _sent(sent: Sent, told: Told) -> str:
    parts: list[str | None] = [
        sent.gives,
        sent.urgency.get(told.urgency),
        _fill(sent.about, {"reasons": listed([sent.reasons[each] for each in told.reasons], sent.and_)})
        if sent.about is not None and told.reasons
        else None,
        sent.contact_by,
        sent.contact if told.contact else None,
        sent.outcome,
        sent.region,
        sent.code,
    ]
    # Parts hold commas and an "and" of their own.
    return "; ".join(part for part in parts if part is not None)


def _fill(text: str, values: Mapping[str, str]) -> str:
    # In one pass: a partner's name may hold braces.
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], text)


def _hash(content: Any) -> str:
    return hashlib.sha256(canonical({"content": content}).encode()).hexdigest()
