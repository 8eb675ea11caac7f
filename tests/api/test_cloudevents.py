"""CloudEvents over HTTP, in every form, to the detector's alerts and the dead letters."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from detector.drivers.valkey import Server
from tests.api.serving import NOW_US, post, problem, serving, stored
from tests.drivers.small import MINUTE_US, alerts, detector, event, read, running, wait_for, write_rules
from tests.events.test_cloudevents import envelope

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


def enveloped(id_: str, at_us: int = NOW_US, **more: Any) -> dict[str, Any]:
    return envelope(json.loads(event(id_, at_us, **more)))


def binary(document: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    headers = {f"ce-{name}": value for name, value in document.items() if name != "data"}
    return json.dumps(document["data"]).encode(), headers


def results(response: httpx.Response) -> list[tuple[str, str | None]]:
    assert response.status_code == 202
    return [(each["status"], each["reason"]) for each in response.json()["results"]]


async def test_the_same_event_in_every_form_is_one(client: httpx.AsyncClient, redis: Redis) -> None:
    document = enveloped("a")
    body, headers = binary(document)
    one = json.dumps(document).encode()
    assert results(await post(client, one, f"{STRUCTURED}; charset=UTF-8")) == [("accepted", None)]
    for again in (
        await post(client, b"[" + one + b"]", BATCH),
        await post(client, body, **headers),
        await post(client, body, "application/json; charset=utf-8", **headers),
        await post(client, one),
        await post(client, one + b"\n", "application/x-ndjson"),
        await post(client, event("a")),
        await post(client, event("a"), STRUCTURED),
    ):
        assert results(again) == [("repeated", None)]
    # What is stored is what was sent.
    assert read(redis, "tw:events") == [{b"e": one, b"r": str(NOW_US).encode()}]


async def test_forms_may_be_mixed_in_a_batch(client: httpx.AsyncClient, redis: Redis) -> None:
    mixed = [enveloped("a"), json.loads(event("b")), enveloped("c") | {"subject": None}, enveloped("d")]
    response = await post(client, json.dumps(mixed).encode(), BATCH)
    assert results(response) == [
        ("accepted", None),
        ("accepted", None),
        ("rejected", "missing_field"),
        ("accepted", None),
    ]
    assert response.json()["results"][2]["detail"].startswith("$.subject: ")
    (letter,) = read(redis, "tw:dead")
    assert json.loads(letter[b"original"]) == mixed[2]


async def test_a_binary_message_is_stored_as_the_envelope_it_means(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    document = enveloped("a", player="jörg 1%")
    body, headers = binary(document | {"subject": "j%C3%B6rg%201%25", "traceparent": "00-1"})
    assert results(await post(client, body, **headers)) == [("accepted", None)]
    (stored,) = read(redis, "tw:events")
    assert json.loads(stored[b"e"]) == document | {
        "traceparent": "00-1",
        "datacontenttype": "application/json",
    }


async def test_a_refused_binary_message_is_kept_whole(client: httpx.AsyncClient, redis: Redis) -> None:
    _, headers = binary(enveloped("a") | {"subject": "100%"})
    response = await post(client, b"\xff\x00", **headers)
    assert results(response) == [("rejected", "wrong_field")]
    assert response.json()["results"][0]["detail"].startswith("$.subject: ")
    (letter,) = read(redis, "tw:dead")
    kept = json.loads(letter[b"original"])
    assert (kept["subject"], kept["data_base64"]) == ("100%", "/wA=")
    assert redis.xlen("tw:events") == 0


@pytest.mark.parametrize(
    ("body", "media_type", "status", "kind"),
    [
        (b"[]", STRUCTURED, 400, "malformed-body"),
        (b"{}", BATCH, 400, "malformed-body"),
        (b"", STRUCTURED, 400, "malformed-body"),
        (b"[{}", BATCH, 400, "malformed-body"),
        (b"{}", f"{STRUCTURED}; charset=utf-16", 415, "unsupported-body"),
        (b"{}", "application/cloudevents+avro", 415, "unsupported-body"),
        (b"[" + b",".join([b"{}"] * 61) + b"]", BATCH, 413, "too-many-events"),
    ],
)
async def test_bodies_that_are_no_cloud_events(
    client: httpx.AsyncClient, redis: Redis, body: bytes, media_type: str, status: int, kind: str
) -> None:
    assert problem(await post(client, body, media_type)) == (status, kind)
    assert not stored(redis)


async def test_the_media_type_says_which_mode_it_is(client: httpx.AsyncClient) -> None:
    _, headers = binary(enveloped("ignored"))
    response = await post(client, json.dumps(enveloped("a")).encode(), STRUCTURED, **headers)
    assert response.json()["results"][0]["id"] == "a"


async def test_headers_of_no_cloud_event_change_nothing(client: httpx.AsyncClient) -> None:
    response = await post(client, event("a"), **{"ce-traceparent": "00-1"})
    assert results(response) == [("accepted", None)]


@pytest.mark.usefixtures("redis")
async def test_the_detector_reads_them(valkey: Server, redis: Redis, tmp_path: Path) -> None:
    async with serving(valkey.url) as client:
        with running(detector(valkey.url, write_rules(tmp_path))):
            for number in range(2):
                body, headers = binary(enveloped(str(number), NOW_US - (9 - number) * MINUTE_US))
                assert results(await post(client, body, **headers)) == [("accepted", None)]
            last = json.dumps([enveloped("2", NOW_US - 7 * MINUTE_US)]).encode()
            assert results(await post(client, last, BATCH)) == [("accepted", None)]
            await asyncio.to_thread(wait_for, lambda: alerts(redis))
    (alert,) = alerts(redis)
    assert (alert["rule"], alert["player"], alert["events"][0]) == ("third-deposit@1", "p1", "2")
    assert not read(redis, "tw:dead")
