"""CloudEvents 1.0: an event in the JSON envelope that buses and SDKs speak, and out of it again.

`type` is `tiltwatch.<type>`, `subject` the player and `time` the `ts`; `id` and `source` are themselves, and
every other field stands in `data`. The values of an envelope are carried over as the bytes they are, so that
a number is judged as its sender wrote it. How messages of HTTP and Kafka become envelopes: `bindings.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec

from detector.events.document import refuse
from detector.events.vocabulary import CARRIER_FIELDS, EVENT_TYPES, WIRE_FIELDS, AnyEvent

PREFIX = "tiltwatch."
SPECVERSION = "1.0"
JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

ATTRIBUTE_OF: Mapping[str, str] = {
    "id": "id",
    "source": "source",
    "type": "type",
    "player": "subject",
    "ts": "time",
}
"""Field of the event → the attribute that holds it; all other fields stand in `data`."""

CONTEXT = frozenset(
    {"specversion", *ATTRIBUTE_OF.values(), "datacontenttype", "dataschema", "data", "data_base64"}
)
"""Every member that CloudEvents itself gives a meaning; others are extension attributes."""

# What of the envelope `data` may repeat; the last so that no event looks like an envelope again.
_OUTSIDE = frozenset({*ATTRIBUTE_OF, "specversion"})
_KEYS = {
    attribute: b',"%b":' % field.encode() for field, attribute in ATTRIBUTE_OF.items() if field != "type"
}

_raws = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_MEDIA = re.compile(r"\s*[\w!#$&^.+-]+/(?:[\w!#$&^.-]+\+)*json\s*(?:;.*)?", re.ASCII | re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_PATH = re.compile(r"^\$\.(\w+|\*)")


def is_cloud_event(document: Mapping[str, Any]) -> bool:
    """Whether a JSON object that is no plain event means to be a CloudEvent."""
    type_ = document.get("type")
    return "specversion" in document or (isinstance(type_, str) and type_.startswith(PREFIX))


def unwrap(raw: bytes, document: Mapping[str, Any]) -> tuple[bytes, set[str]]:
    """The plain event in an envelope.

    Parameters
    ----------
    raw, document
        The envelope as it came, and as `read_document` read it.

    Returns
    -------
    The event's bytes, not decoded yet, and the names that were left out: extension attributes, and what of
    the envelope `data` repeats.

    Raises
    ------
    Refused
        The envelope is not of CloudEvents 1.0, holds no event, or says two things at once.
    """
    type_ = _type(document)
    _check_content(document)
    for field, attribute in ATTRIBUTE_OF.items():
        if document.get(attribute) is None and not (attribute == "subject" and type_ == "tick"):
            refuse("missing_field", f"$.{attribute}", f"is required; it is the event's `{field}`")
    data = document.get("data")
    if data is None:
        data = {}
    if not isinstance(data, dict):
        refuse("wrong_field", "$.data", "must be a JSON object of the event's other fields, not a text of it")
    repeated = data.keys() & _OUTSIDE
    extensions = document.keys() - CONTEXT
    if repeated or extensions:
        _check_twice(type_, document, data, extensions)
    try:
        envelope = _raws(raw)
        members = bytes(envelope["data"]).strip()[1:-1] if data else b""
        if repeated:
            inner = _raws(envelope["data"]).items()
            members = b",".join(b"%b:%b" % (_encode(n), value) for n, value in inner if n not in repeated)
    except (msgspec.DecodeError, UnicodeDecodeError):
        refuse("not_json", "$", "a text or number is malformed, such as half of a surrogate pair")
    flat = [b'{"type":"%b"' % type_.encode()]
    for attribute, key in _KEYS.items():
        if document.get(attribute) is not None:
            flat += (key, envelope[attribute])
    if members:
        flat += (b",", members)
    flat.append(b"}")
    return b"".join(flat), extensions | (repeated & {"specversion"})


def wrap(event: AnyEvent) -> bytes:
    """An event in a structured envelope, from which decoding gives the same event again."""
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event))
    for carried in ("replaced", "voided"):
        for name in CARRIER_FIELDS if carried in fields else ():
            fields[carried].pop(name, None)
    envelope = {"specversion": SPECVERSION, "type": PREFIX + fields.pop("type")}
    for field, attribute in ATTRIBUTE_OF.items():
        if field in fields:
            envelope[attribute] = fields.pop(field)
    return _encode(envelope | {"datacontenttype": JSON, "data": fields})


def in_envelope(detail: str) -> str:
    """A refusal's detail with its path as the envelope has it: $.amount is $.data.amount there."""

    def placed(match: re.Match[str]) -> str:
        return f"$.{ATTRIBUTE_OF[match[1]]}" if match[1] in ATTRIBUTE_OF else f"$.data.{match[1]}"

    return _PATH.sub(placed, detail)


