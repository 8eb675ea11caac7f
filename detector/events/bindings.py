"""Messages of HTTP and Kafka whose event lies partly in their headers: CloudEvents in binary mode.

Such a message becomes the structured envelope that says the same, without a byte of its content lost. What
is stored, decoded and, if refused, kept is that envelope, wherever the message came from.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import unquote_to_bytes

import msgspec

from detector.events.cloudevents import STRUCTURED, in_envelope, is_cloud_event
from detector.events.decode import Decoder, Refusal
from detector.events.document import Refused, read_document, refuse
from detector.events.vocabulary import AnyEvent, Tick

_REQUIRED = ("specversion", "id", "source", "type")
_OF_CLOUDEVENTS = "application/cloudevents"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

_value = msgspec.json.Decoder(msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode


def is_binary(names: Iterable[str], content_type: str, prefix: str = "ce-") -> bool:
    """Whether a message with headers of these names, in lower case, is a CloudEvent in binary mode."""
    required = {prefix + name for name in _REQUIRED}
    return not required.isdisjoint(names) and not content_type.lower().startswith(_OF_CLOUDEVENTS)


def from_http(headers: Iterable[tuple[str, str]], body: bytes) -> bytes | Refusal:
    """The envelope of an HTTP message in binary mode.

    Parameters
    ----------
    headers
        Names, whose case does not matter, and values as ISO 8859-1, which is how HTTP libraries give them.
    """
    given = [(name.lower(), value) for name, value in headers]
    content_type = ", ".join(value for name, value in given if name == "content-type")
    attributes: dict[str, list[str]] = {}
    for name, value in given:
        if name.startswith("ce-"):
            attributes.setdefault(name[3:], []).append(value)
    broken = None
    for name, values in attributes.items():
        try:
            values[:] = [_unescaped(value) for value in values]
        except ValueError:
            broken = broken or name
    return _envelope(attributes, content_type, body, broken)


def decode_kafka(
    decoder: Decoder,
    headers: Iterable[tuple[str, bytes | None]],
    value: bytes | None,
    key: bytes | None = None,
    received_at: datetime | None = None,
) -> AnyEvent | Refusal:
    """Decode a Kafka message: a plain event, or a CloudEvent in structured or binary mode.

    Parameters
    ----------
    headers
        As Kafka clients give them; a CloudEvent's attributes are called `ce_…`.
    key
        The message's key; where there is one it must be the player, for all that is known of a player is
        kept with one partition.
    received_at
        As for `Decoder.decode`.
    """
    message = from_kafka(headers, value)
    if isinstance(message, Refusal):
        return message
    event = decoder.decode(message, received_at)
    if key is None or isinstance(event, (Refusal, Tick)) or event.player.encode() == key:
        return event
    detail = "$.player: is not the message's key; key each message by its player"
    try:
        wrapped = is_cloud_event(read_document(message))
    except Refused:  # it was decoded, so it can be read
        wrapped = False
    return Refusal("wrong_field", in_envelope(detail) if wrapped else detail, message)


def from_kafka(headers: Iterable[tuple[str, bytes | None]], value: bytes | None) -> bytes | Refusal:
    """The event of a Kafka message as JSON: its value, or the envelope of a CloudEvent in binary mode."""
    given = [(name.lower(), text or b"") for name, text in headers if text is not None]
    content_type = b", ".join(text for name, text in given if name == "content-type").decode("latin-1")
    if content_type.lower().startswith(_OF_CLOUDEVENTS):
        if content_type.lower().partition(";")[0].strip() != STRUCTURED:
            mend = f"a message is one event as {STRUCTURED}, or in binary mode"
            return Refusal("not_json", f"$: {mend}", value or b"")
        return value or b""
    if not is_binary((name for name, _ in given), content_type, "ce_"):
        return value or b""
    attributes: dict[str, list[str]] = {}
    broken = None
    for name, text in given:
        if name.startswith("ce_"):
            try:
                read = text.decode()
            except UnicodeDecodeError:
                read, broken = text.decode("latin-1"), broken or name[3:]
            attributes.setdefault(name[3:], []).append(read)
    return _envelope(attributes, content_type, value or b"", broken)


def _envelope(
    attributes: Mapping[str, list[str]], content_type: str, body: bytes, broken: str | None
) -> bytes | Refusal:
    """Put attributes and body together; `broken` names the attribute whose header could not be read."""
    # A header sent twice is kept as a list: nothing is chosen for the sender, and nothing thrown away.
    members: dict[str, object] = {
        name: values[0] if len(values) == 1 else values for name, values in attributes.items()
    }
    if content_type:
        # Some SDKs name the type of the data a second time; the message's own header is the one that counts.
        members["datacontenttype"] = content_type
    misplaced = next((name for name in ("data", "data_base64") if name in members), None)
    if misplaced is not None:
        members[f"ce_{misplaced}"] = members.pop(misplaced)
    if body:
        try:
            members["data"] = _value(body)
        except (msgspec.DecodeError, RecursionError):
            members["data_base64"] = base64.b64encode(body).decode()
    members.setdefault("specversion", None)  # that it is missing is told, and not that it is no plain event
    envelope = _encode(members)
    try:
        twice = next((name for name, values in attributes.items() if len(values) > 1), None)
        if twice is not None:
            refuse("duplicate_key", _path(twice), "its header stands twice; send it once")
        if broken is not None:
            refuse("wrong_field", _path(broken), "write its header in UTF-8, over HTTP percent-encoded")
        if misplaced is not None:
            refuse("wrong_field", _path(misplaced), "in binary mode the data is the message's body")
        if "data_base64" in members:
            refuse("not_json", "$.data", "the message's body must be one JSON object in UTF-8")
    except Refused as refused:
        return Refusal(refused.reason, refused.detail, envelope)
    return envelope


def _path(attribute: str) -> str:
    # Names of extensions are the sender's, and not safe to repeat.
    return f"$.{attribute}" if attribute in _TOLD else "$.*"


_TOLD = {*_REQUIRED, "subject", "time", "dataschema", "datacontenttype", "data", "data_base64"}


def _unescaped(value: str) -> str:
    """What a header's value stands for; ValueError where it stands for nothing."""
    quoted = _QUOTED.fullmatch(value)
    if quoted:
        value = re.sub(r"\\(.)", r"\1", quoted[1])
    if not value.isascii() or _BROKEN_PERCENT.search(value):
        raise ValueError
    return unquote_to_bytes(value).decode()
