"""The AsyncAPI document is valid, and describes what is really said."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from api.app import create_app
from api.cli import app
from api.events.bodies import MEDIA_TYPES
from api.settings import Settings
from detector.drivers import streams
from detector.drivers.asyncapi import asyncapi
from detector.engine.alerts import Alert, Evidence
from detector.events.cloudevents import wrap
from detector.events.decode import REASONS, Decoder
from detector.events.money import Currencies
from detector.events.schema import cloud_event_schema, json_schema
from detector.events.vocabulary import EVENT_TYPES
from detector.ladder.interventions import Intervention
from tests.events.samples import PLAIN, SAMPLES, encode
from tests.events.test_cloudevents import DEPOSIT, envelope
from tests.events.test_schema import bad_events

OFFICIAL = jsonschema.Draft7Validator(
    json.loads(Path(__file__).with_name("asyncapi").joinpath("asyncapi-3.0.0.json").read_text("utf-8"))
)
DOCUMENT = asyncapi()
CLOUD_EVENT = jsonschema.Draft202012Validator(cloud_event_schema())


def validator(message: str, part: str = "payload") -> jsonschema.Draft7Validator:
    """Of what a message of the document holds."""
    schema = DOCUMENT["components"]["messages"][message][part]
    return jsonschema.Draft7Validator({**schema, "components": DOCUMENT["components"]})


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_it_is_valid() -> None:
    OFFICIAL.check_schema(OFFICIAL.schema)
    errors = [(list(each.absolute_path), each.message) for each in OFFICIAL.iter_errors(DOCUMENT)]
    assert errors == []


@pytest.mark.parametrize(
    "path", [("info", "title"), ("channels", "events", "address"), ("operations", "receiveEvents", "action")]
)
def test_the_official_schema_finds_what_is_wrong(path: tuple[str, ...]) -> None:
    broken = copy.deepcopy(DOCUMENT)
    place = broken
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = ["wrong"]
    assert not OFFICIAL.is_valid(broken)


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        place: Any = DOCUMENT
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]
    used = {each.rpartition("/")[2] for each in references(DOCUMENT)}
    assert set(DOCUMENT["components"]["schemas"]) <= used


def test_every_stream_others_read_or_write_is_there() -> None:
    addresses = {each["address"] for each in DOCUMENT["channels"].values()}
    wanted = {streams.EVENTS, streams.ALERTS, streams.INTERVENTIONS, streams.DEAD}
    assert wanted | {"/v1/events", "rg.events", "rg.alerts", "rg.interventions", "rg.dead"} == addresses
    assert "/v1/events" in create_app(Settings(), "redis://localhost").openapi()["paths"]


def test_what_http_takes_is_what_is_said() -> None:
    messages = DOCUMENT["channels"]["intake"]["messages"]
    said = {DOCUMENT["components"]["messages"][each]["contentType"] for each in messages}
    assert said == set(MEDIA_TYPES)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_pass_in_every_form(name: str) -> None:
    for sample in (SAMPLES[name], PLAIN[name]):
        document = envelope(sample)
        validator("event").validate(sample)
        validator("cloudEvent").validate(document)
        CLOUD_EVENT.validate(document)
        validator("cloudEventBatch").validate([document])
        validator("cloudEventOverKafka").validate(document["data"])
        for prefix, message in (("ce-", "cloudEventOverHttp"), ("ce_", "cloudEventOverKafka")):
            headers = {f"{prefix}{key}": value for key, value in document.items() if key != "data"}
            validator(message, "headers").validate(headers)
        event = Decoder(Currencies()).decode(encode(sample))
        CLOUD_EVENT.validate(json.loads(wrap(event)))  # type: ignore[arg-type]


def test_bad_events_fail_in_an_envelope_too() -> None:
    for event in bad_events():
        document = envelope(event)
        assert not CLOUD_EVENT.is_valid(document), document


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type", "subject", "time", "data"])
def test_bad_envelopes_fail(attribute: str) -> None:
    assert CLOUD_EVENT.is_valid(DEPOSIT)
    assert not CLOUD_EVENT.is_valid({key: value for key, value in DEPOSIT.items() if key != attribute})
    assert not CLOUD_EVENT.is_valid(DEPOSIT | {attribute: 7})


def test_schemas_are_schemas() -> None:
    for schema in (json_schema(), cloud_event_schema()):
        jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(json_schema()).validate(PLAIN["bet"])
    for each in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(each)


def test_examples_are_examples() -> None:
    for name, message in DOCUMENT["components"]["messages"].items():
        for example in message.get("examples", ()):
            validator(name).validate(example["payload"])
            if "headers" in example:
                validator(name, "headers").validate(example["headers"])


def test_payloads_are_what_the_structs_say() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for struct in (Alert, Evidence, Intervention):
        assert list(schemas[struct.__name__]["properties"]) == list(struct.__struct_fields__)
    assert {each.__name__ for each in EVENT_TYPES.values()} <= set(schemas)
    assert schemas["Refused"]["properties"]["reason"]["enum"] == list(REASONS)


def test_it_is_written_by_a_command() -> None:
    for subject, made in (
        ("asyncapi", DOCUMENT),
        ("event", json_schema()),
        ("cloudevent", cloud_event_schema()),
    ):
        result = CliRunner().invoke(app, ["schema", subject])
        assert result.exit_code == 0
        assert json.loads(result.stdout) == made
