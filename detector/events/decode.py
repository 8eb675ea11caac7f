"""Raw bytes become a typed event, or a refusal that says why, where and how to mend it.

The hot path decodes with msgspec and then proves by two counts that nothing else need be looked at; what that
proof does not cover is read a second time, exactly and more slowly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from detector.events.cloudevents import in_envelope, is_cloud_event, unwrap
from detector.events.document import Refused, blame, read_document, refuse
from detector.events.identity import digest, pack
from detector.events.instants import known_zones
from detector.events.money import Currencies
from detector.events.vocabulary import (
    EVENT_TYPES,
    LIMIT_KINDS,
    WIRE_FIELDS,
    AnyEvent,
    Event,
    FieldKind,
    OfLimit,
    PlayerProfile,
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
    "unmapped",
    "ahead_of_receipt",
    "conflict",
)
"""Why an event is refused.

`unmapped` is said of a foreign message for which its mapping file has no event;
`conflict` is the engine's (an id seen before with different content).
"""

CONFLICT = "$.id: was sent before with other content; a correction is an event of its own that names it"
"""The detail of a conflict, whoever tells it."""

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
    content
        `fingerprint` of the event decoded last: it falls out of decoding.
    """

    def __init__(self, currencies: Currencies, max_bytes: int = MAX_BYTES) -> None:
        self.unknown_fields: Counter[str] = Counter()
        self.content = 0
        self._max_bytes = max_bytes
        self._parse: Callable[[bytes], AnyEvent] = msgspec.json.Decoder(AnyEvent).decode
        self._known = frozenset(currencies.exponents)

    def decode(self, raw: bytes, received_at: datetime | None = None) -> AnyEvent | Refusal:
        """Decode one event.

        Parameters
        ----------
        raw
            One JSON object in UTF-8: an event, or one in a structured CloudEvent.
        received_at
            The aware time of receipt, at live intake only: a `ts` more than 5 minutes ahead of it is refused.
        """
        if len(raw) > self._max_bytes:
            return Refusal("too_large", f"$: send at most {self._max_bytes} bytes an event", raw)
        try:
            event = self._parse(raw)
            packed = pack(event)
        except OverflowError:
            return Refusal("wrong_field", f"$.{_beyond(event)}: lies outside the years 1 to 9999 in UTC", raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._second_look(raw, error, received_at)
        # Of the object's K keys all but one follow a comma, so K <= commas + 1. The packed form begins with
        # the number of keys it has itself, P: one for `type` and each field that is set. Each of those came
        # from a key of its own, so K >= P. Where commas + 1 = P, K is exactly that, and no key is left over
        # that could be a repeat, a null or outside the vocabulary, however the document is spaced or escaped.
        # A comma within a text, or a nested object, only sends the event the slow way.
        head = packed[0]
        keys = head & 15 if head < _MAP16 else packed[2]
        paid = _PAID[event.__class__]
        if (
            raw.count(b",") + 1 != keys
            or paid is None
            or event.replaces is not None
            or (paid and event.currency not in self._known)  # type: ignore[union-attr, operator]
        ):
            try:
                event = self._examine(event, raw)
            except Refused as refused:
                return Refusal(refused.reason, refused.detail, raw)
            packed = pack(event)
        self.content = digest(packed)
        if received_at is not None and event.ts > received_at + AHEAD:
            return Refusal("ahead_of_receipt", "$.ts: lies more than 5 minutes ahead of the receipt", raw)
        return event

    def _examine(self, event: AnyEvent, raw: bytes) -> AnyEvent:
        """Do by the book what the hot path could not prove, and make whole what a correction carries."""
        document = read_document(raw)
        self._check(event, "$")
        ignored = _unknown(event.type, document)
        if event.replaces is not None or event.replaced is not None:
            if isinstance(event, (Void, Tick)):
                refuse("wrong_field", "$.replaces", f"a {event.type} replaces nothing; leave it out")
            if event.replaced is None:
                refuse("missing_field", "$.replaced", "carry the event that `replaces` names")
            if event.replaces is None:
                refuse("missing_field", "$.replaces", "name the event that `replaced` carries")
            if event.replaces == event.id:
                refuse("wrong_field", "$.replaces", "an event cannot replace itself")
            event.replaced = self._whole(event, event.replaces, event.replaced, document, "replaced")
            ignored |= _unknown(event.replaced.type, document["replaced"])
        if isinstance(event, Void):
            if event.target == event.id:
                refuse("wrong_field", "$.target", "an event cannot void itself")
            event.voided = self._whole(event, event.target, event.voided, document, "voided")
            ignored |= _unknown(event.voided.type, document["voided"])
        self._count(ignored)
        return event

    def _count(self, ignored: set[str]) -> None:
        for name in ignored:
            known = name in self.unknown_fields or len(self.unknown_fields) < MAX_UNKNOWN_NAMES
            self.unknown_fields[name if known else name.partition(".")[0] + ".*"] += 1

    def _second_look(self, raw: bytes, error: Exception, received_at: datetime | None) -> AnyEvent | Refusal:
        """Take the event out of a CloudEvent, or say what made msgspec stop at `error`.

        Nobody looks for an envelope before this, so that events without one do not pay for it.
        """
        try:
            document = read_document(raw)
            if not is_cloud_event(document):
                if not isinstance(error, msgspec.ValidationError):
                    refuse("not_json", "$", "a text or number is malformed, such as half of a surrogate pair")
                blame(document, str(error))
            flat, left_out = unwrap(raw, document)
        except Refused as refused:
            return Refusal(refused.reason, refused.detail, raw)
        event = self.decode(flat, received_at)
        if isinstance(event, Refusal):
            return Refusal(event.reason, in_envelope(event.detail), raw)
        self._count({_of_type(event.type, name) for name in left_out})
        return event

    def _whole(
        self, carrier: Event, event_id: str, carried: AnyEvent, document: Mapping[str, Any], at: str
    ) -> AnyEvent:
        """Make a real event of a carried one: its id is the one corrected, its player is the carrier's."""
        for name in ("replaces", "replaced"):
            if document[at].get(name) is not None:
                refuse("wrong_field", f"$.{at}.{name}", "a carried event corrects nothing; leave it out")
        values = {name: getattr(carried, name) for name in carried.__struct_fields__}
        values["brand"] = carried.brand or carrier.brand
        values["jurisdiction"] = carried.jurisdiction or carrier.jurisdiction
        make: Any = EVENT_TYPES[document[at]["type"]]
        event: AnyEvent = make(id=event_id, source=carrier.source, player=carrier.player, **values)
        self._check(event, f"$.{at}")
        return event

    def _check(self, event: AnyEvent, path: str) -> None:
        """What single-field constraints cannot say."""
        currency = getattr(event, "currency", None)
        if currency is not None and currency not in self._known:
            refuse("unknown_currency", f"{path}.currency", "use an ISO 4217 code, or declare it as your own")
        if isinstance(event, OfLimit) and currency is None:
            of_money = LIMIT_KINDS[event.limit] is FieldKind.MONEY
            if of_money and (isinstance(event.old, int) or isinstance(event.new, int)):
                refuse("missing_field", f"{path}.currency", "a limit of money needs its currency")
        if isinstance(event, PlayerProfile):
            zone = event.timezone
            if zone is not None and zone not in known_zones():
                refuse("wrong_field", f"{path}.timezone", "use an IANA name, such as America/Toronto")


_KNOWN_NAMES = {name: frozenset(fields) | {"type"} for name, fields in WIRE_FIELDS.items()}


def _unknown(type_name: str, members: Mapping[str, Any]) -> set[str]:
    names = members.keys() - _KNOWN_NAMES[type_name]
    return {_of_type(type_name, name) for name in names}


def _of_type(type_name: str, name: str) -> str:
    return f"{type_name}.{name}" if len(name) <= 64 else f"{type_name}.*"


def _beyond(event: AnyEvent) -> str:
    """The field whose instant has no UTC form."""
    for name in event.__struct_fields__:
        try:
            pack(getattr(event, name))
        except OverflowError:
            return name
    return "ts"


def _paid(name: str, each: type[Event]) -> bool | None:
    """Whether a plain type always has a currency; None for one that is not plain.

    A plain type's constraints all lie in single fields, and each of its optional fields is `None` if absent.
    """
    if each in (Void, Tick, PlayerProfile) or issubclass(each, OfLimit):
        return None
    currency = WIRE_FIELDS[name].get("currency")
    return currency is not None and currency.required


_PAID = {each: _paid(name, each) for name, each in EVENT_TYPES.items()}
_MAP16 = 0x90  # from here on a packed map gives its number of keys in two bytes more
