"""AsyncAPI 3.0: what is said over HTTP, Redis streams and Kafka, generated from what does the saying."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import msgspec

from detector.drivers.streams import ALERTS, DEAD, EVENTS, INTERVENTIONS
from detector.engine.alerts import Alert
from detector.events.cloudevents import BATCH, JSON, PREFIX, SPECVERSION, STRUCTURED, wrap
from detector.events.decode import REASONS
from detector.events.schema import cloud_event_components, event_components
from detector.events.vocabulary import EVENT_TYPES, Deposit, Tick
from detector.ladder.interventions import Intervention

_REF = "#/components/schemas/{name}"
_TEXT = {"type": "string"}
_EXAMPLE = Deposit(
    id="d-1",
    source="payments",
    player="p-1",
    ts=datetime(2026, 1, 1, 10, tzinfo=UTC),
    jurisdiction="CA-ON",
    session="s-9",
    amount=20_000,
    currency="CAD",
    method="card",
)
_LATER = "For the worker on Kafka, which comes with a later version; names and messages are settled."


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document, as JSON has it; the same for the same version of tiltwatch."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tiltwatch",
            "version": version("tiltwatch"),
            "description": "Events in; alerts, interventions and dead letters out. What depends on a "
            "deployment, such as which currencies are known, no schema can tell.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": JSON,
        "servers": _servers(),
        "channels": _channels(),
        "operations": _operations(),
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _servers() -> dict[str, Any]:
    def server(protocol: str, host: str, description: str) -> dict[str, Any]:
        return {
            "host": "{host}",
            "protocol": protocol,
            "description": description,
            "variables": {"host": {"default": host}},
        }

    return {
        "http": server("http", "127.0.0.1:8420", "The service."),
        "redis": server("redis", "localhost:6379", "The Redis of the service and the detector."),
        "kafka": server("kafka", "localhost:9092", _LATER),
    }


# Channel → address, server, messages, and whether tiltwatch receives or sends there.
_ON_HTTP = {
    "intake": (
        "/v1/events",
        ("event", "events", "eventLines", "cloudEvent", "cloudEventBatch", "cloudEventOverHttp"),
        "receive",
        "Takes events in; the answer says of each what became of it.",
    )
}
_ON_REDIS = {
    "events": (EVENTS, ("eventEntry",), "receive", "Events as they came, an entry each."),
    "alerts": (ALERTS, ("alertEntry",), "send", "Alerts of live rules."),
    "interventions": (
        INTERVENTIONS,
        ("interventionEntry",),
        "send",
        "What the platform is asked to do; it acknowledges over HTTP.",
    ),
    "dead": (DEAD, ("deadEntry",), "send", "What was refused, with why and as it came."),
}
_ON_KAFKA = {
    "kafkaEvents": (
        "rg.events",
        ("event", "cloudEvent", "cloudEventOverKafka"),
        "receive",
        f"Events, keyed by player. {_LATER}",
    ),
    "kafkaAlerts": ("rg.alerts", ("alert",), "send", f"Alerts, keyed by player. {_LATER}"),
    "kafkaInterventions": (
        "rg.interventions",
        ("intervention",),
        "send",
        f"What the platform is asked to do, keyed by player. {_LATER}",
    ),
    "kafkaDead": ("rg.dead", ("refusal",), "send", f"What was refused. {_LATER}"),
}
_CHANNELS: Mapping[str, Mapping[str, tuple[str, tuple[str, ...], str, str]]] = {
    "http": _ON_HTTP,
    "redis": _ON_REDIS,
    "kafka": _ON_KAFKA,
}


def _channels() -> dict[str, Any]:
    return {
        name: {
            "address": address,
            "description": description,
            "servers": [{"$ref": f"#/servers/{server}"}],
            "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in messages},
        }
        for server, channels in _CHANNELS.items()
        for name, (address, messages, _, description) in channels.items()
    }


def _operations() -> dict[str, Any]:
    made = {}
    for server, channels in _CHANNELS.items():
        for name, (_, messages, action, description) in channels.items():
            made[f"{action}{name[0].upper()}{name[1:]}"] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
                "summary": description.partition(".")[0],
                "messages": [{"$ref": f"#/channels/{name}/messages/{each}"} for each in messages],
                **({"bindings": {"http": {"method": "POST"}}} if server == "http" else {}),
            }
    return made


def _messages() -> dict[str, Any]:
    plain = msgspec.json.decode(msgspec.json.encode(_EXAMPLE))
    wrapped = msgspec.json.decode(wrap(_EXAMPLE))
    headers = {name: value for name, value in wrapped.items() if name not in ("data", "datacontenttype")}

    def binary(prefix: str, what: str) -> dict[str, Any]:
        message = _message(what, _one_of("Data"), JSON, wrapped["data"])
        message["headers"] = {"$ref": _REF.format(name=f"HeadersOver{what.rpartition(' ')[2]}")}
        message["examples"][0]["headers"] = {
            "content-type": JSON,
            **{f"{prefix}{name}": value for name, value in headers.items()},
        }
        return message

    return {
        "event": _message("An event", _of("Event"), JSON, plain),
        "events": _message("Events", {"type": "array", "items": _of("Event")}, JSON, [plain]),
        "eventLines": _message(
            "Events, one a line, plain or structured",
            _TEXT,
            "application/x-ndjson",
            msgspec.json.encode(plain).decode(),
        ),
        "cloudEvent": _message("A structured CloudEvent", _of("CloudEvent"), STRUCTURED, wrapped),
        "cloudEventBatch": _message(
            "A batch of CloudEvents", {"type": "array", "items": _of("CloudEvent")}, BATCH, [wrapped]
        ),
        "cloudEventOverHttp": binary("ce-", "A CloudEvent in binary mode over HTTP"),
        "cloudEventOverKafka": binary("ce_", "A CloudEvent in binary mode over Kafka"),
        "alert": _message("An alert", _of("Alert"), JSON),
        "intervention": _message("An intervention", _of("Intervention"), JSON),
        "refusal": _message("A refused message", _of("Refused"), JSON),
        "eventEntry": _message(
            "An event in its stream",
            _entry(
                {
                    "e": _holding("Event", "The event as it came; a CloudEvent in its structured form."),
                    "r": _text("Its receipt, in microseconds since the epoch."),
                },
                ["e"],
            ),
        ),
        "alertEntry": _message(
            "An alert in its stream", _entry({"a": _holding("Alert", "The alert.")}, ["a"])
        ),
        "interventionEntry": _message(
            "An intervention in its stream",
            _entry({"i": _holding("Intervention", "What is to be done.")}, ["i"]),
        ),
        "deadEntry": _message(
            "A dead letter in its stream",
            _entry(
                {
                    "reason": {"enum": [*REASONS, "internal_error"]},
                    "detail": _text("The place and the mend; never a value."),
                    "original": _text("The bytes as they came."),
                    "at": _text("Its receipt, in microseconds since the epoch."),
                },
                ["reason", "detail", "original", "at"],
            ),
        ),
    }


def _message(
    title: str, payload: dict[str, Any], content_type: str | None = None, example: Any = None
) -> dict[str, Any]:
    message: dict[str, Any] = {"title": title, "payload": payload}
    if content_type is not None:
        message["contentType"] = content_type
    if example is not None:
        message["examples"] = [{"payload": example}]
    return message


def _entry(fields: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """The fields of a stream's entry, which are all texts to Redis."""
    return {"type": "object", "properties": fields, "required": required}


