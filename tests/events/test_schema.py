"""The generated schema takes what the decoder takes, and refuses what a schema can refuse."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies
from detector.events.schema import json_schema
from detector.events.vocabulary import CARRIED_TYPES, EVENT_TYPES, WIRE_FIELDS
from tests.events.samples import PLAIN, SAMPLES, encode

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(
    SCHEMA, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)
ONE = {
    name: jsonschema.Draft202012Validator({"$ref": f"#/$defs/{each.__name__}", "$defs": SCHEMA["$defs"]})
    for name, each in EVENT_TYPES.items()
}


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_one_definition_a_type() -> None:
    structs = [*EVENT_TYPES.values(), *CARRIED_TYPES.values()]
    assert set(SCHEMA["$defs"]) == {each.__name__ for each in structs} | {"Carried"}
    for name, each in EVENT_TYPES.items():
        definition = SCHEMA["$defs"][each.__name__]
        assert definition["properties"]["type"] == {"enum": [name]}
        assert set(definition["properties"]) == {"type", *WIRE_FIELDS[name]}
        required = {field for field, spec in WIRE_FIELDS[name].items() if spec.required}
        assert set(definition["required"]) == {"type", *required}


def test_generating_twice_gives_the_same() -> None:
    assert json_schema() == SCHEMA


@pytest.mark.parametrize("name", SAMPLES)
def test_valid_samples_pass(name: str) -> None:
    VALIDATOR.validate(SAMPLES[name])
    VALIDATOR.validate(PLAIN[name])
    VALIDATOR.validate(PLAIN[name] | {"unknown": {"a": 1}})
    for field, spec in WIRE_FIELDS[name].items():
        if not spec.required and not (name == "tick" and field in ("id", "source", "player")):
            nulled = {**PLAIN[name], field: None} | (
                {"new": None, "old": None} if field == "currency" else {}
            )
            VALIDATOR.validate(nulled)


def bad_events() -> list[dict[str, Any]]:
    bad: list[dict[str, Any]] = []
    for name, sample in PLAIN.items():
        for field, spec in WIRE_FIELDS[name].items():
            if spec.required:
                bad.append({key: value for key, value in sample.items() if key != field})
            bad += [sample | {field: []}, sample | {field: -1}]
    for sample in (SAMPLES["bet"], SAMPLES["limit_change"]):
        bad.append({key: value for key, value in sample.items() if key != "replaced"})
        bad.append({key: value for key, value in sample.items() if key != "replaces"})
        bad.append(sample | {"replaced": sample["replaced"] | {"stake": -1}})
        bad.append(sample | {"replaced": sample["replaced"] | {"replaces": "e-2"}})
        bad.append(sample | {"replaced": PLAIN["tick"]})
    money = {key: value for key, value in PLAIN["limit_change"].items() if key != "currency"}
    bad += [money, PLAIN["void"] | {"voided": money}, PLAIN["void"] | {"replaces": "e-0"}]
    bad += [PLAIN["bet"] | {"stake": 2**53}, PLAIN["bet"] | {"stake": "1"}, PLAIN["bet"] | {"id": "x" * 129}]
    bad += [PLAIN["contact"] | {"topic": "sad"}, PLAIN["identity_check"] | {"birth_year": 1800}]
    return bad


def test_bad_events_fail_here_and_in_the_decoder() -> None:
    decoder = Decoder(Currencies())
    for event in bad_events():
        assert not ONE[event["type"]].is_valid(event), event
        assert isinstance(decoder.decode(encode(event)), Refusal), event


@pytest.mark.parametrize("event", [{}, {"type": "zzz"}, PLAIN["bet"] | {"stake": -1}, [], 1])
def test_no_type_takes_what_is_none(event: Any) -> None:
    assert not VALIDATOR.is_valid(event)
