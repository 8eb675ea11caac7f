"""Timeline lines: what events they become, and where they go wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from detector.events.decode import Decoder, Refusal
from detector.events.instants import micros
from detector.events.money import Currencies
from detector.language.rule import ExpectedAlert, Timeline
from tests.language.samples import Read, Reads


def read_test(sample: Reads, lines: str, expect: str = "[]", zone: str | None = None) -> Read:
    block = "".join(f"      {line}\n" for line in lines.split("\n"))
    zoned = f"    zone: {zone}\n" if zone else ""
    return sample(tests=f"\n  - name: a test\n{zoned}    timeline: |\n{block}    expect: {expect}")


def timeline(sample: Reads, lines: str, expect: str = "[]", zone: str | None = None) -> Timeline:
    return read_test(sample, lines, expect, zone).loaded.tests[0]


def events(sample: Reads, lines: str, zone: str | None = None) -> list[dict[str, Any]]:
    read = timeline(sample, lines, zone=zone)
    decoder = Decoder(Currencies())
    assert not any(isinstance(decoder.decode(raw), Refusal) for raw in read.events)
    return [json.loads(raw) for raw in read.events]


def fields(sample: Reads, line: str) -> dict[str, Any]:
    (event,) = events(sample, line)
    return {key: value for key, value in event.items() if key not in ("id", "source", "player", "ts", "type")}


def test_a_line_keeps_the_day_above(sample: Reads) -> None:
    lines = "09:00 tick\nday 2 10:00 tick\n11:00:30 tick\n\n# a remark\n2026-03-01 00:00 tick\n23:59:59 tick"
    assert [event["ts"] for event in events(sample, lines)] == [
        "2026-01-01T09:00:00Z",
        "2026-01-02T10:00:00Z",
        "2026-01-02T11:00:30Z",
        "2026-03-01T00:00:00Z",
        "2026-03-01T23:59:59Z",
    ]


def test_events_are_numbered_without_the_ticks(sample: Reads) -> None:
    read = events(
        sample, "day 1 10:00 session_start\n10:05 tick\n10:10 session_end id=end\n10:20 session_start"
    )
    assert [event.get("id") for event in read] == ["e1", None, "end", "e3"]
    assert read[0]["player"] == "player"
    assert read[0]["source"] == "timeline"
    assert events(sample, "day 1 10:00 session_start player=other")[0]["player"] == "other"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deposit 100 CAD", {"amount": 10_000, "currency": "CAD"}),
        (
            "deposit 100 CAD 5.50 CAD method=card",
            {"amount": 10_000, "balance_after": 550, "currency": "CAD", "method": "card"},
        ),
        ("bet 5 CAD 0 CAD", {"stake": 500, "payout": 0, "currency": "CAD"}),
        (
            "bet 5 JPY 0 JPY bonus_stake=1JPY product=poker",
            {"stake": 5, "payout": 0, "bonus_stake": 1, "currency": "JPY", "product": "poker"},
        ),
        (
            'bet payout="5 CAD" 3 CAD',
            {"stake": 300, "payout": 500, "currency": "CAD"},
        ),
        (
            'limit_change new="200 CAD" old=50CAD limit=deposit period=24h',
            {"limit": "deposit", "new": 20_000, "old": 5_000, "currency": "CAD", "period": "24h"},
        ),
        ("limit_change limit=deposit_count new=5", {"limit": "deposit_count", "new": 5}),
        ("limit_change limit=deposit_count new=none", {"limit": "deposit_count", "new": None}),
        ("limit_change limit=time new=90", {"limit": "time", "new": 90}),
        ("limit_change limit=time new=1.5h", {"limit": "time", "new": 90}),
        ("limit_reached limit=loss share=80%", {"limit": "loss", "share": 0.8}),
        ("limit_reached limit=loss share=0.8", {"limit": "loss", "share": 0.8}),
        ("identity_check outcome=passed over_age=true", {"outcome": "passed", "over_age": True}),
        ("player_profile birth_year=1990", {"birth_year": 1990}),
        ('contact topic="distress"', {"topic": "distress"}),
        ('self_exclusion until="day 9 10:00"', {"until": "2026-01-09T10:00:00Z"}),
        ('self_exclusion until="2026-02-01 10:00"', {"until": "2026-02-01T10:00:00Z"}),
        ("self_exclusion until=2026-02-01T10:00", {"until": "2026-02-01T10:00:00Z"}),
        ('session_start channel="a b=c"', {"channel": "a b=c"}),
    ],
)
def test_money_and_fields(sample: Reads, line: str, expected: dict[str, Any]) -> None:
    assert fields(sample, f"day 1 10:00 {line}") == expected


def test_corrections_carry_what_they_name_wherever_it_stands(sample: Reads) -> None:
    void, deposit, _, replacement = events(
        sample,
        "day 1 10:00 void target=e2\n"
        "day 1 11:00 deposit 5 CAD session=s1\n"
        "day 1 11:00 deposit 6 CAD player=other id=e2\n"
        "day 2 10:00 deposit 7 CAD replaces=e2",
    )
    carried = {key: deposit[key] for key in ("type", "ts", "session", "amount", "currency")}
    assert void["voided"] == carried
    assert replacement["replaced"] == carried


def test_a_zone_reads_the_times_only(sample: Reads) -> None:
    lines = "day 1 10:00 session_start\n2026-07-01 10:00 session_start\n2026-11-01 01:30 session_end"
    read = events(sample, lines, "America/Toronto")
    # The last stands twice that night: the first of the two, still in summer time, is meant.
    assert [event["ts"] for event in read] == [
        "2026-01-01T15:00:00Z",
        "2026-07-01T14:00:00Z",
        "2026-11-01T05:30:00Z",
    ]


def test_expectations(sample: Reads) -> None:
    expect = "[{at: day 2 10:00}, {at: '2026-01-03 10:00:30', severity: critical, kind: remind}]"
    read = timeline(sample, "day 1 10:00 tick", expect, "America/Toronto")
    assert read.expect == (
        ExpectedAlert(micros(datetime(2026, 1, 2, 15, tzinfo=UTC)), "high", None),
        ExpectedAlert(micros(datetime(2026, 1, 3, 15, 0, 30, tzinfo=UTC)), "critical", "remind"),
    )


@pytest.mark.parametrize(
    ("line", "where", "message"),
    [
        ("yesterday 10:00 tick", "yesterday", "a line is"),
        ("day 1 25:00 tick", "25:00", "a line is"),
        ("day 1", "day ^1\n", "a line is"),
        ("day one 10:00 tick", "day one", "needs a number"),
        ("day 0 10:00 tick", "^0 10:00", "days run from 1"),
        ("day 9999 10:00 tick", "9999", "days run from 1"),
        ("2026-02-30 10:00 tick", "2026-02-30", "is no date"),
        ("1812-01-01 10:00 tick", "1812", "within 1970 and 2100"),
        ("day 1 10:00", "10:00", "type is missing"),
        ("day 1 10:00 depsoit 5 CAD", "depsoit", 'did you mean "deposit"?'),
        ("day 1 10:00 deposit 5", "^5\n", "no money such as 200 CAD"),
        ("day 1 10:00 deposit five CAD", "five", "no money such as 200 CAD"),
        ("day 1 10:00 deposit 5 CDA", "5 CDA", "no known currency"),
        ("day 1 10:00 deposit 5.001 CAD", "5.001", "finer than CAD"),
        ("day 1 10:00 deposit -5 CAD", "-5", "no money"),
        ("day 1 10:00 deposit 5 CAD 6 EUR", "6 EUR", "EUR in an event of CAD"),
        ("day 1 10:00 deposit 5 CAD 6 CAD 7 CAD", "7 CAD", "no place for"),
        ("day 1 10:00 session_start 5 CAD", "5 CAD", "no place for"),
        ("day 1 10:00 deposit amuont=5CAD", "amuont", 'did you mean "amount"?'),
        ("day 1 10:00 bet 5 CAD 0 CAD net_loss=5CAD", "net_loss", "sets no"),
        ("day 1 10:00 deposit 5 CAD ts=now", "ts=", "sets no"),
        ("day 1 10:00 void target=e1 voided=x", "voided", "sets no"),
        ("day 1 10:00 deposit 5 CAD method=a method=b", "^method=b", "comes twice"),
        ("day 1 10:00 deposit 5 CAD balance_after=7", "=^7", "is money"),
        ('day 1 10:00 contact topic="distress', '"distress', "closing quote"),
        ("day 1 10:00 limit_change new=5", "=^5", "by limit="),
        ("day 1 10:00 limit_change limit=deposit new=5", "new=^5", "is money"),
        ("day 1 10:00 limit_change limit=time new=soon", "soon", "whole minutes"),
        ("day 1 10:00 limit_change limit=time new=30s", "30s", "whole minutes"),
        ("day 1 10:00 limit_change limit=deposit_count new=1.5", "=^1.5", "a whole number"),
        ("day 1 10:00 player_profile birth_year=" + "9" * 5000, "=^9", "15 digits"),
        ("day 1 10:00 identity_check outcome=passed over_age=1", "=^1", "true or false"),
        ("day 1 10:00 self_exclusion until=soon", "soon", "is no moment"),
        ("day 1 10:00 void target=e7", "e7", 'has the id "e7"'),
        ("day 1 10:00 void", "day 1", "missing_field"),
        ("day 1 10:00 deposit", "day 1", "missing_field"),
        ("day 1 10:00 contact topic=other2", "day 1", "wrong_field"),
        ("day 1 10:00 void target=e1", "day 1", "refused"),
        ("day 1 10:00 player_profile timezone=Mars/North", "day 1", "IANA"),
        ("# nothing", "|", "at least one line"),
    ],
)
def test_a_faulty_line_is_told_where_it_stands(sample: Reads, line: str, where: str, message: str) -> None:
    read_test(sample, line).tells(where, message)


def test_the_hour_that_clocks_skip_does_not_exist(sample: Reads) -> None:
    read = read_test(sample, "2026-03-08 02:30 tick", zone="America/Toronto")
    read.tells("02:30", "does not exist in America/Toronto")
    read_test(sample, "day 1 10:00 tick", zone="Toronto").tells("Toronto", "is an IANA name")


@pytest.mark.parametrize(
    ("expect", "where", "message"),
    [
        ("", "- name", "`expect`"),
        ("none", "expect: ^none", "[] for silence"),
        ("[day 2 10:00]", "[^day 2", "{at: day 40 10:00}"),
        ("[{severity: high}]", "[^{severity", "needs `at`"),
        ("[{at: 10:00}]", "at: ^10:00", "is no moment"),
        ("[{at: day 2 10:0}]", "at: ^day 2", "no time of day"),
        ("[{at: day 2 10:00, severity: hihg}]", "hihg", "is one of low"),
        ("[{at: day 2 10:00, kind: opened}]", "opened", "is one of open"),
        ("[{at: day 2 10:00, sevrity: high}]", "sevrity", 'did you mean "severity"?'),
    ],
)
def test_a_faulty_expectation_is_told_where_it_stands(
    sample: Reads, expect: str, where: str, message: str
) -> None:
    read = read_test(sample, "day 1 10:00 tick", expect)
    if expect:
        read.tells(where, message)
    else:
        assert message in read.only.message


@pytest.mark.parametrize(
    ("tests", "where", "message"),
    [
        ("[5]", "[^5", "a test has"),
        ("[{name: x, expect: []}]", "[^{name", "no `timeline`"),
        ("[{nmae: x}]", "nmae", 'did you mean "name"?'),
        ("[{name: [], timeline: '1:00', expect: []}]", "name: ^[", "needs a name"),
        (
            "\n  - name: x\n    timeline: >\n      day 1\n    expect: []",
            "timeline: ^>",
            "a timeline is a `|` block",
        ),
    ],
)
def test_a_faulty_test_is_told_where_it_stands(sample: Reads, tests: str, where: str, message: str) -> None:
    sample(tests=tests).tells(where, message)
