"""What is not valid is refused for its own reason, and told where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detector.events.decode import Decoder, Refusal
from detector.events.document import MAX_DEPTH
from detector.events.money import Currencies
from detector.events.vocabulary import MAX_MONEY, MONEY_FIELDS, WIRE_FIELDS, FieldKind
from tests.events.decoding import BET, CURRENCIES, accept, refuse, without
from tests.events.samples import PLAIN, SAMPLES, encode


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"{}x",
        b"[]",
        b"[{}]",
        b"1",
        b"null",
        b'"deposit"',
        b"NaN",
        b"\x00",
        b"\xef\xbb\xbf" + encode(BET),
        encode(BET)[:-1],
        encode(BET) + b"\x00",
        encode(BET) + encode(BET),
        encode(BET)[:-1] + b",}",
        encode(BET).decode().encode("utf-16"),
        encode(BET).replace(b"200", b"NaN"),
        encode(BET).replace(b"200", b"-Infinity"),
        encode(BET).replace(b"200", b"0200"),
        encode(BET).replace(b"e-1", b"\xff"),
        encode(BET).replace(b"e-1", b"\xed\xa0\x80"),
        encode(BET).replace(b"e-1", b"\\ud800"),
        encode(BET).replace(b"e-1", b"\\udc00\\ud800"),
        encode(BET).replace(b"e-1", b"a\nb"),
        encode(BET).replace(b"e-1", b"a\x00b"),
        encode(BET)[:-1] + b',"x":"\xff"}',
        encode(BET)[:-1] + b',"\xff":1}',
        encode(BET)[:-1] + b',"x":NaN}',
        encode(BET)[:-1] + b',"x":"\\ud800"}',
        b"[" * 60_000,
        b'{"type":"bet","x":' + b"[" * 60_000,
        encode(BET)[:-1] + b',"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        encode(BET)[:-1] + b',"x":' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}",
        encode(BET)[:-1] + b',"replaced":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"type":"zzz",}',
    ],
)
def test_not_json(raw: bytes) -> None:
    assert refuse(raw) == ("not_json", "$")


def test_nesting_is_bounded_wherever_the_decoder_is_called_from() -> None:
    def nested(depth: int) -> bytes:
        brackets = b"[" * depth + b"]" * depth
        return encode(BET)[:-1] + b',"x":' + brackets + b',"y":"[[[[{{{{\\"[["' + b"}"

    def deep(frames: int, call: Callable[[], Any]) -> Any:
        return call() if frames == 0 else deep(frames - 1, call)

    for frames in (0, 500):
        assert not isinstance(
            deep(frames, lambda: Decoder(CURRENCIES).decode(nested(MAX_DEPTH - 1))), Refusal
        )
        assert deep(frames, lambda: refuse(nested(MAX_DEPTH))) == ("not_json", "$")
    accept(encode(BET)[:-1] + b',"x":[' + b",".join([b"[]"] * 500) + b"]}")
    accept(encode(BET)[:-1] + b',"x":"' + b"[" * 5_000 + b'"}')


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (encode(BET)[:-1] + b',"id":"e-2"}', "$.id"),
        (encode(BET)[:-1] + b',"id":"e-1"}', "$.id"),
        (encode(BET)[:-1] + b',"id" :"e-1"}', "$.id"),
        (encode(BET)[:-1] + b',"\\u0069d":"e-2"}', "$.id"),
        (encode(BET)[:-1] + b',"type":"bet"}', "$.type"),
        (encode(BET)[:-1] + b',"type":"deposit"}', "$.type"),
        (encode(BET)[:-1] + b',"placed_at":null}', "$.placed_at"),
        (encode(without(BET, "game"))[:-1] + b',"game":null,"game":"g"}', "$.game"),
        (encode(without(BET, "game"))[:-1] + b',"game":"g","game":null}', "$.game"),
        (encode(BET)[:-1] + b',"x":1,"x":2}', "$.*"),
        (encode(BET)[:-1] + b',"x":{"y":1,"y":2}}', "$.*.*"),
        (encode(BET)[:-1] + b',"x":[{"id":1,"id":2}]}', "$.*[*].id"),
        (encode(BET)[:-1] + b',"stake":-1}', "$.stake"),
        (encode(SAMPLES["void"]).replace(b'"stake":', b'"stake":1,"stake":'), "$.voided.stake"),
        (encode(SAMPLES["deposit"]).replace(b'"stake":', b'"s\\u0074ake":1,"stake":'), "$.replaced.stake"),
        (encode(SAMPLES["void"]).replace(b'"voided":', b'"voided":null,"voided":'), "$.voided"),
        (encode(PLAIN["tick"])[:-1] + b',"ts":"2026-01-01T10:00:00Z"}', "$.ts"),
        (encode(PLAIN["limit_change"])[:-1] + b',"new":null}', "$.new"),
        (encode(without(PLAIN["limit_change"], "old"))[:-1] + b',"new":null}', "$.new"),
    ],
)
def test_duplicate_key(raw: bytes, path: str) -> None:
    assert refuse(raw) == ("duplicate_key", path)


def test_a_text_that_looks_like_a_repeat_is_none() -> None:
    accept(BET | {"id": '","id":"', "game": '"id":1,"id":2'})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("Bet", "unknown_type"),
        ("session_summary", "unknown_type"),
        ("", "unknown_type"),
        (3, "wrong_field"),
        ([], "wrong_field"),
        ({}, "wrong_field"),
        (True, "wrong_field"),
        (None, "missing_field"),
    ],
)
def test_types(value: Any, reason: str) -> None:
    assert refuse(BET | {"type": value}) == (reason, "$.type")
    carrying = PLAIN["void"] | {"voided": PLAIN["void"]["voided"] | {"type": value}}
    assert refuse(carrying) == (reason, "$.voided.type")


MONEY = [(name, field) for name, fields in MONEY_FIELDS.items() for field in fields]


@pytest.mark.parametrize(("name", "field"), [*MONEY, ("limit_change", "old"), ("limit_reached", "new")])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"-1", "negative_money"),
        (b"-1.5", "negative_money"),
        (b"-1e400", "negative_money"),
        (b"-" + b"9" * 5_000, "negative_money"),
        (b"12.5", "fractional_money"),
        (b"12.0", "fractional_money"),
        (b"-0.0", "fractional_money"),
        (b"1e3", "fractional_money"),
        (b"1e-400", "fractional_money"),
        (b"9007199254740992", "huge_money"),
        (b"1e400", "huge_money"),
        (b"9" * 5_000, "huge_money"),
        (b"18446744073709551616", "huge_money"),
        (b'"12"', "wrong_field"),
        (b'"12.50"', "wrong_field"),
        (b"true", "wrong_field"),
        (b"[]", "wrong_field"),
        (b"{}", "wrong_field"),
    ],
)
def test_money(name: str, field: str, value: bytes, reason: str) -> None:
    raw = encode(PLAIN[name] | {field: "@"}).replace(b'"@"', value)
    assert refuse(raw) == (reason, f"$.{field}")


@pytest.mark.parametrize(("name", "field"), MONEY)
def test_money_at_its_bounds(name: str, field: str) -> None:
    for value in (0, MAX_MONEY):
        assert getattr(accept(PLAIN[name] | {field: value}), field) == value


@pytest.mark.parametrize("limit", ["deposit_count", "time"])
def test_a_limit_that_is_no_money_is_refused_as_a_plain_field(limit: str) -> None:
    sample = without(PLAIN["limit_change"], "currency") | {"limit": limit, "old": 60}
    accept(sample)
    for value in (-1, 1.5, MAX_MONEY + 1):
        assert refuse(sample | {"old": value}) == ("wrong_field", "$.old")


@pytest.mark.parametrize("limit", ["deposit", "loss", "stake"])
def test_a_limit_of_money_needs_a_currency(limit: str) -> None:
    sample = without(PLAIN["limit_change"], "currency", "old", "new") | {"limit": limit}
    accept(sample)
    accept(sample | {"old": None, "new": None})
    assert refuse(sample | {"old": 5}) == ("missing_field", "$.currency")
    assert refuse(sample | {"new": 0, "currency": None}) == ("missing_field", "$.currency")


@pytest.mark.parametrize("code", ["cad", "ZZZ", "", "C" * 5_000, "XAU", "DOGE", "CAD "])
def test_unknown_currency(code: str) -> None:
    for name, fields in WIRE_FIELDS.items():
        if "currency" in fields:
            assert refuse(PLAIN[name] | {"currency": code}) == ("unknown_currency", "$.currency")
    carrying = PLAIN["void"] | {"voided": PLAIN["void"]["voided"] | {"currency": code}}
    assert refuse(carrying) == ("unknown_currency", "$.voided.currency")


def test_a_deployments_own_currency() -> None:
    accept(BET | {"currency": "BTC"})
    assert isinstance(Decoder(Currencies()).decode(encode(BET | {"currency": "BTC"})), Refusal)


INSTANTS = [
    (name, field)
    for name, fields in WIRE_FIELDS.items()
    for field, spec in fields.items()
    if spec.kind is FieldKind.INSTANT
]


@pytest.mark.parametrize(("name", "field"), INSTANTS)
def test_instants(name: str, field: str) -> None:
    for naive in ("2026-01-01T10:00:00", "2026-01-01 10:00:00.5"):
        assert refuse(PLAIN[name] | {field: naive}) == ("no_zone", f"$.{field}")
    odd: list[Any] = [
        "",
        "now",
        "2026-01-01",
        "2026-02-30T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2026-01-01T23:59:60Z",
        "2026-01-01T10:00:00+24:00",
        1_767_261_600,
        1.5,
        True,
        [],
    ]
    for value in odd:
        assert refuse(PLAIN[name] | {field: value}) == ("wrong_field", f"$.{field}")


def test_an_instant_keeps_whole_microseconds_and_its_moment() -> None:
    for text, wanted in [
        ("2026-01-01T05:00:00.123456-05:00", datetime(2026, 1, 1, 10, 0, 0, 123456, UTC)),
        ("2026-01-01T10:00:00.1234564Z", datetime(2026, 1, 1, 10, 0, 0, 123456, UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ]:
        assert accept(BET | {"ts": text}).ts == wanted


def test_an_instant_outside_the_calendar_in_utc_is_refused() -> None:
    assert refuse(BET | {"ts": "0001-01-01T00:00:00+23:59"}) == ("wrong_field", "$.ts")
    assert refuse(BET | {"ts": "9999-12-31T23:59:59.9999999Z"}) == ("wrong_field", "$.ts")
    assert refuse(BET | {"placed_at": "9999-12-31T23:59:59-23:59"}) == ("wrong_field", "$.placed_at")


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("limit_change", "limit", "wager"),
        ("limit_change", "period", "1h"),
        ("limit_change", "share", -0.1),
        ("limit_change", "share", "0.8"),
        ("contact", "topic", "I am in distress"),
        ("identity_check", "outcome", ""),
        ("identity_check", "over_age", 1),
        ("identity_check", "birth_year", 1899),
        ("identity_check", "birth_year", 2101),
        ("identity_check", "birth_year", 1990.0),
        ("player_profile", "timezone", "America/Nowhere"),
        ("player_profile", "timezone", "../../etc/passwd"),
        ("player_profile", "timezone", ""),
        ("player_profile", "timezone", "America"),
        ("deposit", "method", 3),
        ("void", "target", ""),
        ("void", "voided", "e-0"),
        ("void", "voided", []),
        ("deposit", "replaced", []),
        ("tick", "player", "x" * 129),
    ],
)
def test_wrong_field(name: str, field: str, value: Any) -> None:
    assert refuse(PLAIN[name] | {field: value}) == ("wrong_field", f"$.{field}")


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("topic", 1, "$.topic: must be one of distress, financial_strain, bonus_request, threat, other"),
        ("topic", None, "$.topic: is required"),
        ("id", "", "$.id: Expected `str` of length >= 1"),
        ("id", 5, "$.id: Expected `str`, got `int`"),
        ("session", 5, "$.session: Expected `str | null`, got `int`"),
        ("ts", "x", "$.ts: must be an RFC 3339 time, such as 2026-01-01T10:00:00Z"),
    ],
)
def test_a_detail_says_how_to_mend(field: str, value: Any, detail: str) -> None:
    refused = Decoder(CURRENCIES).decode(encode(PLAIN["contact"] | {field: value}))
    assert isinstance(refused, Refusal)
    assert refused.detail == detail


def test_too_large() -> None:
    raw = encode(BET)
    assert refuse(raw + b" " * (65_537 - len(raw))) == ("too_large", "$")
    accept(raw + b" " * (65_536 - len(raw)))
    assert isinstance(Decoder(CURRENCIES, max_bytes=100).decode(raw), Refusal)


def test_ahead_of_receipt() -> None:
    decoder = Decoder(CURRENCIES)
    ts = datetime.fromisoformat(BET["ts"])
    edge = ts - timedelta(minutes=5)
    assert decoder.decode(encode(BET), received_at=edge) == accept(BET)
    refused = decoder.decode(encode(BET), received_at=edge - timedelta(microseconds=1))
    assert isinstance(refused, Refusal)
    assert refused.reason == "ahead_of_receipt"
    assert not isinstance(decoder.decode(encode(BET)), Refusal)
