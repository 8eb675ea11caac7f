"""Decoding: what is valid comes through whole, what is not is refused for its own reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.events import decode as module
from detector.events.decode import REASONS, Decoder, Refusal
from detector.events.document import MAX_DEPTH, Refused, read_document
from detector.events.identity import fingerprint, pack
from detector.events.money import Currencies
from detector.events.vocabulary import (
    CARRIED_TYPES,
    EVENT_TYPES,
    MAX_MONEY,
    MONEY_FIELDS,
    WIRE_FIELDS,
    AnyEvent,
    Bet,
    FieldKind,
    LimitChange,
    Tick,
    Void,
)
from tests.events.samples import PLAIN, SAMPLES, encode

CURRENCIES = Currencies({"BTC": 8})
BET = PLAIN["bet"]
BARE = {
    name: {"type", *(field for field, spec in fields.items() if spec.required)}
    for name, fields in WIRE_FIELDS.items()
}


def accept(event: dict[str, Any] | bytes, decoder: Decoder | None = None) -> AnyEvent:
    raw = event if isinstance(event, bytes) else encode(event)
    decoded = (decoder or Decoder(CURRENCIES)).decode(raw)
    assert not isinstance(decoded, Refusal), decoded
    return decoded


def refuse(event: dict[str, Any] | bytes) -> tuple[str, str]:
    """Reason and path of the refusal."""
    raw = event if isinstance(event, bytes) else encode(event)
    refused = Decoder(CURRENCIES).decode(raw)
    assert isinstance(refused, Refusal), refused
    assert refused.reason in REASONS
    assert refused.original is raw
    return refused.reason, refused.detail.partition(":")[0]


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


# What is valid


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


# Refusals, each for its own reason


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


# The two paths agree, and nothing gets through or leaks

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    [",", '"', '":', '","x":"', "\\", "\\u0022", "{", "}", "[,]", "id"]
)
scalars = (
    texts
    | st.integers(-5, 2**54)
    | st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def spelt(draw: st.DrawFn, value: Any) -> str:
    """A JSON text of `value`, oddly spaced and escaped; an object's pairs may be given as a tuple."""
    gap = st.sampled_from(["", "", "", " ", "\n", "\t", "\r "])
    if isinstance(value, dict):
        value = tuple(value.items())
    if isinstance(value, tuple):
        pairs = [
            f"{draw(gap)}{draw(spelt(key))}{draw(gap)}:{draw(gap)}{draw(spelt(item))}{draw(gap)}"
            for key, item in value
        ]
        return "{" + (",".join(pairs) or draw(gap)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(draw(gap) + draw(spelt(item)) + draw(gap) for item in value) + "]"
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    if isinstance(value, str) and value and draw(st.integers(0, 5)) == 0:
        text = '"' + "".join(f"\\u{unit:04x}" for unit in _units(value)) + '"'
    return text


def _units(text: str) -> list[int]:
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """Events of every type, some with fields left out, nulled, repeated, unknown, wrong or nested."""
    pairs = list(draw(st.sampled_from([*SAMPLES.values(), *PLAIN.values(), *[BET] * 10])).items())
    for _ in range(draw(st.integers(0, 3))):
        change = draw(st.sampled_from(["drop", "null", "repeat", "unknown", "wrong", "text"]))
        at = draw(st.integers(0, len(pairs) - 1))
        key, value = pairs[at]
        if change == "drop":
            del pairs[at]
        elif change == "null":
            pairs[at] = (key, None)
        elif change == "repeat":
            pairs.insert(draw(st.integers(0, len(pairs))), (key, draw(st.just(value) | scalars)))
        elif change == "unknown":
            pairs.insert(at, (draw(texts), draw(anything)))
        elif change == "wrong":
            pairs[at] = (key, draw(anything))
        elif key in ("id", "game", "session", "product", "channel"):
            pairs[at] = (key, draw(texts))
    if draw(st.booleans()):
        pairs = draw(st.permutations(pairs))
    return draw(spelt(tuple(pairs))).encode()


def _pairs_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise LookupError
    return members


@given(documents())
def test_the_hot_path_agrees_with_the_slow_one(raw: bytes) -> None:
    hot, slow = Decoder(CURRENCIES), Decoder(CURRENCIES)
    decoded = hot.decode(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PAID", dict.fromkeys(EVENT_TYPES.values()))
        assert slow.decode(raw) == decoded
    assert hot.unknown_fields == slow.unknown_fields
    try:
        document = json.loads(raw, object_pairs_hook=_pairs_once)
    except LookupError:
        assert isinstance(decoded, Refusal)
        assert decoded.reason == "duplicate_key"
        return
    if not isinstance(decoded, Refusal):
        unknown = set(document) - WIRE_FIELDS[decoded.type].keys() - {"type"}
        counted = {name for name in hot.unknown_fields if name.startswith(f"{decoded.type}.")}
        assert {f"{decoded.type}.{name}" for name in unknown} <= counted or decoded.replaced is not None
        known = {name: value for name, value in document.items() if name not in unknown}
        assert accept(encode(known)) == decoded


@given(documents())
def test_a_document_is_read_as_plain_json_is(raw: bytes) -> None:
    try:
        wanted = json.loads(raw, object_pairs_hook=_pairs_once)
    except LookupError:
        with pytest.raises(Refused) as caught:
            read_document(raw)
        assert caught.value.reason == "duplicate_key"
    else:
        assert read_document(raw) == wanted


@given(
    st.sampled_from([encode(sample) for sample in SAMPLES.values()]),
    st.lists(st.tuples(st.integers(0, 2_000), st.binary(max_size=3)), min_size=1, max_size=3),
)
def test_broken_bytes_never_raise(raw: bytes, cuts: list[tuple[int, bytes]]) -> None:
    for at, put in cuts:
        raw = raw[: at % len(raw)] + put + raw[at % len(raw) + len(put) :] or b" "
    decoded = Decoder(CURRENCIES).decode(raw)
    if isinstance(decoded, Refusal):
        assert decoded.reason in REASONS
        assert decoded.original == raw
        assert decoded.detail.startswith("$")
    else:
        json.loads(raw.decode(), object_pairs_hook=_pairs_once)


@given(st.binary(max_size=50))
def test_any_bytes_are_answered(raw: bytes) -> None:
    assert isinstance(Decoder(CURRENCIES).decode(raw), Refusal)


SECRET = "zq9secret"
HIDDEN = [SECRET, [SECRET], {SECRET: SECRET}, SECRET * 30, {"type": SECRET}, 987654.321, 987654, -987654]


@given(st.sampled_from(sorted(SAMPLES)), st.data())
def test_a_detail_never_repeats_what_was_sent(name: str, data: st.DataObject) -> None:
    sample = dict(SAMPLES[name])
    field = data.draw(st.sampled_from(sorted(sample)))
    value = data.draw(st.sampled_from(HIDDEN))
    carried = {key: sample[key] for key in ("voided", "replaced") if key in sample}
    sample[field] = value
    for key in data.draw(st.sampled_from([[], list(carried)])):
        inner = data.draw(st.sampled_from(sorted(carried[key])))
        sample[key] = carried[key] | {inner: value}
    raw = encode(sample)
    if data.draw(st.booleans()):
        raw = raw[:-1] + f',"{SECRET}":1,"{SECRET}":2}}'.encode()
    decoded = Decoder(CURRENCIES).decode(raw)
    if isinstance(decoded, Refusal):
        assert SECRET not in decoded.detail
        assert "987654" not in decoded.detail


@pytest.mark.parametrize("name", SAMPLES)
def test_the_packed_form_has_a_key_for_each_that_was_sent(name: str) -> None:
    """What the hot path counts on: of full events, of bare ones, and with nulls that count as absent."""
    bare = {key: value for key, value in PLAIN[name].items() if key in BARE[name]}
    for event in (SAMPLES[name], PLAIN[name], bare):
        sent = {key for key, value in event.items() if value is not None or key in ("old", "new")}
        assert set(msgspec.msgpack.decode(pack(accept(event)))) == sent
        decoder = Decoder(CURRENCIES)
        assert fingerprint(accept(event, decoder)) == decoder.content


def test_the_hot_path_takes_the_common_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Decoder, "_examine")
    common = {"session_start", "session_end", "deposit", "deposit_failed", "bet", "withdrawal", "contact"}
    for name in common:
        accept(PLAIN[name])
        accept(json.dumps(PLAIN[name]).encode())
