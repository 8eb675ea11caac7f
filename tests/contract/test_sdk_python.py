"""What the CloudEvents SDK for Python makes of events is taken in, in every mode it has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from cloudevents.core.bindings import http, kafka
from cloudevents.core.v1.event import CloudEvent

from detector.events.bindings import decode_kafka
from detector.events.cloudevents import ATTRIBUTE_OF, wrap
from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies
from tests.contract.taking import EVENTS, plain, take_http

ODD = [
    EVENTS[2] | {"id": f"odd-{number}", "player": player}
    for number, player in enumerate(["jörg 1%", 'a"b', "a b", "50%25", "🎲", "a,b;c=d", "\\", "a%2Fb"])
]


def cloud_event(event: Mapping[str, Any]) -> CloudEvent:
    """The event by the SDK, as its users would make it."""
    data = {
        name: value for name, value in event.items() if name not in ("type", "id", "source", "player", "ts")
    }
    attributes = {
        "type": f"tiltwatch.{event['type']}",
        "id": event["id"],
        "source": event["source"],
        "subject": event["player"],
        "time": datetime.fromisoformat(event["ts"]),
        "datacontenttype": "application/json",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    }
    return CloudEvent(attributes, data)


def decode(message: kafka.KafkaMessage) -> Any:
    key = message.key.encode() if isinstance(message.key, str) else message.key
    return decode_kafka(Decoder(Currencies()), list(message.headers.items()), message.value, key)


@pytest.mark.parametrize("event", EVENTS + ODD, ids=lambda event: str(event["id"]))
def test_every_mode(event: Mapping[str, Any]) -> None:
    made, expected = cloud_event(event), plain(event)
    for message in (http.to_binary_event(made), http.to_structured_event(made)):
        assert take_http(message.headers, message.body) == [expected]

    def by_player(each: Any) -> str:
        return str(each.get_subject())

    assert decode(kafka.to_binary_event(made, key_mapper=by_player)) == expected
    assert decode(kafka.to_structured_event(made, key_mapper=by_player)) == expected
    assert decode(kafka.to_binary_event(made)) == expected


def test_a_batch() -> None:
    # The SDK writes no batches; an array of its events is one.
    body = b",".join(http.to_structured_event(cloud_event(event)).body for event in EVENTS)
    taken = take_http({"Content-Type": "application/cloudevents-batch+json"}, b"[" + body + b"]")
    assert taken == [plain(event) for event in EVENTS]


@pytest.mark.parametrize("event", EVENTS + ODD, ids=lambda event: str(event["id"]))
def test_what_we_write_the_sdk_reads(event: Mapping[str, Any]) -> None:
    message = http.HTTPMessage({"content-type": "application/cloudevents+json"}, wrap(plain(event)))
    read = http.from_http_event(message)
    told, data = read.get_attributes(), read.get_data()
    assert isinstance(data, dict)
    fields = {name: told.get(attribute) for name, attribute in ATTRIBUTE_OF.items()}
    fields["type"] = told["type"].removeprefix("tiltwatch.")
    fields["ts"] = told["time"].isoformat()
    assert plain(fields | data) == plain(event)


def test_data_given_as_bytes_is_refused_with_a_mend() -> None:
    made = CloudEvent(cloud_event(EVENTS[2]).get_attributes(), b'{"amount": 1, "currency": "CAD"}')
    (refusal,) = take_http(*_parts(http.to_structured_event(made)))
    assert isinstance(refusal, Refusal)
    assert refusal.detail == "$.data_base64: send the event's fields as a JSON object in `data`"
    # In binary mode bytes are what a body is made of.
    (event,) = take_http(*_parts(http.to_binary_event(made)))
    assert not isinstance(event, Refusal)


def _parts(message: http.HTTPMessage) -> tuple[Mapping[str, str], bytes]:
    return message.headers, message.body
