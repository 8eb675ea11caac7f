"""The worked mappings against what a person would write by hand, in plain Python, for the same messages.

The examples in the files show one message at a time; here a small feed of each goes through, and every field
is worked out again from the message, without anything of the mapping package.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import pytest

from detector.events.decode import Decoder, Refusal
from detector.events.vocabulary import AnyEvent
from detector.mapping.catalogue import find_mapping, mapping_files, packaged_mappings
from detector.mapping.feed import translate
from tests.mapping.samples import CURRENCIES

Event = dict[str, Any]


def z(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def cents(written: Any) -> int:
    exact = Fraction(str(written)) * 100
    assert exact.denominator == 1
    return int(exact)


def adyen() -> Iterator[tuple[Any, list[Event]]]:
    for number in range(20):
        bad = number % 3 == 0
        when = datetime(2026, 3, 29, 0, number, tzinfo=timezone(timedelta(hours=2)))
        item = {
            "additionalData": {"shopperReference": f"p-{number}"},
            "amount": {"currency": "JPY" if number % 5 == 0 else "EUR", "value": 100 * number + 1},
            "eventCode": "AUTHORISATION",
            "eventDate": when.isoformat(),
            "merchantAccountCode": "Shop",
            "paymentMethod": ["visa", "trustly", "blik"][number % 3],
            "pspReference": f"R{number}",
            "reason": "Refused" if bad else "1:2:3",
            "success": str(not bad).lower(),
        }
        event = {
            "type": "deposit_failed" if bad else "deposit",
            "id": f"R{number}:AUTHORISATION:{str(not bad).lower()}",
            "source": "adyen:Shop",
            "player": f"p-{number}",
            "ts": z(when),
            "amount": 100 * number + 1,
            "currency": "JPY" if number % 5 == 0 else "EUR",
            "payment": f"R{number}",
            "method": ["card", "bank", "blik"][number % 3],
        }
        yield (
            {"live": "true", "notificationItems": [{"NotificationRequestItem": item}]},
            [event | ({"reason": "Refused"} if bad else {})],
        )


def aggregator() -> Iterator[tuple[Any, list[Event]]]:
    summer = timezone(timedelta(hours=2))
    for batch in range(4):
        records, expected = [], []
        for number in range(5):
            moment = datetime(2026, 7, 1, 23, 59, 50 + number, tzinfo=summer)
            debit, credit = f"{batch}.{number}5", f"{number * 11}.1"
            record = {
                "kind": "round",
                "round": f"r{batch}",
                "seq": number,
                "player": f"p-{number}",
                "session": number,
                "studio": "nova",
                "game": number,
                "category": ["SLOTS", "TABLE", "LIVE", "WHEEL", "SLOTS"][number],
                "debit": float("-" + debit),
                "credit": float(credit),
                "settled": moment.strftime("%d/%m/%Y %H:%M:%S"),
                "balance": credit,
            }
            event = {
                "type": "bet",
                "id": f"r{batch}-{number}",
                "source": "aggregator:north",
                "player": f"p-{number}",
                "ts": z(moment),
                "brand": "north",
                "stake": cents(debit),
                "payout": cents(credit),
                "currency": "EUR",
                "game": f"nova/{number}",
                "product": ["casino_slot", "casino_table", "live_casino", "other", "casino_slot"][number],
                "balance_after": cents(credit),
            }
            records.append(record)
            expected.append(event | ({"session": str(number)} if number else {}))
        yield {"batch": batch, "operator": "north", "currency": "EUR", "records": records}, expected


def provider() -> Iterator[tuple[Any, list[Event]]]:
    for number in range(10):
        began = datetime(2026, 3, 1, 10, number, 0, 250_000, tzinfo=UTC)
        ended = began + timedelta(milliseconds=3999)
        message = {
            "type": "round",
            "round": f"r{number}",
            "began": int(began.timestamp() * 1000),
            "ended": int(ended.timestamp() * 1000),
            "game": {"id": "g", "kind": "cards"},
            "stake": 10 * number,
            "win": 1230,
            "topup": {"amount": 5000 * (number % 2), "method": "card"},
            "player": {"ref": "p", "session": "s", "currency": "GBP"},
        }
        common = {"source": "provider", "player": "p", "session": "s", "currency": "GBP"}
        bet = common | {
            "type": "bet",
            "id": f"r{number}",
            "ts": z(ended),
            "stake": number,
            "payout": 123,
            "game": "g",
            "product": "casino_table",
            "placed_at": z(began),
        }
        topup = common | {
            "type": "deposit",
            "id": f"r{number}:topup",
            "ts": z(began),
            "amount": 500,
            "method": "card",
        }
        yield message, [bet, topup] if number % 2 else [bet]


def stripe() -> Iterator[tuple[Any, list[Event]]]:
    for number, (currency, amount, expected) in enumerate(
        [
            ("cad", 1999, 1999),
            ("jpy", 500, 500),
            ("ugx", 50_000, 500),
            ("isk", 12_300, 123),
            ("mga", 7, 700),
            ("kwd", 5120, 5120),
        ]
    ):
        charge = {
            "id": f"ch_{number}",
            "amount": amount,
            "currency": currency,
            "customer": "cus",
            "payment_intent": f"pi_{number}",
        }
        yield (
            {
                "id": f"evt_{number}",
                "livemode": True,
                "type": "charge.succeeded",
                "created": 1772359200,
                "data": {"object": charge},
            },
            [
                {
                    "type": "deposit",
                    "id": f"evt_{number}",
                    "source": "stripe",
                    "player": "cus",
                    "ts": "2026-03-01T10:00:00Z",
                    "amount": expected,
                    "currency": currency.upper(),
                    "payment": f"pi_{number}",
                }
            ],
        )


def topics() -> Iterator[tuple[Any, list[Event]]]:
    kinds: list[tuple[str, Event, Event]] = [
        ("player.session-started", {"channel": "app"}, {"type": "session_start", "channel": "app"}),
        (
            "payment.deposit-completed",
            {"amount": "0.10", "currency": "CAD"},
            {"type": "deposit", "amount": 10, "currency": "CAD"},
        ),
        (
            "payment.deposit-failed",
            {"amount": "7", "currency": "CAD", "declineReason": "funds"},
            {"type": "deposit_failed", "amount": 700, "currency": "CAD", "reason": "funds"},
        ),
        (
            "payment.withdrawal-completed",
            {"amount": "1000000.01", "currency": "CAD"},
            {"type": "withdrawal", "amount": 100_000_001, "currency": "CAD"},
        ),
        (
            "game.round-completed",
            {"stake": "1.5", "win": "0.00", "currency": "CAD", "gameType": "unheard of"},
            {"type": "bet", "stake": 150, "payout": 0, "currency": "CAD"},
        ),
        (
            "sports.bet-settled",
            {"stake": "2", "payout": "3", "currency": "CAD", "inPlay": False},
            {"type": "bet", "stake": 200, "payout": 300, "currency": "CAD", "product": "sports_prematch"},
        ),
        (
            "compliance.limit-set",
            {"kind": "loss", "period": "monthly", "new": "500", "currency": "CAD"},
            {"type": "limit_change", "limit": "loss", "period": "month", "new": 50_000, "currency": "CAD"},
        ),
        ("compliance.self-excluded", {}, {"type": "self_exclusion"}),
    ]
    for number, (topic, metadata, event) in enumerate(kinds):
        yield (
            {
                "eventId": f"e-{number}",
                "type": topic,
                "timestamp": f"2026-03-01T10:00:0{number}-05:00",
                "version": "1",
                "brand": "north",
                "playerId": "p-1",
                "sessionId": "s-1",
                "metadata": metadata,
            },
            [
                event
                | {
                    "id": f"e-{number}",
                    "source": "topics:north",
                    "player": "p-1",
                    "ts": f"2026-03-01T15:00:0{number}Z",
                    "brand": "north",
                    "session": "s-1",
                }
            ],
        )


FEEDS: list[Callable[[], Iterator[tuple[Any, list[Event]]]]] = [adyen, aggregator, provider, stripe, topics]


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.__name__)
def test_a_feed_comes_out_as_by_hand(feed: Callable[[], Iterator[tuple[Any, list[Event]]]]) -> None:
    mapping = find_mapping(feed.__name__, CURRENCIES)
    for message, expected in feed():
        found = translate(mapping, Decoder(CURRENCIES), json.dumps(message).encode())
        assert found.refusal is None, found.refusal
        assert [taken.event for taken in found.taken] == [decoded(event) for event in expected]
        assert not found.dropped


def decoded(event: Event) -> AnyEvent:
    found = Decoder(CURRENCIES).decode(json.dumps(event).encode())
    assert not isinstance(found, Refusal), found
    return found


def test_every_packaged_mapping_is_worked_out_here() -> None:
    assert sorted(feed.__name__ for feed in FEEDS) == [
        path.stem for path in mapping_files(packaged_mappings())
    ]


def test_a_public_format_takes_fewer_than_a_hundred_lines_examples_included() -> None:
    for name in ("adyen", "stripe"):
        text = (packaged_mappings() / f"{name}.yml").read_text("utf-8")
        assert len(text.splitlines()) < 100
        assert "documented by it" in text
