"""From a request's body to the bytes of each event, untouched: what is stored is what was sent."""

from __future__ import annotations

from collections.abc import Callable
from email.message import Message

import msgspec
from starlette.requests import Request

from api.problems import BODY_TOO_LARGE, MALFORMED_BODY, UNSUPPORTED_BODY, Problem

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


def split(body: bytes, content_type: str, content_encoding: str) -> list[bytes]:
    """The events of a body by its media type, each as it stands there.

    Only what spoils the body as a whole is a problem here; what is wrong with one event is the decoder's.
    """
    header = Message()
    header["content-type"] = content_type
    splitter = _SPLITTERS.get(header.get_content_type())
    if splitter is None:
        raise Problem(UNSUPPORTED_BODY, f"Send one of {', '.join(_SPLITTERS)}.")
    if str(header.get_content_charset("utf-8")) != "utf-8":
        raise Problem(UNSUPPORTED_BODY, "Send UTF-8.")
    if content_encoding not in ("", "identity"):
        raise Problem(UNSUPPORTED_BODY, "Send the body as it is, without Content-Encoding.")
    return splitter(body)


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


# Further envelopes, such as CloudEvents, register here.
_SPLITTERS: dict[str, Callable[[bytes], list[bytes]]] = {
    "application/json": _json,
    "application/x-ndjson": _lines,
}
MEDIA_TYPES = tuple(_SPLITTERS)
