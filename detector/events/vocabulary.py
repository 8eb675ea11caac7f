"""The vocabulary: one struct a type of event, from which decoder, rule typing and JSON Schema all derive.

An absent optional field is `None`; only a limit's `old` and `new` tell absent (`UNSET`) from JSON null
("no limit"). Money is in minor units of the event's `currency`.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType, NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union

import msgspec
from msgspec import NODEFAULT, UNSET, Meta, Struct, UnsetType

MAX_MONEY = 2**53 - 1  # the largest integer below which JSON's doubles, here and elsewhere, are exact


class FieldKind(StrEnum):
    """What a field holds, as far as a rule may reckon with it."""

    MONEY = "money"  # minor units of the event's currency
    COUNT = "count"
    NUMBER = "number"
    MINUTES = "minutes"
    DURATION = "duration"  # microseconds
    TEXT = "text"
    INSTANT = "instant"
    TRUTH = "truth"
    BY_LIMIT = "by_limit"  # the kind that LIMIT_KINDS gives for the event's `limit`
    EVENT = "event"  # the event that a correction carries; no rule reads it


def _is(kind: FieldKind) -> dict[str, FieldKind]:
    return {"kind": kind}


Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=128, extra=_is(FieldKind.TEXT))]
IdOrNone: TypeAlias = Annotated[str, Meta(max_length=128, extra=_is(FieldKind.TEXT))]  # "" for none
Code: TypeAlias = Annotated[str, Meta(max_length=64, extra=_is(FieldKind.TEXT))]
# Which currencies are known is the deployment's business, so the decoder looks them up.
CurrencyCode: TypeAlias = Annotated[
    str, Meta(extra=_is(FieldKind.TEXT), extra_json_schema={"minLength": 3, "maxLength": 16})
]
Money: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_MONEY, extra=_is(FieldKind.MONEY))]
LimitValue: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_MONEY, extra=_is(FieldKind.BY_LIMIT))]
Share: TypeAlias = Annotated[float, Meta(ge=0, extra=_is(FieldKind.NUMBER))]
Year: TypeAlias = Annotated[int, Meta(ge=1900, le=2100, extra=_is(FieldKind.COUNT))]
Instant: TypeAlias = Annotated[datetime, Meta(tz=True, extra=_is(FieldKind.INSTANT))]

Limit: TypeAlias = Literal["deposit", "deposit_count", "loss", "stake", "time"]
Period: TypeAlias = Literal["24h", "7d", "month"]
Topic: TypeAlias = Literal["distress", "financial_strain", "bonus_request", "threat", "other"]
Outcome: TypeAlias = Literal["passed", "failed", "pending"]

LIMIT_KINDS: Mapping[str, FieldKind] = MappingProxyType(
    {
        "deposit": FieldKind.MONEY,
        "deposit_count": FieldKind.COUNT,
        "loss": FieldKind.MONEY,
        "stake": FieldKind.MONEY,
        "time": FieldKind.MINUTES,
    }
)


def _type_name(class_name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", class_name).lower()


class Event(Struct, tag_field="type", tag=_type_name, kw_only=True, gc=False, omit_defaults=True):
    """What every event has; `type` on the wire is the class's name in snake_case."""

    id: Id
    source: Id
    player: Id
    ts: Instant
    brand: Id | None = None
    jurisdiction: Code | None = None
    session: Id | None = None
    replaces: Id | None = None
    replaced: Carried | None = None

    @property
    def type(self) -> str:
        """The type as written on the wire."""
        return TYPE_OF[self.__class__]


class SessionStart(Event):
    channel: Code | None = None
    reason: Code | None = None


class SessionEnd(Event):
    channel: Code | None = None
    reason: Code | None = None


class Payment(Event):
    """Money moving between the player and the platform; `payment` links the steps of one payment."""

    amount: Money
    currency: CurrencyCode
    payment: Id | None = None


class Deposit(Payment):
    method: Code | None = None
    balance_after: Money | None = None
    reason: Code | None = None


class DepositFailed(Payment):
    method: Code | None = None
    balance_after: Money | None = None
    reason: Code | None = None


class WithdrawalRequest(Payment):
    method: Code | None = None


class WithdrawalCancel(Payment):
    method: Code | None = None


class Withdrawal(Payment):
    method: Code | None = None


class Refund(Payment):
    wagering_required: Money | None = None


class Bonus(Payment):
    wagering_required: Money | None = None


