"""From a request's body to the bytes of each event, untouched: what is stored is what was sent."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request

from api.problems import BODY_TOO_LARGE, MALFORMED_BODY, UNSUPPORTED_BODY, Problem
from detector.events import bindings
from detector.events.cloudevents import BATCH, JSON, STRUCTURED
from detector.events.decode import Refusal

_array = msgspec.json.Decoder(list[msgspec.Raw])
_one = msgspec.json.Decoder(msgspec.Raw)


async def read(request: Request, most_bytes: int) -> bytes:
    """The whole body, given up as soon as it is known to be too large."""
    too_large = Problem(BODY_TOO_LARGE, f"At most {most_bytes} bytes are taken; send several requests.")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most_bytes:
        raise too_large
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_bytes:
            raise too_large
    return bytes(body)


def split(body: bytes, headers: Headers) -> list[bytes | Refusal]:
    """The events of a body by its media type, each as it stands there.

    Only what spoils the body as a whole is a problem here; what is wrong with one event is the decoder's. A
    CloudEvent in binary mode, whose event lies partly in the headers, becomes an envelope or is refused.
    """
    if headers.get("content-encoding", "") not in ("", "identity"):
        raise Problem(UNSUPPORTED_BODY, "Send the body as it is, without Content-Encoding.")
    content_type = headers.get("content-type", "")
    if bindings.is_binary(headers.keys(), content_type):
        return [bindings.from_http(headers.items(), body)]
    header = Message()
    header["content-type"] = content_type
    splitter = _SPLITTERS.get(header.get_content_type())
    if splitter is None:
        raise Problem(UNSUPPORTED_BODY, f"Send one of {', '.join(_SPLITTERS)}.")
    if str(header.get_content_charset("utf-8")) != "utf-8":
        raise Problem(UNSUPPORTED_BODY, "Send UTF-8.")
    return list(splitter(body))


def _json(body: bytes) -> list[bytes]:
    body = body.strip(b" \t\r\n")
    if not body.startswith((b"[", b"{")):
        raise Problem(MALFORMED_BODY, "Send a JSON object, or an array of them.")
    try:
        elements = _array.decode(body) if body.startswith(b"[") else [_one.decode(body)]
    except (msgspec.DecodeError, RecursionError):
        raise Problem(MALFORMED_BODY, "The body is not JSON.") from None
    return [bytes(element) for element in elements]


def _lines(body: bytes) -> list[bytes]:
    return [event for line in body.split(b"\n") if (event := line.strip(b" \t\r"))]


def _one_envelope(body: bytes) -> list[bytes]:
    if body.lstrip().startswith(b"["):
        raise Problem(MALFORMED_BODY, f"Send one CloudEvent, or an array of them as {BATCH}.")
    return _json(body)


def _batch(body: bytes) -> list[bytes]:
    if not body.lstrip().startswith(b"["):
        raise Problem(MALFORMED_BODY, f"Send an array of CloudEvents, or one as {STRUCTURED}.")
    return _json(body)


_SPLITTERS: dict[str, Callable[[bytes], list[bytes]]] = {
    JSON: _json,
    "application/x-ndjson": _lines,
    STRUCTURED: _one_envelope,
    BATCH: _batch,
}
MEDIA_TYPES = tuple(_SPLITTERS)
