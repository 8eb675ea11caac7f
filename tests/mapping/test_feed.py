"""What a mapping makes of messages: one story for each thing that the language can say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.mapping.samples import BASE, MESSAGE, come, events, loaded, refusal

EVENT = "event: {type: deposit, amount: .amount}"


def with_event(event: str) -> str:
    return BASE.replace(EVENT, event)


def only_event(tmp_path: Path, text: str, **changed: Any) -> dict[str, Any]:
    (event,) = events(come(loaded(tmp_path, text), MESSAGE, **changed))
    return event


def test_the_simplest_feed(tmp_path: Path) -> None:
    assert only_event(tmp_path, BASE) == {
        "type": "deposit",
        "id": "m-1",
        "source": "feed",
        "player": "p-1",
        "ts": "2026-03-01T10:00:00Z",
        "currency": "CAD",
        "amount": 1250,
    }


# Paths


def test_paths_reach_into_objects_arrays_and_odd_keys(tmp_path: Path) -> None:
    text = with_event(
        'event: {type: deposit, amount: .a.1.b, method: .m.-1, payment: ."odd key"."x.y", reason: .r.0}'
    )
    event = only_event(
        tmp_path,
        text,
        a=[0, {"b": 3}],
        m=["card", "bank"],
        **{"odd key": {"x.y": 77}, "r": {"0": "zero"}},
    )
    assert (event["amount"], event["method"], event["payment"], event["reason"]) == (
        300,
        "bank",
        "77",
        "zero",
    )


@pytest.mark.parametrize("where", [{"m": []}, {"m": "text"}, {"m": {"a": 1}}, {"m": None}, {}])
def test_where_a_path_leads_nowhere_the_field_is_left_out(where: dict[str, Any], tmp_path: Path) -> None:
    assert "method" not in only_event(
        tmp_path, with_event("event: {type: deposit, amount: .amount, method: .m.0}"), **where
    )


def test_the_first_that_is_there_counts(tmp_path: Path) -> None:
    text = BASE.replace("player: .player", "player: [.customer.id, .account, .player]")
    assert only_event(tmp_path, text)["player"] == "p-1"
    assert only_event(tmp_path, text, account=7, customer={"id": None})["player"] == "7"


def test_an_id_of_several_fields_is_whole_or_missing(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, BASE.replace("id: .id", 'id: "{.shop}/{.id}-{{x}}"'))
    (event,) = events(come(mapping, MESSAGE, shop=3))
    assert event["id"] == "3/m-1-{x}"
    told = "$.shop: is missing, and a deposit needs it for `id`"
    assert refusal(come(mapping, MESSAGE)) == ("missing_field", told)


def test_an_object_is_no_text(tmp_path: Path) -> None:
    assert refusal(come(loaded(tmp_path, BASE), MESSAGE, player={"id": 1})) == (
        "wrong_field",
        "$.player: is an object or array; name a value within",
    )


# Constants, defaults and tables


def test_constants_and_defaults(tmp_path: Path) -> None:
    text = with_event(
        "event: {type: deposit, amount: {from: .sum, default: 5}, method: card, reason: {value: .dotted}}"
    )
    event = only_event(tmp_path, text)
    assert (event["amount"], event["method"], event["reason"]) == (500, "card", ".dotted")
    assert only_event(tmp_path, text, sum="7")["amount"] == 700


@pytest.mark.parametrize(
    ("otherwise", "expected"),
    [("pass", "klarna"), ("omit", None), ("{value: other}", "other")],
)
def test_what_a_table_does_not_know(otherwise: str, expected: str | None, tmp_path: Path) -> None:
    field = f'{{from: .m, table: {{visa: card, "1": bank, "true": cash}}, else: {otherwise}}}'
    text = with_event(f"event: {{type: deposit, amount: .amount, method: {field}}}")
    assert only_event(tmp_path, text, m="klarna").get("method") == expected
    assert [only_event(tmp_path, text, m=m)["method"] for m in ("visa", 1, True)] == ["card", "bank", "cash"]


def test_a_table_may_drop_the_record_or_refuse_it(tmp_path: Path) -> None:
    field = "source: {from: .s, table: {a: feed}, else: drop}"
    found = come(loaded(tmp_path, BASE.replace("source: feed", field)), MESSAGE, s="b")
    assert (found.dropped, found.taken, found.refusal) == (["`source` is not in its table"], [], None)
    strict = loaded(tmp_path, BASE.replace("source: feed", field.replace(", else: drop", "")))
    assert refusal(come(strict, MESSAGE, s="b"))[0] == "unmapped"


def test_a_table_is_shared_by_name_and_may_give_null(tmp_path: Path) -> None:
    text = BASE.replace(
        "common:", "tables: {none: {N/A: null}}\ncommon:\n  session: {from: .s, table: none, else: pass}"
    )
    mapping = loaded(tmp_path, text)
    assert "session" not in events(come(mapping, MESSAGE, s="N/A"))[0]
    assert events(come(mapping, MESSAGE, s="s-1"))[0]["session"] == "s-1"


# Which event it is


def test_the_type_by_the_value_of_a_field(tmp_path: Path) -> None:
    kind = "{from: .kind, table: {IN: deposit, OUT: withdrawal, FEE: refund}}"
    mapping = loaded(tmp_path, with_event(f"event: {{type: {kind}, amount: .amount, reason: .why}}"))
    made = [events(come(mapping, MESSAGE, kind=kind, why="because"))[0] for kind in ("IN", "OUT")]
    assert [event["type"] for event in made] == ["deposit", "withdrawal"]
    # A withdrawal has no reason: a field goes to the types that have it.
    assert ["reason" in event for event in made] == [True, False]
    assert refusal(come(mapping, MESSAGE, kind="X")) == (
        "unmapped",
        "$.kind: holds what the table does not know; add it, or say `else`",
    )
    assert refusal(come(mapping, MESSAGE))[0] == "missing_field"


CASES = """\
  - when: {.kind: bet, .mode: [fun, demo]}
    drop: for fun
  - when: {.kind: {not: [pay, 7, "8"]}}
    refuse: no payment
  - when: {.amount: {above: 100, below: 1000}}
    event: {type: withdrawal, amount: .amount}
  - when: {.flag: true, .gone: {present: false}}
    event: {type: refund, amount: .amount}
  - event: {type: deposit, amount: .amount}