class Bet(Event):
    """A settled round or wager: `ts` is when it was settled, `stake` is real and bonus money together."""

    stake: Money
    payout: Money
    currency: CurrencyCode
    bonus_stake: Money | None = None
    product: Code | None = None
    game: Id | None = None
    placed_at: Instant | None = None
    balance_after: Money | None = None

    @property
    def net_loss(self) -> int:
        """What the player lost (negative: won), in minor units."""
        return self.stake - self.payout


class Void(Event):
    """Undoes the event named by `target`, which it carries in `voided`."""

    target: Id
    voided: Carried


class Tick(Event):
    """Sets its partition's watermark to `ts`; of no player."""

    id: IdOrNone = ""
    source: IdOrNone = ""
    player: IdOrNone = ""


class OfLimit(Event):
    limit: Limit
    period: Period | None = None
    old: LimitValue | UnsetType | None = UNSET
    new: LimitValue | UnsetType | None = UNSET
    currency: CurrencyCode | None = None
    share: Share | None = None


class LimitChange(OfLimit):
    pass


class LimitReached(OfLimit):
    pass


class BreakStart(Event):
    until: Instant | None = None


class SelfExclusion(Event):
    until: Instant | None = None


class SelfExclusionEnd(Event):
    until: Instant | None = None


class Contact(Event):
    """The player said something that matters: a code, never the words."""

    topic: Topic


class IdentityCheck(Event):
    outcome: Outcome
    over_age: bool | None = None
    birth_year: Year | None = None


class PlayerProfile(Event):
    """What holds for the player from `ts` on; `timezone` is an IANA name."""

    timezone: Code | None = None
    birth_year: Year | None = None
    language: Code | None = None


AnyEvent: TypeAlias = (
    SessionStart
    | SessionEnd
    | Deposit
    | DepositFailed
    | WithdrawalRequest
    | WithdrawalCancel
    | Withdrawal
    | Bet
    | Void
    | Tick
    | Refund
    | Bonus
    | LimitChange
    | LimitReached
    | BreakStart
    | SelfExclusion
    | SelfExclusionEnd
    | Contact
    | IdentityCheck
    | PlayerProfile
)

EVENT_TYPES: Mapping[str, type[Event]] = MappingProxyType(
    {_type_name(each.__name__): each for each in typing.get_args(AnyEvent)}
)
TYPE_OF: Mapping[type[Event], str] = MappingProxyType({each: name for name, each in EVENT_TYPES.items()})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of one type.

    Parameters
    ----------
    kind
        What it holds.
    required
        Whether every event of the type bears it (a derived field: whether it is always known).
    choices
        The closed set it is drawn from; empty if open.
    derived
        Whether tiltwatch works it out, so that it never stands on the wire.
    """

    kind: FieldKind
    required: bool = False
    choices: tuple[str, ...] = ()
    derived: bool = False


_HINTS: Mapping[type[Event], dict[str, Any]] = {
    each: typing.get_type_hints(each, localns={"Carried": Event}, include_extras=True) for each in TYPE_OF
}
_DEFAULTS: Mapping[type[Event], dict[str, Any]] = {
    each: dict(zip(reversed(each.__struct_fields__), reversed(each.__struct_defaults__), strict=False))
    for each in TYPE_OF
}
_PLAIN_KINDS = {bool: FieldKind.TRUTH, str: FieldKind.TEXT, Event: FieldKind.EVENT}


def _field(hint: Any, default: Any) -> Field:
    """Read a field's annotation, `X` or `X | None` or `X | UnsetType | None`."""
    required = default is NODEFAULT
    options = typing.get_args(hint) if typing.get_origin(hint) in (Union, UnionType) else (hint,)
    (core,) = (option for option in options if option not in (NoneType, UnsetType))
    if typing.get_origin(core) is Literal:
        return Field(FieldKind.TEXT, required, choices=typing.get_args(core))
    for note in getattr(core, "__metadata__", ()):
        return Field(note.extra["kind"], required)
    return Field(_PLAIN_KINDS[core], required)


WIRE_FIELDS: Mapping[str, Mapping[str, Field]] = MappingProxyType(
    {
        name: MappingProxyType(
            {
                field: _field(hint, _DEFAULTS[each].get(field, NODEFAULT))
                for field, hint in _HINTS[each].items()
            }
        )
        for name, each in EVENT_TYPES.items()
    }
)
"""Type → field → what it is, for every field that may stand on the wire beside `type`."""

