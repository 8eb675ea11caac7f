"""CloudEvents whose attributes travel in headers: nothing of them is lost, whatever is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from detector.events.bindings import decode_kafka, from_http
from detector.events.decode import REASONS, Decoder, Refusal
from detector.events.instants import to_datetime
from detector.events.money import Currencies
from detector.events.vocabulary import AnyEvent
from tests.events.samples import PLAIN, SAMPLES, encode
from tests.events.test_cloudevents import DEPOSIT, MOMENT_US, envelope

JSON = "application/json"
EXPECTED = Decoder(Currencies()).decode(encode(PLAIN["deposit"]))
BODY = json.dumps(DEPOSIT["data"]).encode()


def http_headers(document: dict[str, Any], **more: str) -> dict[str, str]:
    attributes = {f"ce-{name}": value for name, value in document.items() if name != "data"}
    return {"content-type": JSON, **attributes, **{f"ce-{name}": value for name, value in more.items()}}


def kafka_headers(document: dict[str, Any], **more: bytes) -> list[tuple[str, bytes | None]]:
    attributes = {f"ce_{name}": value.encode() for name, value in document.items() if name != "data"}
    return [("content-type", b"application/json"), *(attributes | more).items()]


def decode_http(headers: dict[str, str] | list[tuple[str, str]], body: bytes = BODY) -> AnyEvent | Refusal:
    made = from_http(headers.items() if isinstance(headers, dict) else headers, body)
    return made if isinstance(made, Refusal) else Decoder(Currencies()).decode(made)


def decode(
    headers: list[tuple[str, bytes | None]], value: bytes | None = BODY, key: bytes | None = None
) -> AnyEvent | Refusal:
    return decode_kafka(Decoder(Currencies()), headers, value, key)


def told(event: AnyEvent | Refusal) -> tuple[str, str]:
    assert isinstance(event, Refusal)
    assert event.reason in REASONS
    place, _, mend = event.detail.partition(": ")
    assert mend
    return event.reason, place


# HTTP


@pytest.mark.parametrize("name", SAMPLES)
def test_every_type_over_http(name: str) -> None:
    document = envelope(SAMPLES[name])
    got = decode_http(http_headers(document), json.dumps(document["data"]).encode())
    assert got == Decoder(Currencies()).decode(encode(SAMPLES[name]))


def test_the_case_of_header_names_does_not_matter() -> None:
    headers = [(name.upper(), value) for name, value in http_headers(DEPOSIT).items()]
    assert decode_http(headers) == EXPECTED


@pytest.mark.parametrize(
    ("written", "player"),
    [
        ("p%2D1", "p-1"),
        ("j%C3%B6rg%201%25", "jörg 1%"),
        ("j%c3%b6rg", "jörg"),
        ("a b", "a b"),
        ('"p-1"', "p-1"),
        ('"a\\"b\\\\c"', 'a"b\\c'),
        ('"50%25"', "50%"),
        ("a,b", "a,b"),
        ("%F0%9F%8E%B2", "🎲"),
    ],
)
def test_header_values_are_unescaped(written: str, player: str) -> None:
    event = decode_http(http_headers(DEPOSIT | {"subject": written}))
    assert not isinstance(event, Refusal), event.detail
    assert event.player == player


@pytest.mark.parametrize("written", ["100%", "%zz", "%C3", "%FF", "j\xf6rg", "j\xc3\xb6rg", "%ED%A0%80"])
def test_header_values_that_stand_for_nothing(written: str) -> None:
    refusal = decode_http(http_headers(DEPOSIT | {"subject": written}))
    assert told(refusal) == ("wrong_field", "$.subject")
    assert isinstance(refusal, Refusal)
    kept = json.loads(refusal.original)
    assert kept == DEPOSIT | {"subject": written, "datacontenttype": JSON}


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type", "subject", "time"])
def test_a_missing_attribute(attribute: str) -> None:
    headers = http_headers({name: value for name, value in DEPOSIT.items() if name != attribute})
    assert told(decode_http(headers)) == ("missing_field", f"$.{attribute}")


def test_a_header_sent_twice_is_kept_twice() -> None:
    refusal = decode_http([*http_headers(DEPOSIT).items(), ("Ce-Subject", "p-2")])
    assert told(refusal) == ("duplicate_key", "$.subject")
    assert isinstance(refusal, Refusal)
    assert json.loads(refusal.original)["subject"] == ["p-1", "p-2"]
    refusal = decode_http([*http_headers(DEPOSIT, canary="1").items(), ("ce-canary", "2")])
    assert told(refusal) == ("duplicate_key", "$.*")


@pytest.mark.parametrize(
    "body",
    [b"<deposit/>", b"\xff\xfe", b"{", BODY + BODY, b'{"amount":1},"subject":"p-2"', b"\xef\xbb\xbf{}"],
)
def test_a_body_that_is_no_json_is_kept(body: bytes) -> None:
    refusal = decode_http(http_headers(DEPOSIT), body)
    assert told(refusal) == ("not_json", "$.data")
    assert isinstance(refusal, Refusal)
    kept = Decoder(Currencies()).decode(refusal.original)
    assert told(kept) == ("wrong_field", "$.data_base64")


@pytest.mark.parametrize(
    ("headers", "body", "reason", "place"),
    [
        ({"content-type": "text/plain"}, BODY, "wrong_field", "$.datacontenttype"),
        ({"content-type": "application/json; charset=utf-16"}, BODY, "wrong_field", "$.datacontenttype"),
        ({"ce-specversion": "0.3"}, BODY, "wrong_field", "$.specversion"),
        ({"ce-type": "deposit"}, BODY, "unknown_type", "$.type"),
        ({"ce-time": "2026-01-01"}, BODY, "wrong_field", "$.time"),
        ({"ce-subject": ""}, BODY, "wrong_field", "$.subject"),
        ({"ce-session": "s-2"}, BODY, "wrong_field", "$.session"),
        ({"ce-data": "{}"}, BODY, "wrong_field", "$.data"),
        ({"ce-data_base64": "e30="}, BODY, "wrong_field", "$.data_base64"),
        ({}, b"", "missing_field", "$.data.amount"),
        ({}, b"[]", "wrong_field", "$.data"),
        ({}, b"3", "wrong_field", "$.data"),
        ({}, b'{"amount":1,"amount":2}', "duplicate_key", "$.*.amount"),
        ({}, b'{"amount":-5,"currency":"CAD"}', "negative_money", "$.data.amount"),
    ],
)
def test_what_is_wrong_over_http(headers: dict[str, str], body: bytes, reason: str, place: str) -> None:
    assert told(decode_http(http_headers(DEPOSIT) | headers, body)) == (reason, place)


def test_without_a_content_type_the_body_is_taken_for_json() -> None:
    headers = {name: value for name, value in http_headers(DEPOSIT).items() if name != "content-type"}
    assert decode_http(headers) == EXPECTED


# Kafka


@pytest.mark.parametrize("name", SAMPLES)
def test_every_type_over_kafka(name: str) -> None:
    expected = Decoder(Currencies()).decode(encode(SAMPLES[name]))
    document = envelope(SAMPLES[name])
    binary = decode(kafka_headers(document), json.dumps(document["data"]).encode())
    structured = decode([("content-type", b"application/cloudevents+json; charset=UTF-8")], encode(document))
    plain = decode([("content-type", b"application/json")], encode(SAMPLES[name]))
    bare = decode([], encode(SAMPLES[name]))
    assert binary == structured == plain == bare == expected


def test_header_values_of_kafka_are_text_as_they_are() -> None:
    headers = kafka_headers(DEPOSIT, ce_subject="jörg 100%25".encode())
    event = decode(headers, key="jörg 100%25".encode())
    assert not isinstance(event, Refusal)
    assert event.player == "jörg 100%25"


def test_the_case_of_kafka_headers_does_not_matter() -> None:
    assert decode([(name.upper(), value) for name, value in kafka_headers(DEPOSIT)]) == EXPECTED


def test_some_sdks_name_the_type_of_the_data_twice() -> None:
    assert decode(kafka_headers(DEPOSIT, ce_datacontenttype=b"application/json")) == EXPECTED


@pytest.mark.parametrize(
    ("headers", "value", "reason", "place"),
    [
        ([*kafka_headers(DEPOSIT), ("CE_id", b"e-2")], BODY, "duplicate_key", "$.id"),
        (kafka_headers(DEPOSIT, ce_subject=b"\xff"), BODY, "wrong_field", "$.subject"),
        (kafka_headers(DEPOSIT, ce_specversion=b"0.3"), BODY, "wrong_field", "$.specversion"),
        (kafka_headers(DEPOSIT), b"\x00\x01", "not_json", "$.data"),
        (kafka_headers(DEPOSIT), None, "missing_field", "$.data.amount"),
        ([("ce_id", b"e-1")], BODY, "missing_field", "$.specversion"),
        ([("content-type", b"application/cloudevents-batch+json")], b"[]", "not_json", "$"),
        ([("content-type", b"application/cloudevents+avro")], b"\x00", "not_json", "$"),
        ([], None, "not_json", "$"),
        ([("ce_id", None)], None, "not_json", "$"),
    ],
)
def test_what_is_wrong_over_kafka(
    headers: list[tuple[str, bytes | None]], value: bytes | None, reason: str, place: str
) -> None:
    assert told(decode(headers, value)) == (reason, place)


def test_bytes_that_are_no_text_are_kept() -> None:
    refusal = decode(kafka_headers(DEPOSIT, ce_subject=b"\xff"), b"\x00\x01")
    assert isinstance(refusal, Refusal)
    kept = json.loads(refusal.original)
    assert (kept["subject"], kept["data_base64"]) == ("\xff", "AAE=")


def test_a_key_is_the_player() -> None:
    document = envelope(PLAIN["deposit"])
    assert decode(kafka_headers(document), key=b"p-1") == EXPECTED
    assert told(decode(kafka_headers(document), key=b"p-2")) == ("wrong_field", "$.subject")
    assert told(decode([], encode(document), key=b"p-2")) == ("wrong_field", "$.subject")
    assert told(decode([], encode(PLAIN["deposit"]), key=b"")) == ("wrong_field", "$.player")


def test_a_tick_may_have_any_key() -> None:
    assert not isinstance(decode([], encode(PLAIN["tick"]), key=b"anything"), Refusal)


def test_receipt_counts_over_kafka_too() -> None:
    decoder = Decoder(Currencies())
    headers = kafka_headers(DEPOSIT, ce_time=b"2026-01-01T10:06:00Z")
    refusal = decode_kafka(decoder, headers, BODY, b"p-1", to_datetime(MOMENT_US))
    assert told(refusal) == ("ahead_of_receipt", "$.time")