"""


@pytest.mark.parametrize(
    ("changed", "came"),
    [
        ({"kind": "bet", "mode": "demo"}, "for fun"),
        ({"kind": "bet", "mode": "real"}, "unmapped"),
        ({}, "unmapped"),
        ({"kind": 7.0}, "deposit"),
        ({"kind": 8}, "unmapped"),  # quoted in the file, so a text
        ({"kind": "8"}, "deposit"),
        ({"kind": "pay", "amount": "100"}, "deposit"),
        ({"kind": "pay", "amount": 100.01}, "withdrawal"),
        ({"kind": "pay", "amount": "1000"}, "deposit"),
        ({"kind": "pay", "flag": True}, "refund"),
        ({"kind": "pay", "flag": "true", "gone": None}, "refund"),
        ({"kind": "pay", "flag": True, "gone": False}, "deposit"),
        ({"kind": "pay", "flag": 1}, "deposit"),
    ],
)
def test_the_first_case_that_fits(changed: dict[str, Any], came: str, tmp_path: Path) -> None:
    mapping = loaded(tmp_path, BASE.replace("  - " + EVENT + "\n", CASES))
    found = come(mapping, MESSAGE, **changed)
    if found.refusal is not None:
        assert found.refusal.reason == came
    else:
        assert (found.dropped or [taken.event.type for taken in found.taken]) == [came]


# Splitting

SPLIT = """\
  - events:
      - {type: bet, stake: .stake, payout: .win}
      - {type: deposit, amount: .topup, when: {.topup: {above: 0}}}
      - {type: bonus, amount: .gift, when: {.gift: {above: 0}}}
