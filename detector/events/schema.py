"""JSON Schema 2020-12 of the events, plain and in envelopes, generated from the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from detector.events.cloudevents import ATTRIBUTE_OF, PREFIX, SPECVERSION
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


_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEFS = "#/$defs/{name}"


def json_schema() -> dict[str, Any]:
    """The schema of one event; `$defs` has each type twice, by itself and as a correction carries it.

    It cannot tell what depends on the deployment (which currencies and time zones are known) or on spelling
    (12.0 is an integer to JSON Schema, a key may stand twice); the decoder refuses those too.
    """
    event, definitions = event_components(_DEFS)
    return {"$schema": _DIALECT, "title": "tiltwatch event", **event, "$defs": definitions}


def cloud_event_schema() -> dict[str, Any]:
    """The schema of one event in a structured CloudEvent; it cannot tell what `json_schema` cannot."""
    _, definitions = event_components(_DEFS)
    envelopes = cloud_event_components(_DEFS, definitions)
    return {
        "$schema": _DIALECT,
        "title": "tiltwatch event as a CloudEvent",
        "anyOf": [{"$ref": _DEFS.format(name=name)} for name in envelopes if name.startswith("CloudEvent")],
        "$defs": definitions | envelopes,
    }


def event_components(
    ref_template: str, more: Sequence[type[Struct]] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of one event, and by name what it refers to, `more` included.

    Parameters
    ----------
    ref_template
        What a reference looks like, with `{name}` in it.
    """
    (event, carried, *_), definitions = msgspec.json.schema_components(
        [AnyEvent, Carried, *more], ref_template=ref_template
    )
    one_carried = {"$ref": ref_template.format(name="Carried")}
    for each in EVENT_TYPES.values():
        definition = definitions[each.__name__]
        if each in (Void, Tick):
            definition["properties"] |= {"replaces": _NULL, "replaced": _NULL}
        else:
            definition["properties"]["replaced"] = {"anyOf": [one_carried, _NULL]}
            definition["allOf"] = [_together("replaces", "replaced"), _together("replaced", "replaces")]
        if issubclass(each, OfLimit):
            definition["allOf"].append(_MONEY_LIMIT)
    for name, struct in CARRIED_TYPES.items():
        definition = definitions[struct.__name__]
        definition["properties"] |= {"replaces": _NULL, "replaced": _NULL}
        if issubclass(EVENT_TYPES[name], OfLimit):
            definition["allOf"] = [_MONEY_LIMIT]
    definitions["Void"]["properties"]["voided"] = one_carried
    definitions["Carried"] = {"title": "Carried", **carried}
    return event, definitions


def cloud_event_components(ref_template: str, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """By name a schema of each type's envelope (CloudEvent…), and of the data in it (…Data).

    Parameters
    ----------
    definitions
        Those of `event_components`.
    """
    made: dict[str, Any] = {}
    for name, each in EVENT_TYPES.items():
        plain = definitions[each.__name__]
        fields = plain["properties"]
        data = {name: field for name, field in fields.items() if name not in ATTRIBUTE_OF}
        needed = [field for field in plain["required"] if field not in ATTRIBUTE_OF]
        made[f"{each.__name__}Data"] = {
            **plain,
            "title": f"{each.__name__}Data",
            "properties": data,
            "required": needed,
        }
        held = {"$ref": ref_template.format(name=f"{each.__name__}Data")}
        attributes = {attribute: dict(fields[field]) for field, attribute in ATTRIBUTE_OF.items()}
        # What a tick may leave out, an envelope must have.
        attributes |= {attribute: {**fields[attribute], "minLength": 1} for attribute in ("id", "source")}
        for attribute in attributes.values():
            attribute.pop("default", None)
        required = ["specversion", "id", "source", "type", "time"]
        made[f"CloudEvent{each.__name__}"] = {
            "title": f"CloudEvent{each.__name__}",
            "type": "object",
            "properties": {
                "specversion": {"enum": [SPECVERSION]},
                **attributes,
                "type": {"enum": [PREFIX + name]},
                "datacontenttype": {"anyOf": [{"type": "string"}, _NULL]},
                "data": held if needed else {"anyOf": [held, _NULL]},
                "data_base64": _NULL,
            },
            "required": [*required, *([] if each is Tick else ["subject"]), *(["data"] if needed else [])],
        }
    return made


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
