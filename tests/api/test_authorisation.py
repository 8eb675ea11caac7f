"""Every route against every role, from a table written by hand."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.access.roles import ROLES, Role
from detector.drivers.valkey import Server
from tests.api.matrix import ALLOWED, OPEN, SIGNED
from tests.api.real import Service, real_service


@pytest.fixture(scope="module")
def service(valkey: Server) -> Iterator[Service]:
    with (
        tempfile.TemporaryDirectory(prefix="tw-roles-") as home,
        real_service(valkey.url, Path(home)) as each,
    ):
        yield each


def ask(service: Service, route: str, headers: dict[str, str]) -> httpx.Response:
    """Ask for something that is not there, in the right form where the path has one."""
    method, path = route.split(" ")
    for name, value in (("{player}", "nobody"), ("{token}", "rf_" + "a" * 32), ("{id}", "0" * 12)):
        path = path.replace(name, value)
    body = b"{}" if method == "POST" else None
    sent = headers | {"content-type": "application/json"}
    return service.client.request(method, path, headers=sent, content=body)


def test_every_route_is_decided_on(service: Service) -> None:
    paths = service.app.openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert routes == set(ALLOWED) | OPEN | SIGNED


@pytest.mark.parametrize("route", sorted(ALLOWED))
@pytest.mark.parametrize("role", ROLES)
def test_a_role_asks(service: Service, route: str, role: Role) -> None:
    status = ask(service, route, service.headers(role)).status_code
    if role in ALLOWED[route]:
        assert status not in (401, 403)
    else:
        assert status == 403


@pytest.mark.parametrize("route", sorted(ALLOWED))
def test_somebody_unknown_asks(service: Service, route: str) -> None:
    key = service.keys["admin"]
    forged = key[:-4] + ("aaaa" if not key.endswith("aaaa") else "bbbb")
    unknown: list[dict[str, str]] = [
        {},
        {"authorization": f"Bearer {forged}"},
        {"authorization": "Bearer tw"},
    ]
    for headers in unknown:
        answer = ask(service, route, headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"]
        assert answer.json()["type"].endswith(":unauthenticated")


@pytest.mark.parametrize("route", sorted(OPEN))
def test_anybody_may_ask(service: Service, route: str) -> None:
    assert ask(service, route, {}).status_code in (200, 503)


@pytest.mark.parametrize("route", sorted(SIGNED))
def test_no_key_stands_for_a_signature(service: Service, route: str) -> None:
    for role in ROLES:
        assert ask(service, route, service.headers(role)).status_code in (400, 401)
