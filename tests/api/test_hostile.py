"""What no honest client sends: it is refused with a problem, and breaks nothing."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from detector.drivers.valkey import Server
from tests.api.matrix import ALLOWED
from tests.api.real import Service, real_service

TEXTS = [
    "' OR 1=1 --",
    "'; DROP TABLE audit; --",
    '") UNION SELECT hash FROM api_keys --',
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%00",
    "a\x00b",
    "%0d%0aSet-Cookie:%20a=b",
    "\r\nX-Injected: 1",
    "{{7*7}}${7*7}<script>alert(1)</script>",
    "ÿþ\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "\u202eevil\u2066",
    "9" * 400,
    "-1",
    "1e309",
    "NaN",
    "null",
    "A" * 5_000,
    "a/b/c",
    " ",
]
BODIES = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b"{}" * 2,
    b"\xff\xfe{\x00}\x00",
    '{"player": "p"}'.encode("utf-16"),
    b'{"player": "\xc3\x28"}',
    b'{"player": "\\ud800"}',
    b"[" * 30_000,
    b'{"a":' * 10_000,
    b'{"player": ' + b"9" * 5_000 + b"}",
    b'{"n": NaN, "i": Infinity}',
    b'{"__proto__": {}, "constructor": 1}',
    json.dumps({"to": {"$gt": ""}, "id": ["x"], "player": {"a": 1}}).encode(),
    json.dumps({name: text for text in TEXTS for name in ("player", "to", "verdict", "id")}).encode(),
]


@pytest.fixture(scope="module")
def service(valkey: Server) -> Iterator[Service]:
    with (
        tempfile.TemporaryDirectory(prefix="tw-hostile-") as home,
        real_service(valkey.url, Path(home)) as each,
    ):
        yield each


def fine(response: httpx.Response, *, refused: bool) -> None:
    """Fail unless an answer is a problem of the client's making, or none at all where it may be."""
    assert response.status_code < 500, (response.request.method, response.request.url, response.text)
    if refused:
        assert response.status_code >= 400, (response.request.method, response.request.url, response.text)
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code
    assert "x-injected" not in response.headers
    assert "set-cookie" not in response.headers


def ask(service: Service, route: str, path: str | None = None, **more: Any) -> httpx.Response:
    method, template = route.split(" ")
    role = sorted(ALLOWED[route])[0]
    headers = service.headers(role) | more.pop("headers", {})
    return service.client.request(method, path or template, headers=headers, **more)


ROUTES = sorted(ALLOWED)
WITH_BODY = [route for route in ROUTES if route.startswith("POST") and route != "POST /v1/events"]


def encoded(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("route", [route for route in ROUTES if "{" in route])
def test_paths(service: Service, route: str) -> None:
    start, _, rest = route.split(" ")[1].partition("{")
    end = rest.partition("}")[2]
    end = end.replace("{id}", "0" * 32)
    for text in TEXTS:
        for written in (encoded(text), encoded(text).replace("%2f", "/")):
            # A player may bear any name; there just is nothing to tell of them.
            fine(ask(service, route, f"{start}{written}{end}"), refused="{player}" not in route)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.startswith("GET") and "{" not in route])
def test_queries(service: Service, route: str) -> None:
    operation = service.app.openapi()["paths"][route.split(" ")[1]]["get"]
    for parameter in operation.get("parameters", []):
        for text in TEXTS:
            path = f"{route.split(' ')[1]}?{parameter['name']}={encoded(text)}"
            # A text may be any player's id; there just is no such player.
            free = parameter["schema"].get("type") == "string" or "anyOf" in parameter["schema"]
            fine(ask(service, route, path), refused=not free)


@pytest.mark.parametrize("route", WITH_BODY)
def test_bodies(service: Service, route: str) -> None:
    path = route.split(" ")[1]
    for name, value in (("{id}", "0" * 32), ("{token}", "rf_" + "a" * 32), ("{player}", "p")):
        path = path.replace(name, value)
    required = (
        service.app.openapi()["paths"][route.split(" ")[1]]["post"]
        .get("requestBody", {})
        .get("required", False)
    )
    for body in BODIES:
        for media_type in ("application/json", "text/plain", "application/x-www-form-urlencoded", "a/b; c=ÿ"):
            headers = {"content-type": media_type.encode("latin-1")}
            fine(ask(service, route, path, content=body, headers=headers), refused=required)
    fine(ask(service, route, path, content=b" " * 70_000), refused=True)
    huge = ask(service, route, path, content=iter([b" " * 10_000] * 8))
    assert huge.status_code in (404, 413)
    fine(huge, refused=True)


@pytest.mark.parametrize(
    "header",
    [
        b"Authorization: Bearer " + b"A" * 5_000,
        b"Authorization: Basic !!!!",
        b"Authorization: Basic " + b"OmFiYw==",
        b"Authorization: \xff\xfe",
        b"Authorization: Bearer tw_" + b"0" * 12 + b"_" + b"a" * 43,
        b"Idempotency-Key: " + b"k" * 200,
        b"Idempotency-Key: \xe9",
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Content-Encoding: gzip",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4",
        b"Host: evil.example",
        b"Cookie: " + b"a=b; " * 500,
        b"X-Forwarded-For: 127.0.0.1\r\nX-Original-URL: /v1/keys",
    ],
)
def test_headers(service: Service, header: bytes) -> None:
    body = b'{"name": "x", "role": "agent"}'
    own = b"" if header.lower().startswith(b"content-length") else b"Content-Length: %d\r\n" % len(body)
    host = b"" if header.startswith(b"Host") else b"Host: localhost\r\n"
    key = b"" if header.startswith(b"Auth") else f"Authorization: Bearer {service.keys['agent']}\r\n".encode()
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.settimeout(30)
        connection.sendall(
            b"POST /v1/keys HTTP/1.1\r\n" + host + key + own + b"Content-Type: application/json\r\n"
            b"Connection: close\r\n" + header + b"\r\n\r\n" + body
        )
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer == b"" or 400 <= int(answer.split()[1]) < 500, answer


def test_the_store_is_as_it_was(service: Service) -> None:
    """Runs last: whatever was thrown at it, the service still answers, and nothing was made."""
    keys = service.client.get("/v1/keys", headers=service.headers("admin")).json()["items"]
    assert {each["name"] for each in keys} == {f"the {each['role']}" for each in keys}