"""


def test_one_record_becomes_several_events_with_ids_that_stay(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, BASE.replace("  - " + EVENT + "\n", SPLIT))
    played = {**MESSAGE, "stake": 1, "win": 0}
    both = events(come(mapping, played, topup=20, gift=5))
    assert [(event["type"], event["id"]) for event in both] == [
        ("bet", "m-1"),
        ("deposit", "m-1/2"),
        ("bonus", "m-1/3"),
    ]
    # An id does not depend on which of the others are made.
    assert [event["id"] for event in events(come(mapping, played, gift=5))] == ["m-1", "m-1/3"]


def test_a_record_is_taken_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, BASE.replace("  - " + EVENT + "\n", SPLIT))
    found = come(mapping, {**MESSAGE, "stake": 1, "win": 0}, topup="0.001")
    assert (refusal(found)[0], found.taken) == ("fractional_money", [])
    # Nor where it is the decoder that refuses one of its events.
    long = come(mapping, {**MESSAGE, "id": "x" * 127, "stake": 1, "win": 0}, topup=1)
    assert (refusal(long)[0], long.taken) == ("wrong_field", [])
    assert refusal(long)[1].startswith("an event made of it: $.id: ")


BATCH = BASE.replace("common:", "each: $.list\ncommon:\n  brand: $.brand")


def batch(*records: dict[str, Any]) -> dict[str, Any]:
    return {"brand": "north", "list": [{**MESSAGE, **record} for record in records]}


def test_a_batch_is_split_and_its_records_see_what_is_around_them(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, BATCH.replace("source: feed", "source: ..brand"))
    found = events(come(mapping, batch({"id": "a"}, {"id": "b", "amount": 2})))
    assert [(event["id"], event["amount"], event["brand"], event["source"]) for event in found] == [
        ("a", 1250, "north", "north"),
        ("b", 200, "north", "north"),
    ]
    assert come(mapping, {"brand": "north", "list": []}).dropped == ["a message without records"]
    assert [event["id"] for event in events(come(mapping, {"brand": "n", "list": MESSAGE}))] == ["m-1"]
    assert refusal(come(mapping, {"brand": "n"})) == (
        "missing_field",
        "$.list: is where the records are, and is missing",
    )


def test_one_bad_record_does_not_spoil_a_batch_and_the_message_is_kept(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, BATCH)
    message = batch({"id": "a"}, {"id": "b", "amount": "x"}, {"id": "c"}, *({"at": None} for _ in range(5)))
    found = come(mapping, message)
    assert [taken.event.id for taken in found.taken] == ["a", "c"]
    assert found.refusal is not None
    assert found.refusal.original == json.dumps(message).encode()
    assert found.refusal.reason == "wrong_field"
    assert found.refusal.detail.startswith("$.list.1.amount: must be a number")
    assert found.refusal.detail.endswith("; and 3 records more")
    # Sent again once the file is mended, what was taken then is the same event now.
    again = come(mapping, message)
    assert [taken.raw for taken in again.taken] == [taken.raw for taken in found.taken]


def test_a_message_that_is_an_array(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, BASE.replace("common:", "each: $\ncommon:"))
    found = come(mapping, json.dumps([MESSAGE, {**MESSAGE, "id": "m-2"}]).encode())
    assert [event["id"] for event in events(found)] == ["m-1", "m-2"]
    assert [event["id"] for event in events(come(mapping, MESSAGE))] == ["m-1"]


def test_the_records_of_a_record(tmp_path: Path) -> None:
    text = BATCH.replace(
        EVENT,
        'each: .rounds\n    event: {type: bet, id: "{..id}:{.no}", stake: .stake, payout: 0, game: ..game}',
    )
    mapping = loaded(tmp_path, text)
    rounds = [{"no": 1, "stake": 1}, {"no": 2, "stake": 2}]
    found = events(
        come(mapping, batch({"id": "a", "game": "g", "rounds": rounds}, {"id": "b", "rounds": rounds[:1]}))
    )
    nobody = batch({"id": "a", "rounds": rounds, "player": None})
    assert refusal(come(mapping, nobody))[1].startswith("$.list.0.player: is missing")
    nothing = batch({"id": "a", "rounds": [*rounds, {"no": 3}]})
    assert refusal(come(mapping, nothing))[1].startswith("$.list.0.rounds.2.stake: is missing")
    assert [(event["id"], event["stake"], event.get("game"), event["player"]) for event in found] == [
        ("a:1", 100, "g", "p-1"),
        ("a:2", 200, "g", "p-1"),
        ("b:1", 100, None, "p-1"),
    ]


def test_nothing_goes_without_a_trace(tmp_path: Path) -> None:
    mapping = loaded(
        tmp_path, with_event("event: {type: deposit, amount: .amount, when: {.amount: {above: 100}}}")
    )
    found = come(mapping, MESSAGE)
    assert (found.taken, found.dropped) == ([], ["none of the events of its case applies"])


# Money and time


def test_a_sum_is_exact_and_misses_nothing(tmp_path: Path) -> None:
    mapping = loaded(
        tmp_path, with_event("event: {type: deposit, amount: {sum: [.a, {from: .b, default: 0}]}}")
    )
    assert events(come(mapping, MESSAGE, a=0.1, b="0.2"))[0]["amount"] == 30
    assert events(come(mapping, MESSAGE, a=0.1))[0]["amount"] == 10
    assert refusal(come(mapping, MESSAGE, b=1)) == (
        "missing_field",
        "$.a: is missing, and a deposit needs it for `amount`",
    )


def test_money_is_of_the_currency_of_its_event(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, BASE)
    amounts = [
        events(come(mapping, MESSAGE, currency=currency, amount="5"))[0]["amount"]
        for currency in ("CAD", "jpy", "KWD", "btc", "GOLD")
    ]
    assert amounts == [500, 5, 5000, 500_000_000, 5]
    assert refusal(come(mapping, MESSAGE, currency="XXQ"))[0] == "unknown_currency"
    assert refusal(come(mapping, MESSAGE, currency=None))[0] == "missing_field"


def test_limits_hold_money_counts_or_minutes(tmp_path: Path) -> None:
    text = with_event(
        "event: {type: limit_change, limit: .limit, old: .old, "
        "new: {from: .new, table: {off: null}, else: pass}}"
    )
    mapping = loaded(tmp_path, text)

    def values(**changed: Any) -> tuple[Any, Any]:
        (event,) = events(come(mapping, MESSAGE, **changed))
        return event.get("old", "left out"), event["new"]

    assert values(limit="deposit", old="50.00", new=100) == (5000, 10_000)
    assert values(limit="deposit_count", old=None, new="3") == (None, 3)
    assert values(limit="time", new="off") == ("left out", None)
    assert refusal(come(mapping, MESSAGE, limit="time", new="1.5"))[0] == "wrong_field"
    hours = loaded(
        tmp_path,
        text.replace("old: .old", "old: {from: .old, unit: hours}").replace("pass}", "pass, unit: seconds}"),
    )
    (event,) = events(come(hours, MESSAGE, limit="time", old=1.5, new=5400))
    assert (event["old"], event["new"]) == (90, 90)
    assert refusal(come(hours, MESSAGE, limit="time", old=1.5, new=5401))[0] == "wrong_field"
    assert refusal(come(hours, MESSAGE, limit="loss", old=1.5, new=60))[0] == "unmapped"


def test_shares_truths_and_years(tmp_path: Path) -> None:
    share = with_event("event: {type: limit_reached, limit: deposit, share: {from: .s, unit: percent}}")
    assert only_event(tmp_path, share, s="87.5")["share"] == 0.875
    check = with_event(
        "event: {type: identity_check, outcome: .o, over_age: {from: .adult, table: {Y: true, N: false}}, "
        'birth_year: {from: .born, format: "%d.%m.%Y"}}'
    )
    check = check.replace("  currency: .currency\n", "")
    event = only_event(tmp_path, check, o="passed", adult="N", born="31.12.1999")
    assert (event["over_age"], event["birth_year"]) == (False, 1999)


def test_a_date_and_a_time_that_stand_apart(tmp_path: Path) -> None:
    times = 'ts: {from: "{.day} {.clock}", format: "%d/%m/%Y %H:%M", zone: America/Toronto}'
    text = BASE.replace("ts: .at", times)
    assert only_event(tmp_path, text, day="01/07/2026", clock="21:30")["ts"] == "2026-07-02T01:30:00Z"


# Corrections

CORRECTED = with_event("event: {type: deposit, amount: .amount, replaces: .old_id, replaced: .old}")


def test_a_record_sent_again_replaces_the_old_one_by_the_same_rules(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, CORRECTED)
    old = {
        **MESSAGE,
        "id": "m-0",
        "amount": "10",
        "at": "2026-03-01T09:00:00Z",
        "old": {"old": 1},
        "old_id": "m-x",
    }
    (event,) = events(come(mapping, MESSAGE, old_id="m-0", old=old))
    assert event["replaces"] == "m-0"
    assert event["replaced"] == {
        "type": "deposit",
        "ts": "2026-03-01T09:00:00Z",
        "currency": "CAD",
        "amount": 1000,
    }
    (taken,) = come(mapping, MESSAGE, old_id="m-0", old=old).taken
    assert taken.event.replaced is not None
    assert taken.event.replaced.id == "m-0"
    # A record that replaces nothing is an event like any other.
    assert "replaced" not in events(come(mapping, MESSAGE))[0]


def test_a_correction_that_does_not_carry_what_it_corrects_is_kept_as_refused(tmp_path: Path) -> None:
    found = come(loaded(tmp_path, CORRECTED), MESSAGE, old_id="m-0")
    assert refusal(found) == (
        "missing_field",
        "an event made of it: $.replaced: carry the event that `replaces` names",
    )


def test_what_a_correction_carries_can_be_written_out(tmp_path: Path) -> None:
    text = with_event(
        "event: {type: void, target: .old.ref, "
        "voided: {type: bet, ts: .old.at, stake: .old.amount, payout: 0, currency: .currency}}"
    ).replace("  currency: .currency\n", "")
    (event,) = events(
        come(loaded(tmp_path, text), MESSAGE, old={"ref": "b-1", "at": MESSAGE["at"], "amount": 3})
    )
    assert event["target"] == "b-1"
    assert event["voided"] == {
        "type": "bet",
        "ts": MESSAGE["at"],
        "stake": 300,
        "payout": 0,
        "currency": "CAD",
    }


def test_an_old_record_that_is_no_single_event_cannot_be_carried(tmp_path: Path) -> None:
    cases = "  - when: {.kind: undo}\n    event: {type: void, target: .old.id, voided: .old}\n" + SPLIT
    mapping = loaded(tmp_path, BASE.replace("  - " + EVENT + "\n", cases))
    old = {**MESSAGE, "id": "m-0", "stake": 1, "win": 0}
    assert events(come(mapping, MESSAGE, kind="undo", old=old))[0]["voided"]["type"] == "bet"
    told = ("unmapped", "$.old: must give one event to be carried; write `voided` out in the mapping")
    assert refusal(come(mapping, MESSAGE, kind="undo", old={**old, "topup": 5})) == told
    assert refusal(come(mapping, MESSAGE, kind="undo", old={**old, "kind": "undo", "old": old})) == told


# What is no message


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "not_json"),
        (b"", "not_json"),
        (b"\xff", "not_json"),
        (b'{"a": NaN}', "not_json"),
        (b'{"id": 1, "id": 2}', "duplicate_key"),
        (b'{"x": {"id": 1, "id": 2}}', "duplicate_key"),
        (b"[" * 65 + b"]" * 65, "not_json"),
        (b"3", "missing_field"),
        (b"null", "missing_field"),
        (
            b'{"player":"\\ud800","id":"1","at":"2026-03-01T10:00:00Z","currency":"CAD","amount":1}',
            "not_json",
        ),
        (b'"' + b"x" * (4 << 20) + b'"', "too_large"),
    ],
)
def test_what_is_no_message_is_refused(raw: bytes, reason: str, tmp_path: Path) -> None:
    found = come(loaded(tmp_path, BASE), raw)
    assert refusal(found)[0] == reason
    assert found.refusal is not None
    assert found.refusal.original == raw


def test_a_refusal_repeats_nothing_that_was_sent(tmp_path: Path) -> None:
    mapping = loaded(tmp_path, BATCH)
    for secret in ({"amount": "s3cret"}, {"at": "s3cret"}, {"player": {"s3cret": 1}}, {"currency": "s3cret"}):
        assert "cret" not in refusal(come(mapping, batch(secret)))[1].lower()