def _check_twice(
    type_: str, document: Mapping[str, Any], data: Mapping[str, Any], extensions: Collection[str]
) -> None:
    """Refuse what stands at two places and differs, and a field that stands at the wrong one."""
    for field, attribute in ATTRIBUTE_OF.items():
        if data.get(field) is not None and not _same(field, data[field], document.get(attribute)):
            refuse(
                "wrong_field", f"$.data.{field}", f"differs from the attribute `{attribute}`; leave it out"
            )
    for name in sorted(WIRE_FIELDS[type_].keys() & extensions):
        inside = document.get(ATTRIBUTE_OF[name]) if name in ATTRIBUTE_OF else data.get(name)
        # As an extension it would be ignored, and a session or a brand lost without a word.
        if document[name] is not None and document[name] != inside:
            place = f"as `{ATTRIBUTE_OF[name]}`" if name in ATTRIBUTE_OF else "in `data`"
            refuse("wrong_field", f"$.{name}", f"is a field of the event; send it {place}")


def is_json(content_type: str) -> bool:
    """Whether a media type means JSON in UTF-8, whatever its case and parameters."""
    charset = _CHARSET.search(content_type)
    return bool(_MEDIA.fullmatch(content_type)) and (
        charset is None or charset[1].lower() in ("utf-8", "utf8", "us-ascii")
    )


def _type(document: Mapping[str, Any]) -> str:
    version = document.get("specversion")
    if version is None:
        refuse("missing_field", "$.specversion", f'is required; send the text "{SPECVERSION}"')
    if version != SPECVERSION:
        refuse("wrong_field", "$.specversion", f'must be the text "{SPECVERSION}"; no other version is read')
    type_ = document.get("type")
    if type_ is None:
        refuse("missing_field", "$.type", f"is required, such as {PREFIX}deposit")
    if not isinstance(type_, str):
        refuse("wrong_field", "$.type", "must be a text")
    if not type_.startswith(PREFIX) or type_.removeprefix(PREFIX) not in EVENT_TYPES:
        refuse("unknown_type", "$.type", f"use `{PREFIX}` and a type of the vocabulary")
    return type_.removeprefix(PREFIX)


def _check_content(document: Mapping[str, Any]) -> None:
    if document.get("data_base64") is not None:
        refuse("wrong_field", "$.data_base64", "send the event's fields as a JSON object in `data`")
    content_type = document.get("datacontenttype")
    if content_type in (None, JSON):
        return
    if not (isinstance(content_type, str) and is_json(content_type)):
        refuse("wrong_field", "$.datacontenttype", f"must be {JSON} in UTF-8; leave it out or mend it")


def _same(field: str, inner: Any, attribute: Any) -> bool:
    if field == "type":
        return inner in (attribute, str(attribute).removeprefix(PREFIX))
    if field == "ts" and inner != attribute:
        try:
            return datetime.fromisoformat(inner) == datetime.fromisoformat(attribute)
        except (TypeError, ValueError):  # no times, or one without its zone
            return False
    return bool(inner == attribute)
