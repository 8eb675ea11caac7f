"""Raw bytes become a typed event, or a refusal that says why, where and how to mend it.

The hot path decodes with msgspec and then proves by two counts that nothing else need be looked at; whatever
that proof does not cover is read a second time, exactly and slowly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from detector.events.document import Refused, blame, read_document, refuse
from detector.events.instants import known_zones
from detector.events.money import Currencies
from detector.events.vocabulary import (
    EVENT_TYPES,
    LIMIT_KINDS,
    WIRE_FIELDS,
    AnyEvent,
    Bet,
    Contact,
    Event,
    FieldKind,
    OfLimit,
    Payment,
    PlayerProfile,
    SessionEnd,
    SessionStart,
    Tick,
    Void,
)

REASONS = (
    "not_json",
    "duplicate_key",
    "unknown_type",
    "missing_field",
    "wrong_field",
    "no_zone",
    "negative_money",
    "fractional_money",
    "huge_money",
    "unknown_currency",
    "too_large",
    "ahead_of_receipt",
    "conflict",
)
"""Why an event is refused; `conflict` is the engine's (an id seen before with different content)."""

MAX_BYTES = 65_536
MAX_UNKNOWN_NAMES = 1_000
AHEAD = timedelta(minutes=5)


class Refusal(Struct, frozen=True):
    """Why an event was not taken.

    `reason` is one of REASONS; `detail` names the JSON path and the mend, and never repeats a value of the
    event, since it ends in logs; `original` is what came in, byte for byte.
    """

    reason: str
    detail: str
    original: bytes


