"""JSON Schema 2020-12 of the events, generated from the vocabulary."""

from __future__ import annotations

from typing import Any

import msgspec

from detector.events.vocabulary import (
    CARRIED_TYPES,
    EVENT_TYPES,
    LIMIT_KINDS,
    AnyEvent,
    Carried,
    FieldKind,
    OfLimit,
    Tick,
    Void,
)

_NULL = {"type": "null"}


def json_schema() -> dict[str, Any]:
    """The schema of one event; `$defs` has each type twice, by itself and as a correction carries it.

    It cannot tell what depends on the deployment (which currencies and time zones are known) or on spelling
    (12.0 is an integer to JSON Schema, a key may stand twice); the decoder refuses those too.
    """
    (event, carried), definitions = msgspec.json.schema_components(
        [AnyEvent, Carried], ref_template="#/$defs/{name}"
    )
    for each in EVENT_TYPES.values():
        definition = definitions[each.__name__]
        if each in (Void, Tick):
            definition["properties"] |= {"replaces": _NULL, "replaced": _NULL}
        else:
            definition["properties"]["replaced"] = {"anyOf": [{"$ref": "#/$defs/Carried"}, _NULL]}
            definition["allOf"] = [_together("replaces", "replaced"), _together("replaced", "replaces")]
        if issubclass(each, OfLimit):
            definition["allOf"].append(_MONEY_LIMIT)
    for name, struct in CARRIED_TYPES.items():
        definition = definitions[struct.__name__]
        definition["properties"] |= {"replaces": _NULL, "replaced": _NULL}
        if issubclass(EVENT_TYPES[name], OfLimit):
            definition["allOf"] = [_MONEY_LIMIT]
    definitions["Void"]["properties"]["voided"] = {"$ref": "#/$defs/Carried"}
    definitions["Carried"] = {"title": "Carried", **carried}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tiltwatch event",
        **event,
        "$defs": definitions,
    }


def _given(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {name: schema}, "required": [name]}


def _together(name: str, other: str) -> dict[str, Any]:
    present = {"not": _NULL}  # null counts as absent
    return {"if": _given(name, present), "then": _given(other, present)}


_MONEY_LIMIT = {
    "if": {
        **_given(
            "limit", {"enum": [limit for limit, kind in LIMIT_KINDS.items() if kind is FieldKind.MONEY]}
        ),
        "anyOf": [_given("old", {"type": "integer"}), _given("new", {"type": "integer"})],
    },
    "then": _given("currency", {"type": "string"}),
}
