"""Decoding: what is valid comes through whole, whatever its spelling and whatever stands beside it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from detector.events import decode as module
from detector.events.decode import Decoder
from detector.events.vocabulary import CARRIED_TYPES, EVENT_TYPES, WIRE_FIELDS, Bet, LimitChange, Tick, Void
from tests.events.decoding import BARE, BET, CURRENCIES, accept, refuse, without
from tests.events.samples import PLAIN, SAMPLES, encode


@pytest.mark.parametrize("name", SAMPLES)
def test_every_field_of_every_type_comes_through(name: str) -> None:
    decoder = Decoder(CURRENCIES)
    for sample in (SAMPLES[name], PLAIN[name]):
        event = accept(sample, decoder)
        assert type(event) is EVENT_TYPES[name]
        assert event.type == name
        for field in WIRE_FIELDS[name]:
            value, sent = getattr(event, field), sample.get(field)
            if isinstance(value, datetime):
                assert value == datetime.fromisoformat(str(sent))
                assert value.tzinfo is not None
            elif field not in ("voided", "replaced"):
                assert value == sent
    assert not decoder.unknown_fields


@pytest.mark.parametrize("name", PLAIN)
def test_only_what_is_required(name: str) -> None:
    sample = {key: value for key, value in PLAIN[name].items() if key in BARE[name]}
    accept(sample)
    for key in sample:
        assert refuse(without(sample, key)) == ("missing_field", f"$.{key}")
        assert refuse(sample | {key: None}) == ("missing_field", f"$.{key}")


@pytest.mark.parametrize("name", PLAIN)
def test_null_is_absent_but_for_a_limits_values(name: str) -> None:
    decoder = Decoder(CURRENCIES)
    for key, spec in WIRE_FIELDS[name].items():
        if not spec.required and key not in ("old", "new", "currency"):
            if name == "tick" and key in ("id", "source", "player"):
                continue
            assert accept(PLAIN[name] | {key: None}, decoder) == accept(without(PLAIN[name], key))
    assert not decoder.unknown_fields


def test_absent_and_no_limit_are_two_things() -> None:
    limits = [
        accept({**without(PLAIN["limit_change"], "old", "new"), **values})
        for values in ({}, {"new": None}, {"new": 5}, {"old": None})
    ]
    seen = [(limit.old, limit.new) for limit in limits if isinstance(limit, LimitChange)]
    unset = seen[0][0]
    assert seen == [(unset, unset), (unset, None), (unset, 5), (None, unset)]


def test_a_tick_needs_no_player() -> None:
    event = accept(b'{"type":"tick","ts":"2026-01-01T10:00:00Z"}')
    assert isinstance(event, Tick)
    assert (event.id, event.source, event.player) == ("", "", "")


def test_spelling_does_not_matter() -> None:
    wanted = accept(BET)
    for raw in (
        json.dumps(BET).encode(),
        json.dumps(BET, indent=2).encode() + b"\n",
        encode(dict(reversed(BET.items()))),
        encode(BET).replace(b'":', b'"\t\r\n :'),
        encode(BET).replace(b'"id"', b'"\\u0069d"').replace(b'"e-1"', b'"\\u0065-1"'),
        encode(BET).replace(b"10:00:00", b"10\\u003a00\\u003a00"),
    ):
        decoder = Decoder(CURRENCIES)
        assert accept(raw, decoder) == wanted
        assert not decoder.unknown_fields


@pytest.mark.parametrize("text", ["a,b", 'a":b', '","id":"', ',,,,":', "{[,", "\\", "é😀", "\x00", "\x7f"])
def test_any_text_may_stand_in_an_id(text: str) -> None:
    event = accept(BET | {"id": text, "session": text, "game": text})
    assert isinstance(event, Bet)
    assert event.id == event.session == event.game == text


def test_lengths_are_in_characters() -> None:
    accept(BET | {"id": "😀" * 128, "product": "", "brand": "x"})
    assert refuse(BET | {"id": "😀" * 129}) == ("wrong_field", "$.id")
    assert refuse(BET | {"id": ""}) == ("wrong_field", "$.id")
    assert refuse(BET | {"brand": ""}) == ("wrong_field", "$.brand")
    assert refuse(BET | {"product": "x" * 65}) == ("wrong_field", "$.product")


# Fields outside the vocabulary


def test_unknown_fields_are_ignored_and_counted() -> None:
    decoder = Decoder(CURRENCIES)
    for _ in range(2):
        assert accept(BET | {"odds": [1, {"a": 1}], "shop": {"id": 1}, "amount": 3}, decoder) == accept(BET)
    accept(PLAIN["void"] | {"why": "x", "voided": PLAIN["void"]["voided"] | {"odds": 2}}, decoder)
    assert decoder.unknown_fields == {
        "bet.odds": 3,
        "bet.shop": 2,
        "bet.amount": 2,
        "void.why": 1,
    }


def test_names_of_unknown_fields_cannot_fill_the_memory() -> None:
    decoder = Decoder(CURRENCIES)
    for number in range(module.MAX_UNKNOWN_NAMES + 50):
        accept(BET | {f"x{number}": 1}, decoder)
    accept(BET | {"y" * 1_000: 1, "x1": 1}, decoder)
    assert len(decoder.unknown_fields) == module.MAX_UNKNOWN_NAMES + 1
    assert decoder.unknown_fields["bet.*"] == 51
    assert decoder.unknown_fields["bet.x1"] == 2


# Corrections


@pytest.mark.parametrize("name", CARRIED_TYPES)
def test_a_carried_event_becomes_a_whole_one(name: str) -> None:
    carried = without(PLAIN[name], "id", "source", "player", "brand")
    void = accept(PLAIN["void"] | {"target": "e-9", "voided": carried})
    assert isinstance(void, Void)
    assert void.voided == accept(PLAIN[name] | {"id": "e-9"})
    replacement = accept(PLAIN["deposit"] | {"replaces": "e-9", "replaced": carried | {"jurisdiction": None}})
    assert replacement.replaced == void.voided
    other = accept(PLAIN["void"] | {"voided": carried | {"brand": "other", "session": None}})
    assert isinstance(other, Void)
    assert (other.voided.brand, other.voided.session, other.voided.player) == ("other", None, "p-1")


def test_what_a_carried_event_repeats_of_its_carrier_is_the_carriers() -> None:
    decoder = Decoder(CURRENCIES)
    void = accept(PLAIN["void"] | {"voided": PLAIN["bet"] | {"id": "x", "player": "p-2"}}, decoder)
    assert isinstance(void, Void)
    assert (void.voided.id, void.voided.player) == ("e-0", "p-1")
    assert not decoder.unknown_fields


@pytest.mark.parametrize("carried", ["void", "tick"])
def test_neither_void_nor_tick_is_carried(carried: str) -> None:
    assert refuse(PLAIN["void"] | {"voided": PLAIN[carried]}) == ("wrong_field", "$.voided.type")
    assert refuse(SAMPLES["bet"] | {"replaced": PLAIN[carried]}) == ("wrong_field", "$.replaced.type")


def test_a_carried_event_is_checked_like_any_other() -> None:
    def voiding(**changes: Any) -> tuple[str, str]:
        return refuse(PLAIN["void"] | {"voided": without(PLAIN["bet"], "id", "player") | changes})

    assert voiding(stake=None) == ("missing_field", "$.voided.stake")
    assert voiding(stake=-1) == ("negative_money", "$.voided.stake")
    assert voiding(stake=1.5) == ("fractional_money", "$.voided.stake")
    assert voiding(ts="2026-01-01T10:00:00") == ("no_zone", "$.voided.ts")
    assert voiding(replaces="e-2") == ("wrong_field", "$.voided.replaces")
    assert voiding(replaced={}) == ("wrong_field", "$.voided.replaced")
    assert refuse(PLAIN["void"] | {"voided": {}}) == ("missing_field", "$.voided.type")
    profile = without(PLAIN["player_profile"], "id") | {"timezone": "Nowhere"}
    assert refuse(PLAIN["void"] | {"voided": profile}) == ("wrong_field", "$.voided.timezone")
    limit = without(PLAIN["limit_change"], "id", "currency")
    assert refuse(PLAIN["void"] | {"voided": limit}) == ("missing_field", "$.voided.currency")


@pytest.mark.parametrize("name", ["session_start", "deposit", "bet", "limit_change", "break_start"])
def test_replaces_and_replaced_come_together(name: str) -> None:
    sample = SAMPLES[name]
    assert refuse(without(sample, "replaced")) == ("missing_field", "$.replaced")
    assert refuse(without(sample, "replaces")) == ("missing_field", "$.replaces")
    assert refuse(sample | {"replaced": None}) == ("missing_field", "$.replaced")
    accept(sample | {"replaced": None, "replaces": None})


def test_what_cannot_correct() -> None:
    for name in ("void", "tick"):
        for change in ({"replaces": "e-0"}, {"replaced": SAMPLES["bet"]["replaced"]}):
            assert refuse(PLAIN[name] | change) == ("wrong_field", "$.replaces")
    assert refuse(SAMPLES["bet"] | {"replaces": "e-1"}) == ("wrong_field", "$.replaces")
    assert refuse(SAMPLES["void"] | {"target": "e-1"}) == ("wrong_field", "$.target")
