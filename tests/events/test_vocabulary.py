"""The vocabulary says what the design says, and its tables follow from its structs."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from detector.events.vocabulary import (
    CARRIED_TYPES,
    EVENT_TYPES,
    FIELDS,
    LIMIT_KINDS,
    MONEY_FIELDS,
    SESSION_SUMMARY,
    TYPE_OF,
    WIRE_FIELDS,
    Bet,
    Event,
    Field,
    FieldKind,
    Limit,
)
from tests.events.samples import SAMPLES

# The table of the design: type → its own fields, required ones in capitals.
DESIGN = {
    "session_start session_end": "channel reason",
    "deposit deposit_failed": "AMOUNT CURRENCY method payment balance_after reason",
    "withdrawal_request withdrawal_cancel withdrawal": "AMOUNT CURRENCY method payment",
    "bet": "STAKE PAYOUT CURRENCY bonus_stake product game placed_at balance_after",
    "void": "TARGET VOIDED",
    "tick": "",
    "refund bonus": "AMOUNT CURRENCY payment wagering_required",
    "limit_change limit_reached": "LIMIT period old new currency share",
    "break_start self_exclusion self_exclusion_end": "until",
    "contact": "TOPIC",
    "identity_check": "OUTCOME over_age birth_year",
    "player_profile": "timezone birth_year language",
}
COMMON = "ID SOURCE PLAYER TS brand jurisdiction session replaces replaced"


@pytest.mark.parametrize(("types", "fields"), DESIGN.items())
def test_each_type_has_the_fields_of_the_design(types: str, fields: str) -> None:
    for name in types.split():
        common = COMMON.replace("ID SOURCE PLAYER", "id source player") if name == "tick" else COMMON
        wanted = {each.lower(): each.isupper() for each in f"{common} {fields}".split()}
        assert {field: spec.required for field, spec in WIRE_FIELDS[name].items()} == wanted


def test_no_type_is_missing() -> None:
    named = {name for types in DESIGN for name in types.split()}
    assert set(EVENT_TYPES) == named == set(SAMPLES) == set(WIRE_FIELDS) == set(MONEY_FIELDS)
    assert all(EVENT_TYPES[name] is each for each, name in TYPE_OF.items())


def test_samples_bear_every_field_but_a_voids_own_correction() -> None:
    for name, sample in SAMPLES.items():
        left_out = {"replaces", "replaced"} if name in ("void", "tick") else set()
        assert set(sample) == {"type", *WIRE_FIELDS[name]} - left_out


def test_closed_sets() -> None:
    choices = {
        field: spec.choices
        for fields in WIRE_FIELDS.values()
        for field, spec in fields.items()
        if spec.choices
    }
    assert choices == {
        "limit": ("deposit", "deposit_count", "loss", "stake", "time"),
        "period": ("24h", "7d", "month"),
        "topic": ("distress", "financial_strain", "bonus_request", "threat", "other"),
        "outcome": ("passed", "failed", "pending"),
    }
    assert set(LIMIT_KINDS) == set(choices["limit"]) == set(get_args(Limit))


def test_kinds_of_fields() -> None:
    assert MONEY_FIELDS["bet"] == ("stake", "payout", "bonus_stake", "balance_after")
    assert set(MONEY_FIELDS["bonus"]) == {"amount", "wagering_required"}
    assert MONEY_FIELDS["limit_change"] == ()
    assert FIELDS["limit_change"]["new"] == Field(FieldKind.BY_LIMIT)
    assert FIELDS["limit_reached"]["share"] == Field(FieldKind.NUMBER)
    assert FIELDS["identity_check"]["over_age"] == Field(FieldKind.TRUTH)
    assert FIELDS["identity_check"]["birth_year"] == Field(FieldKind.COUNT)
    assert FIELDS["break_start"]["until"] == Field(FieldKind.INSTANT)
    assert FIELDS["deposit"]["method"] == Field(FieldKind.TEXT)


def test_rules_see_derived_fields_and_no_corrections() -> None:
    assert set(FIELDS) == set(EVENT_TYPES) - {"void", "tick"} | {SESSION_SUMMARY}
    assert all(spec.derived for spec in FIELDS[SESSION_SUMMARY].values())
    for name, fields in FIELDS.items():
        assert "replaced" not in fields
        if name == SESSION_SUMMARY:
            continue
        derived = {field for field, spec in fields.items() if spec.derived}
        own = {"bet": {"net_loss"}, "limit_change": {"loosened"}}.get(name, set())
        assert derived == {"local_hour", "local_date", "gap"} | own
    assert FIELDS["bet"]["net_loss"] == Field(FieldKind.MONEY, required=True, derived=True)
    assert FIELDS["deposit"]["gap"] == Field(FieldKind.DURATION, derived=True)


def test_a_carried_type_is_its_type_without_what_the_carrier_says() -> None:
    for name, struct in CARRIED_TYPES.items():
        assert set(struct.__struct_fields__) == set(WIRE_FIELDS[name]) - {
            "id",
            "source",
            "player",
            "replaces",
            "replaced",
        }
        assert struct.__struct_config__.tag == name


def test_an_absent_field_is_none_but_a_limits_values() -> None:
    for each in TYPE_OF:
        for field, default in zip(
            reversed(each.__struct_fields__), reversed(each.__struct_defaults__), strict=False
        ):
            if field in ("old", "new"):
                assert default is msgspec.UNSET
            elif each is not EVENT_TYPES["tick"]:
                assert default is None or default is msgspec.NODEFAULT


def test_type_and_net_loss() -> None:
    bet = msgspec.convert(SAMPLES["bet"], EVENT_TYPES["bet"])
    assert isinstance(bet, Bet)
    assert bet.type == "bet"
    assert bet.net_loss == 50
    assert all(issubclass(each, Event) for each in TYPE_OF)
