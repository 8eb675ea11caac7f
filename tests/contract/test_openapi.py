"""The OpenAPI document against the service: whatever is sent, what comes back is what it says.

Requests are made up from the document by schemathesis, valid ones and broken ones, and go over a real socket.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.settings import Settings
from detector.drivers.valkey import Server
from tests.api.matrix import ALLOWED
from tests.api.real import Service, back_office_of, real_service
from tests.drivers.small import detector, running, wait_for, write_rules

_home = tempfile.TemporaryDirectory(prefix="tw-openapi-")
DOCUMENT = create_app(Settings(data_dir=Path(_home.name)), "redis://localhost").openapi()

schema = schemathesis.openapi.from_dict(DOCUMENT)


@schemathesis.serializer("application/x-ndjson")
def lines(_: Any, value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def service(valkey: Server) -> Iterator[Service]:
    """Everything at work, so that nothing is missing but what a request gets wrong."""
    with tempfile.TemporaryDirectory(prefix="tw-fuzz-") as home:
        rules = Path(home, "rules")
        rules.mkdir()
        write_rules(rules)
        with (
            running(detector(valkey.url, rules)),
            real_service(valkey.url, Path(home), rules_dir=rules) as each,
            back_office_of(each),
        ):
            wait_for(lambda: httpx.get(f"{each.url}/readyz").status_code == 200)
            yield each


@schema.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_sent_what_comes_back_is_documented(case: Case[Any], service: Service) -> None:
    route = f"{case.method.upper()} {case.operation.path}"
    headers = service.headers(min(ALLOWED[route])) if route in ALLOWED else {}
    response = case.call(base_url=service.url, headers=headers)
    case.validate_response(response, checks=CHECKS)