MONEY_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        name: tuple(field for field, spec in fields.items() if spec.kind is FieldKind.MONEY)
        for name, fields in WIRE_FIELDS.items()
    }
)
"""Type → its fields on the wire that are always money."""

_DERIVED = {
    "local_hour": Field(FieldKind.COUNT, required=True, derived=True),
    "local_date": Field(FieldKind.TEXT, required=True, derived=True),
    "gap": Field(FieldKind.DURATION, derived=True),
}
_DERIVED_OF: Mapping[str, Mapping[str, Field]] = {
    "bet": {"net_loss": Field(FieldKind.MONEY, required=True, derived=True)},
    # Raised or removed; unknown where the change does not say from what to what.
    "limit_change": {"loosened": Field(FieldKind.TRUTH, derived=True)},
}
_NO_QUANTITY = ("void", "tick")

SESSION_SUMMARY = "session_summary"
"""The event that tiltwatch derives when a session closes; no feed sends it."""

_SUMMARY: Mapping[str, Field] = MappingProxyType(
    {
        "minutes": Field(FieldKind.NUMBER, required=True, derived=True),
        "deposits": Field(FieldKind.COUNT, required=True, derived=True),
        "deposited": Field(FieldKind.MONEY, derived=True),
        "bets": Field(FieldKind.COUNT, required=True, derived=True),
        "staked": Field(FieldKind.MONEY, derived=True),
        "net_loss": Field(FieldKind.MONEY, derived=True),
        "stake_first": Field(FieldKind.MONEY, derived=True),
        "stake_max": Field(FieldKind.MONEY, derived=True),
        "stake_std": Field(FieldKind.MONEY, derived=True),
        "stake_trend": Field(FieldKind.MONEY, derived=True),  # an hour
        "depleted": Field(FieldKind.TRUTH, derived=True),
        "gap_after_loss": Field(FieldKind.DURATION, derived=True),
        "gap_after_win": Field(FieldKind.DURATION, derived=True),
        "gap": _DERIVED["gap"],
    }
)


class Unrated:
    """Stands for money that is there but that no rate could convert."""


UNRATED = Unrated()
SummedMoney: TypeAlias = float | Unrated | None


class SessionSummary(Struct, kw_only=True, gc=False):
    """What a session was like, as of its closing; money in minor units of the player's first currency.

    Durations are µs, `stake_trend` is money an hour; None where there is nothing to tell.
    """

    currency: str | None
    minutes: float
    deposits: int
    deposited: SummedMoney
    bets: int
    staked: SummedMoney
    net_loss: SummedMoney
    stake_first: SummedMoney
    stake_max: SummedMoney
    stake_std: SummedMoney
    stake_trend: SummedMoney
    depleted: bool | None
    gap_after_loss: int | None
    gap_after_win: int | None
    brand: None = None
    jurisdiction: None = None


FIELDS: Mapping[str, Mapping[str, Field]] = MappingProxyType(
    {
        name: MappingProxyType(
            {field: spec for field, spec in fields.items() if spec.kind is not FieldKind.EVENT}
            | _DERIVED
            | dict(_DERIVED_OF.get(name, {}))
        )
        for name, fields in WIRE_FIELDS.items()
        if name not in _NO_QUANTITY
    }
    | {SESSION_SUMMARY: _SUMMARY}
)
"""Type → field → what it is, for everything that a rule may count, aggregate or ask for in `where`."""


# A carried event is written without what its carrier says already (id, source, player) and corrects
# nothing itself. Once decoded it is a whole event again, hence the two readings of one name.
CARRIER_FIELDS = ("id", "source", "player", "replaces", "replaced")

if TYPE_CHECKING:
    Carried: TypeAlias = AnyEvent
    CARRIED_TYPES: Mapping[str, type[Struct]]
else:

    def _carried(name: str, each: type[Event]) -> type[Struct]:
        fields = [
            (field, hint, _DEFAULTS[each].get(field, NODEFAULT))
            for field, hint in _HINTS[each].items()
            if field not in CARRIER_FIELDS
        ]
        return msgspec.defstruct(
            f"Carried{each.__name__}", fields, tag_field="type", tag=name, kw_only=True, gc=False
        )

    CARRIED_TYPES = {name: _carried(name, each) for name, each in EVENT_TYPES.items() if name in FIELDS}
    Carried = Union[tuple(CARRIED_TYPES.values())]  # noqa: UP007
