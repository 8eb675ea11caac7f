from __future__ import annotations

import re

import httpx
import pytest

from api.app import create_app
from api.settings import Settings
from detector.drivers.asyncapi import asyncapi
from tests.api.serving import problem, serving

REDIS = "unix:///nobody/listens/here"


async def test_unknown_routes_and_methods_are_problems(client: httpx.AsyncClient) -> None:
    assert problem(await client.get("/v1/players/p1")) == (404, "not-found")
    response = await client.delete("/v1/alerts")
    assert problem(response) == (405, "method-not-allowed")
    assert response.headers["allow"] == "GET"


@pytest.mark.parametrize("host", ["localhost", "localhost:8420", "127.0.0.1:1", "[::1]:8420", "127.0.0.9"])
async def test_names_of_this_machine_are_answered(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/healthz", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil.example", "[", "[::1.evil", ":"],
)
async def test_other_names_are_not(client: httpx.AsyncClient, host: str) -> None:
    response = await client.get("/v1/alerts", headers={"host": host})
    assert problem(response) == (421, "wrong-host")


async def test_other_names_may_be_allowed() -> None:
    async with serving(REDIS, Settings(allow_remote=True)) as client:
        assert (await client.get("/healthz", headers={"host": "tiltwatch.example"})).status_code == 200


def test_every_answer_in_the_document_is_described() -> None:
    document = create_app(Settings(), REDIS).openapi()
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(document)))
    assert references <= set(document["components"]["schemas"])
    assert {"Alert", "Note", "Problem", "IntakeReport", "AgentReading", "PlayerReading"} <= references
    assert set(document["paths"]) >= {
        "/v1/events",
        "/v1/alerts",
        "/v1/interventions",
        "/v1/interventions/{id}",
        "/v1/interventions/{id}/acknowledge",
        "/v1/players/{player}/risk",
        "/healthz",
        "/readyz",
    }
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["description"], path
            assert "HTTPValidationError" not in str(operation["responses"]), path
            for status, answer in operation["responses"].items():
                told = {"application/json", "text/plain"}
                expected = {"application/problem+json"} if int(status) >= 400 else told
                assert answer["content"].keys() <= expected, (path, status)
                assert answer["content"], (path, status)


async def test_the_document_is_served(client: httpx.AsyncClient) -> None:
    assert (await client.get("/docs")).status_code == 200
    assert (await client.get("/openapi.json")).json()["info"]["title"] == "tiltwatch"


async def test_the_bare_address_leads_to_the_routes(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.is_redirect
    assert response.headers["location"] == "/docs"


async def test_what_goes_over_streams_is_served(client: httpx.AsyncClient) -> None:
    response = await client.get("/asyncapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == asyncapi()
    assert "/asyncapi.json" in (await client.get("/docs")).text