class Decoder:
    """Decodes events; one is enough for a process.

    Parameters
    ----------
    currencies
        The currencies that money may be in.
    max_bytes
        The longest event taken, in bytes.

    Attributes
    ----------
    unknown_fields
        How often each field outside the vocabulary was ignored, as "type.field". Senders choose these names,
        so past MAX_UNKNOWN_NAMES of them the rest is counted as "type.*".
    """

    def __init__(self, currencies: Currencies, max_bytes: int = MAX_BYTES) -> None:
        self.unknown_fields: Counter[str] = Counter()
        self._currencies = currencies
        self._max_bytes = max_bytes
        self._parse: Callable[[bytes], AnyEvent] = msgspec.json.Decoder(AnyEvent).decode
        self._plain = _plain_types(currencies)

    def decode(self, raw: bytes, received_at: datetime | None = None) -> AnyEvent | Refusal:
        """Decode one event.

        Parameters
        ----------
        raw
            One JSON object in UTF-8.
        received_at
            The aware time of receipt, at live intake only: a `ts` more than 5 minutes ahead of it is refused.
        """
        if len(raw) > self._max_bytes:
            return Refusal("too_large", f"$: send at most {self._max_bytes} bytes an event", raw)
        try:
            event = self._parse(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return _refusal_of(raw, error)
        # Of the object's K keys all but one follow a comma, so K <= commas + 1; `type` and each field that is
        # set came from a key of their own, so K >= 1 + set. Where commas = set, K is exactly that, and no key
        # is left over that could be a repeat, a null or outside the vocabulary, however the document is
        # spaced or escaped. A comma within a text, or a nested object, only sends the event the slow way.
        fields, sound = self._plain.get(event.__class__, _NEVER)
        if raw.count(b",") + astuple(event).count(None) != fields or not sound(event):
            try:
                event = self._examine(event, raw)
            except Refused as refused:
                return Refusal(refused.reason, refused.detail, raw)
        if received_at is not None and event.ts > received_at + AHEAD:
            return Refusal("ahead_of_receipt", "$.ts: lies more than 5 minutes ahead of the receipt", raw)
        return event

    def _examine(self, event: AnyEvent, raw: bytes) -> AnyEvent:
        """Do by the book what the hot path could not prove, and make whole what a correction carries."""
        document = read_document(raw)
        ignored = self._unknown(event.type, document)
        self._check(event, "$")
        if isinstance(event, Void | Tick) and (event.replaces is not None or event.replaced is not None):
            refuse("wrong_field", "$.replaces", f"a {event.type} replaces nothing; leave it out")
        if isinstance(event, Void):
            event.voided = self._whole(event, event.voided, event.target, "target", "voided", document)
            ignored += self._unknown(event.voided.type, document["voided"])
        elif event.replaced is not None and event.replaces is not None:
            event.replaced = self._whole(
                event, event.replaced, event.replaces, "replaces", "replaced", document
            )
            ignored += self._unknown(event.replaced.type, document["replaced"])
        elif event.replaces is not None:
            refuse("missing_field", "$.replaced", "carry the event that `replaces` names")
        elif event.replaced is not None:
            refuse("missing_field", "$.replaces", "name the event that `replaced` carries")
        for name in ignored:
            known = name in self.unknown_fields or len(self.unknown_fields) < MAX_UNKNOWN_NAMES
            self.unknown_fields[name if known else name.partition(".")[0] + ".*"] += 1
        return event

    def _whole(
        self, carrier: Event, carried: Event, of: str, naming: str, holding: str, document: Mapping[str, Any]
    ) -> AnyEvent:
        """Make a real event of what a correction carries: its id is named by it, its player the carrier's."""
        if of == carrier.id:
            refuse("wrong_field", f"$.{naming}", "an event cannot correct itself")
        members = document[holding]
        for name in ("replaces", "replaced"):
            if members.get(name) is not None:
                refuse("wrong_field", f"$.{holding}.{name}", "a carried event corrects nothing; leave it out")
        values = {name: getattr(carried, name) for name in carried.__struct_fields__}
        values["brand"] = carried.brand or carrier.brand
        values["jurisdiction"] = carried.jurisdiction or carrier.jurisdiction
        make: Any = EVENT_TYPES[members["type"]]
        event: AnyEvent = make(id=of, source=carrier.source, player=carrier.player, **values)
        self._check(event, f"$.{holding}")
        return event

    def _check(self, event: AnyEvent, path: str) -> None:
        """What single-field constraints cannot say."""
        for name in _INSTANTS[event.__class__]:
            instant = getattr(event, name)
            if instant is not None and not _in_range(instant):
                refuse("wrong_field", f"{path}.{name}", "must lie within the years 2 to 9998")
        currency = getattr(event, "currency", None)
        if currency is not None and currency not in self._currencies:
            refuse("unknown_currency", f"{path}.currency", "use an ISO 4217 code, or declare it as your own")
        if isinstance(event, OfLimit) and currency is None:
            of_money = LIMIT_KINDS[event.limit] is FieldKind.MONEY
            if of_money and (isinstance(event.old, int) or isinstance(event.new, int)):
                refuse("missing_field", f"{path}.currency", "a limit of money needs its currency")
        if isinstance(event, PlayerProfile):
            zone = event.timezone
            if zone is not None and zone not in known_zones():
                refuse("wrong_field", f"{path}.timezone", "use an IANA name, such as America/Toronto")

    @staticmethod
    def _unknown(type_name: str, members: Mapping[str, Any]) -> list[str]:
        names = members.keys() - WIRE_FIELDS[type_name].keys() - {"type"}
        return [f"{type_name}.{name}" if len(name) <= 64 else f"{type_name}.*" for name in names]


def _in_range(instant: datetime) -> bool:
    # A day's margin, so that neither another zone nor a day's rounding leaves the years a datetime can hold.
    return 1 < instant.year < 9999


_Sound = Callable[[Any], bool]
_NEVER: tuple[int, _Sound] = (-1, lambda event: False)


def _plain_types(currencies: Currencies) -> dict[type[Event], tuple[int, _Sound]]:
    """Of the common types: how many fields they have, and what else must hold for `_examine` to be needless.

    Their fields must be `None` when absent, for the hot path counts those.
    """
    known = dict(currencies.exponents)

    def timely(event: Event) -> bool:
        return event.replaces is None and 1 < event.ts.year < 9999

    def paid(event: Payment) -> bool:
        return event.currency in known and event.replaces is None and 1 < event.ts.year < 9999

    def settled(event: Bet) -> bool:
        placed_at = event.placed_at
        return (
            event.currency in known
            and event.replaces is None
            and 1 < event.ts.year < 9999
            and (placed_at is None or 1 < placed_at.year < 9999)
        )

    sound: dict[type[Event], _Sound] = {
        SessionStart: timely,
        SessionEnd: timely,
        Contact: timely,
        Bet: settled,
    }
    sound |= {each: paid for each in EVENT_TYPES.values() if issubclass(each, Payment)}
    return {each: (len(each.__struct_fields__), holds) for each, holds in sound.items()}


_INSTANTS: Mapping[type[Event], tuple[str, ...]] = {
    each: tuple(field for field, spec in WIRE_FIELDS[name].items() if spec.kind is FieldKind.INSTANT)
    for name, each in EVENT_TYPES.items()
}


def _refusal_of(raw: bytes, error: Exception) -> Refusal:
    """Say what made msgspec stop at `error`."""
    try:
        document = read_document(raw)
        if not isinstance(error, msgspec.ValidationError):
            refuse("not_json", "$", "a text or number is malformed, such as half of a surrogate pair")
        blame(document, str(error))
    except Refused as refused:
        return Refusal(refused.reason, refused.detail, raw)