def _text(description: str) -> dict[str, Any]:
    return {**_TEXT, "description": description}


def _holding(name: str, description: str) -> dict[str, Any]:
    """A text that is JSON of a schema."""
    return {**_text(description), "contentMediaType": JSON, "contentSchema": _of(name)}


def _of(name: str) -> dict[str, Any]:
    return {"$ref": _REF.format(name=name)}


def _one_of(suffix: str = "", prefix: str = "") -> dict[str, Any]:
    return {"anyOf": [_of(f"{prefix}{each.__name__}{suffix}") for each in EVENT_TYPES.values()]}


def _schemas() -> dict[str, Any]:
    event, definitions = event_components(_REF, [Alert, Intervention])
    definitions |= cloud_event_components(_REF, definitions)
    return {
        # How AsyncAPI tells types apart is not how OpenAPI does, whose way msgspec writes.
        "Event": {name: value for name, value in event.items() if name != "discriminator"},
        "CloudEvent": _one_of(prefix="CloudEvent"),
        "HeadersOverHTTP": _headers("ce-", definitions["Deposit"]["properties"]),
        "HeadersOverKafka": _headers("ce_", definitions["Deposit"]["properties"]),
        "Refused": {
            "type": "object",
            "properties": {
                "reason": {"enum": list(REASONS)},
                "detail": _text("The place and the mend; never a value."),
                "original": _text("The bytes as they came; in base64 where `encoding` says so."),
                "encoding": {"enum": ["base64"]},
            },
            "required": ["reason", "detail", "original"],
        },
        **{name: _without_discriminator(each) for name, each in definitions.items()},
    }


def _headers(prefix: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The headers of a CloudEvent in binary mode; `fields` are those of any type."""
    types = [PREFIX + name for name in EVENT_TYPES]
    subject = f"The player; may be missing for {PREFIX}{Tick.__struct_config__.tag} alone."
    return {
        "type": "object",
        "properties": {
            "content-type": _text("JSON, in UTF-8."),
            f"{prefix}specversion": {"enum": [SPECVERSION]},
            f"{prefix}id": fields["id"],
            f"{prefix}source": fields["source"],
            f"{prefix}type": {"enum": types},
            f"{prefix}subject": {**fields["player"], "description": subject},
            f"{prefix}time": fields["ts"],
        },
        "required": [f"{prefix}{name}" for name in ("specversion", "id", "source", "type", "time")],
    }


def _without_discriminator(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "discriminator"}
