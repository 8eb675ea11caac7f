"""A CloudEvent gives the event it holds, or a reason, a place and a mend."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.events.cloudevents import wrap
from detector.events.decode import REASONS, Decoder, Refusal
from detector.events.instants import to_datetime
from detector.events.money import Currencies
from detector.events.vocabulary import AnyEvent
from tests.events.samples import PLAIN, SAMPLES, encode

OF_THE_ENVELOPE = {"id": "id", "source": "source", "type": "type", "player": "subject", "ts": "time"}
MOMENT_US = 1_767_261_600_000_000  # 2026-01-01T10:00:00Z


def envelope(event: dict[str, Any]) -> dict[str, Any]:
    """The sample in an envelope, made by hand."""
    attributes = {OF_THE_ENVELOPE[name]: event[name] for name in event if name in OF_THE_ENVELOPE}
    attributes["type"] = f"tiltwatch.{event['type']}"
    data = {name: value for name, value in event.items() if name not in OF_THE_ENVELOPE}
    return {"specversion": "1.0", **attributes, "data": data}


DEPOSIT = envelope(PLAIN["deposit"])


def decode(document: dict[str, Any] | bytes, decoder: Decoder | None = None) -> AnyEvent | Refusal:
    raw = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    return (decoder or Decoder(Currencies())).decode(raw)


def accept(document: dict[str, Any] | bytes, decoder: Decoder | None = None) -> AnyEvent:
    event = decode(document, decoder)
    assert not isinstance(event, Refusal), (event.reason, event.detail)
    return event


def refuse(document: dict[str, Any] | bytes) -> tuple[str, str]:
    raw = document if isinstance(document, bytes) else json.dumps(document, ensure_ascii=False).encode()
    refusal = decode(raw)
    assert isinstance(refusal, Refusal)
    assert refusal.original == raw
    assert refusal.reason in REASONS
    place, _, mend = refusal.detail.partition(": ")
    assert mend
    return refusal.reason, place


def without(name: str, **more: Any) -> dict[str, Any]:
    return {key: value for key, value in DEPOSIT.items() if key != name} | more


def with_data(**more: Any) -> dict[str, Any]:
    return DEPOSIT | {"data": DEPOSIT["data"] | more}


# What is in it


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("samples", [PLAIN, SAMPLES], ids=["plain", "correcting"])
def test_every_type_comes_out_as_its_plain_form(name: str, samples: dict[str, dict[str, Any]]) -> None:
    plain, enveloped = Decoder(Currencies()), Decoder(Currencies())
    expected = plain.decode(encode(samples[name]))
    assert accept(envelope(samples[name]), enveloped) == expected
    # The same event in another form is a repeat of it.
    assert enveloped.content == plain.content
    assert not enveloped.unknown_fields


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("samples", [PLAIN, SAMPLES], ids=["plain", "correcting"])
def test_what_is_wrapped_comes_out_the_same(name: str, samples: dict[str, dict[str, Any]]) -> None:
    decoder = Decoder(Currencies())
    event = decoder.decode(encode(samples[name]))
    assert not isinstance(event, Refusal)
    content = decoder.content
    wrapped = wrap(event)
    assert accept(wrapped, decoder) == event
    assert decoder.content == content
    assert set(json.loads(wrapped)) <= {*OF_THE_ENVELOPE.values(), "specversion", "datacontenttype", "data"}


def test_a_tick_needs_no_subject() -> None:
    tick = {"type": "tiltwatch.tick", "specversion": "1.0", "id": "t", "source": "s"}
    harmless: list[dict[str, Any]] = [{}, {"subject": None}, {"data": {}}, {"data": None}, {"subject": "p-1"}]
    for more in harmless:
        assert accept(tick | {"time": "2026-01-01T10:00:00Z"} | more).type == "tick"
    assert refuse(tick) == ("missing_field", "$.time")


def test_no_data_is_needed_where_no_field_is() -> None:
    start = {key: value for key, value in DEPOSIT.items() if key != "data"}
    start["type"] = "tiltwatch.session_start"
    for document in (start, start | {"data": None}, start | {"data": {}}):
        assert accept(document).type == "session_start"


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "Application/JSON; Charset=UTF-8",
        'application/json;charset="utf-8"',
        "text/json",
        "application/vnd.acme+json",
    ],
)
def test_kinds_of_json(content_type: str | None) -> None:
    assert accept(DEPOSIT | {"datacontenttype": content_type}) == accept(DEPOSIT)


def test_data_may_repeat_what_the_envelope_says() -> None:
    repeated = {"player": "p-1", "id": "e-1", "source": "casino-a", "type": "deposit"}
    assert accept(with_data(**repeated)) == accept(DEPOSIT)
    assert accept(with_data(type="tiltwatch.deposit")) == accept(DEPOSIT)
    assert accept(with_data(ts="2026-01-01T05:00:00.123456-05:00", player=None)) == accept(DEPOSIT)


def test_extensions_are_ignored_and_counted() -> None:
    decoder = Decoder(Currencies())
    more = {"traceparent": "00-1", "partitionkey": "p-1", "sequence": 7, "dataschema": "urn:x"}
    assert accept(with_data(odd=1, specversion="0.3") | more, decoder) == accept(DEPOSIT)
    assert set(decoder.unknown_fields) == {
        f"deposit.{name}" for name in ("traceparent", "partitionkey", "sequence", "odd", "specversion")
    }


def test_spelling_does_not_matter() -> None:
    loose = (
        json.dumps(DEPOSIT, indent=2).replace('"amount"', '"am\\u006funt"').replace('"data"', '"d\\u0061ta"')
    )
    assert accept(loose.encode()) == accept(DEPOSIT)
    spaced = json.dumps(with_data(player="p-1"), indent=2).encode()
    assert accept(spaced) == accept(DEPOSIT)


def test_an_extension_may_repeat_a_field() -> None:
    accepted = accept(DEPOSIT | {"brand": "acme", "player": "p-1", "session": None})
    assert accepted == accept(DEPOSIT)


def test_a_plain_event_that_happens_to_say_specversion_is_one() -> None:
    assert accept(PLAIN["deposit"] | {"specversion": "7"}) == accept(PLAIN["deposit"])


# What is wrong with it


@pytest.mark.parametrize(
    ("document", "reason", "place"),
    [
        (without("specversion"), "missing_field", "$.specversion"),
        (DEPOSIT | {"specversion": None}, "missing_field", "$.specversion"),
        (DEPOSIT | {"specversion": "0.3"}, "wrong_field", "$.specversion"),
        (DEPOSIT | {"specversion": "1.1"}, "wrong_field", "$.specversion"),
        (DEPOSIT | {"specversion": 1.0}, "wrong_field", "$.specversion"),
        (without("id"), "missing_field", "$.id"),
        (DEPOSIT | {"id": ""}, "wrong_field", "$.id"),
        (DEPOSIT | {"id": 7}, "wrong_field", "$.id"),
        (without("source"), "missing_field", "$.source"),
        (DEPOSIT | {"source": "s" * 129}, "wrong_field", "$.source"),
        (without("type"), "missing_field", "$.type"),
        (DEPOSIT | {"type": ["tiltwatch.deposit"]}, "wrong_field", "$.type"),
        (DEPOSIT | {"type": "deposit"}, "unknown_type", "$.type"),
        (DEPOSIT | {"type": "com.acme.deposit"}, "unknown_type", "$.type"),
        (DEPOSIT | {"type": "tiltwatch.tiltwatch.deposit"}, "unknown_type", "$.type"),
        (DEPOSIT | {"type": "Tiltwatch.Deposit"}, "unknown_type", "$.type"),
        (DEPOSIT | {"type": "tiltwatch."}, "unknown_type", "$.type"),
        (without("subject"), "missing_field", "$.subject"),
        (without("subject", player="p-1"), "missing_field", "$.subject"),
        (without("subject", data=DEPOSIT["data"] | {"player": "p-1"}), "missing_field", "$.subject"),
        (DEPOSIT | {"subject": ""}, "wrong_field", "$.subject"),
        (DEPOSIT | {"subject": {"player": "p-1"}}, "wrong_field", "$.subject"),
        (DEPOSIT | {"Subject": "p-1", "subject": None}, "missing_field", "$.subject"),
        (without("time"), "missing_field", "$.time"),
        (without("time", data=DEPOSIT["data"] | {"ts": "2026-01-01T10:00:00Z"}), "missing_field", "$.time"),
        (DEPOSIT | {"time": "2026-01-01T10:00:00"}, "no_zone", "$.time"),
        (DEPOSIT | {"time": "yesterday"}, "wrong_field", "$.time"),
        (DEPOSIT | {"time": 1767261600}, "wrong_field", "$.time"),
        (DEPOSIT | {"time": "0001-01-01T00:00:00+10:00"}, "wrong_field", "$.time"),
        (with_data(player="p-2"), "wrong_field", "$.data.player"),
        (with_data(player=1), "wrong_field", "$.data.player"),
        (with_data(id="e-2"), "wrong_field", "$.data.id"),
        (with_data(source="casino-b"), "wrong_field", "$.data.source"),
        (with_data(type="bet"), "wrong_field", "$.data.type"),
        (with_data(ts="2026-01-01T10:00:01Z"), "wrong_field", "$.data.ts"),
        (with_data(ts="2026-01-01T10:00:00.123456"), "wrong_field", "$.data.ts"),
        (with_data(ts=7), "wrong_field", "$.data.ts"),
        (without("data", data_base64="eyJhbW91bnQiOjF9"), "wrong_field", "$.data_base64"),
        (DEPOSIT | {"data_base64": "e30="}, "wrong_field", "$.data_base64"),
        (without("data"), "missing_field", "$.data.amount"),
        (DEPOSIT | {"data": '{"amount": 1}'}, "wrong_field", "$.data"),
        (DEPOSIT | {"data": [DEPOSIT["data"]]}, "wrong_field", "$.data"),
        (DEPOSIT | {"data": []}, "wrong_field", "$.data"),
        (DEPOSIT | {"data": ""}, "wrong_field", "$.data"),
        (DEPOSIT | {"data": 0}, "wrong_field", "$.data"),
        (DEPOSIT | {"data": False}, "wrong_field", "$.data"),
        (DEPOSIT | {"datacontenttype": "application/xml"}, "wrong_field", "$.datacontenttype"),
        (
            DEPOSIT | {"datacontenttype": "application/json; charset=utf-16"},
            "wrong_field",
            "$.datacontenttype",
        ),
        (
            DEPOSIT | {"datacontenttype": "application/json\r\nx: y; charset=latin-1"},
            "wrong_field",
            "$.datacontenttype",
        ),
        (DEPOSIT | {"datacontenttype": ""}, "wrong_field", "$.datacontenttype"),
        (DEPOSIT | {"datacontenttype": 1}, "wrong_field", "$.datacontenttype"),
        (DEPOSIT | {"session": "s-2"}, "wrong_field", "$.session"),
        (without("data", data={"amount": 1, "currency": "CAD"}, brand="acme"), "wrong_field", "$.brand"),
        (DEPOSIT | {"player": "p-2"}, "wrong_field", "$.player"),
        (DEPOSIT | {"ts": "2026-01-01T10:00:01Z"}, "wrong_field", "$.ts"),
        (with_data(amount=-1), "negative_money", "$.data.amount"),
        (with_data(amount=1.5), "fractional_money", "$.data.amount"),
        (with_data(amount="1"), "wrong_field", "$.data.amount"),
        (with_data(amount=2**60), "huge_money", "$.data.amount"),
        (with_data(amount=10**30), "huge_money", "$.data.amount"),
        (with_data(currency="XXQ"), "unknown_currency", "$.data.currency"),
        (with_data(session=""), "wrong_field", "$.data.session"),
        (with_data(replaces="e-0"), "missing_field", "$.data.replaced"),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(document: dict[str, Any], reason: str, place: str) -> None:
    assert refuse(document) == (reason, place)


def test_a_correction_that_carries_nonsense() -> None:
    void = envelope(PLAIN["void"])
    void["data"]["voided"] = void["data"]["voided"] | {"stake": -1}
    assert refuse(void) == ("negative_money", "$.data.voided.stake")


@pytest.mark.parametrize(
    ("raw", "reason", "place"),
    [
        (encode(DEPOSIT).replace(b'"id":', b'"id":"e-0","id":', 1), "duplicate_key", "$.id"),
        (encode(DEPOSIT).replace(b'"amount":', b'"amount":1,"amount":', 1), "duplicate_key", "$.*.amount"),
        # As many commas as an envelope without a repeat would have.
        (encode(DEPOSIT | {"data": {"amount": 1}})[:-2] + b',"amount":2}}', "duplicate_key", "$.*.amount"),
        (encode(without("data"))[:-1] + b',"data":{"a":{"b":1,"b":2}}}', "duplicate_key", "$.*.*.*"),
        (encode(without("data"))[:-1] + b',"data":{"a":1},"data":{}}', "duplicate_key", "$.*"),
        (encode(DEPOSIT)[:-1], "not_json", "$"),
        (encode(DEPOSIT).replace(b"20000", b"1e400"), "huge_money", "$.data.amount"),
        (encode(DEPOSIT).replace(b"20000", b"20000.0"), "fractional_money", "$.data.amount"),
        (encode(DEPOSIT).replace(b"20000", b"NaN"), "not_json", "$"),
        (encode(DEPOSIT).replace(b'"card"', b'"\\ud800"'), "not_json", "$"),
        (encode(DEPOSIT).replace(b'"card"', b'"\xff"'), "not_json", "$"),
        (encode(DEPOSIT).replace(b'"card"', b"[" * 70 + b"]" * 70), "not_json", "$"),
        (encode(DEPOSIT) + b" " * 65_536, "too_large", "$"),
    ],
)
def test_hostile_bytes(raw: bytes, reason: str, place: str) -> None:
    assert refuse(raw) == (reason, place)


def test_one_from_the_future_is_told_by_its_time() -> None:
    raw = encode(DEPOSIT | {"time": "2026-01-01T10:06:00Z"})
    refusal = Decoder(Currencies()).decode(raw, to_datetime(MOMENT_US))
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.original) == ("ahead_of_receipt", raw)
    assert refusal.detail.startswith("$.time: ")


def test_details_never_repeat_a_value() -> None:
    secret = "canary-4711"
    documents: list[dict[str, Any]] = [{**DEPOSIT, name: secret} for name in DEPOSIT if name != "id"]
    documents += [with_data(**{name: secret}) for name in ("amount", "player", "ts", "currency", "id")]
    documents += [
        DEPOSIT | {name: secret} for name in ("datacontenttype", "data_base64", "session", "player")
    ]
    for document in documents:
        event = decode(document)
        if isinstance(event, Refusal):
            assert secret not in event.detail + event.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*DEPOSIT, *DEPOSIT["data"], "data_base64", "datacontenttype", "player", "ts"])


@given(st.dictionaries(NAMES, JSON, max_size=4), st.dictionaries(NAMES, JSON, max_size=4))
def test_nonsense_is_refused_and_never_raises(outside: dict[str, Any], inside: dict[str, Any]) -> None:
    document = DEPOSIT | {"data": DEPOSIT["data"] | inside} | outside
    raw = json.dumps(document).encode()
    event = Decoder(Currencies()).decode(raw)
    if isinstance(event, Refusal):
        assert (event.original, event.reason in REASONS) == (raw, True)
        assert re.match(r"\$[.\w*\[\]]*: .", event.detail)
    else:
        expected = {"id": "e-1", "subject": "p-1"} | outside
        assert (event.type, event.id, event.player) == ("deposit", expected["id"], expected["subject"])
