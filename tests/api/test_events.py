from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis import Redis

from detector.drivers.valkey import Server
from tests.api.serving import NOW_US, post, problem, serving, stored
from tests.drivers.small import MINUTE_US, event, read

HOUR_US = 60 * MINUTE_US
JSON = "application/json"
LINES = "application/x-ndjson"


def statuses(response: httpx.Response) -> list[str]:
    assert response.status_code == 202
    return [each["status"] for each in response.json()["results"]]


async def test_one_event(client: httpx.AsyncClient, redis: Redis) -> None:
    response = await post(client, b"  " + event("a") + b"\n")
    assert response.status_code == 202
    assert response.json() == {
        "accepted": 1,
        "repeated": 0,
        "rejected": 0,
        "results": [{"index": 0, "id": "a", "status": "accepted", "reason": None, "detail": None}],
    }
    assert read(redis, "tw:events") == [{b"e": event("a"), b"r": str(NOW_US).encode()}]


async def test_bytes_are_kept_as_they_came(client: httpx.AsyncClient, redis: Redis) -> None:
    odd = event("a").replace(b'"source"', b'\n "s\\u006furce"')
    assert statuses(await post(client, b"[" + odd + b" ,\t" + event("b") + b"]")) == ["accepted"] * 2
    assert (
        statuses(await post(client, b"\r\n" + event("c") + b"\r\n\n" + event("d"), LINES)) == ["accepted"] * 2
    )
    assert [each[b"e"] for each in read(redis, "tw:events")] == [odd, event("b"), event("c"), event("d")]


async def test_each_of_a_batch_gets_its_own_answer(client: httpx.AsyncClient, redis: Redis) -> None:
    mixed = [
        event("a"),
        event("a"),
        b"{nonsense",
        event("b", NOW_US + 6 * MINUTE_US),
        event("a", amount=2),
        b'{"type":"tick","ts":"2026-01-01T11:00:00Z"}',
        event("c", currency="XXQ"),
        b"3",
    ]
    response = await post(client, b"\n".join(mixed), LINES)
    body = response.json()
    assert (body["accepted"], body["repeated"], body["rejected"]) == (2, 1, 5)
    assert [(each["index"], each["id"], each["status"], each["reason"]) for each in body["results"]] == [
        (0, "a", "accepted", None),
        (1, "a", "repeated", None),
        (2, None, "rejected", "not_json"),
        (3, None, "rejected", "ahead_of_receipt"),
        (4, "a", "rejected", "conflict"),
        (5, None, "accepted", None),
        (6, None, "rejected", "unknown_currency"),
        (7, None, "rejected", body["results"][7]["reason"]),
    ]
    assert [each[b"original"] for each in read(redis, "tw:dead")] == [mixed[n] for n in (2, 3, 4, 6, 7)]
    assert [each[b"reason"].decode() for each in read(redis, "tw:dead")] == [
        each["reason"] for each in body["results"] if each["status"] == "rejected"
    ]
    assert redis.xlen("tw:events") == 2


async def test_sending_again_is_safe(client: httpx.AsyncClient, redis: Redis) -> None:
    body = b"[" + b",".join(event(str(n)) for n in range(20)) + b"]"
    assert statuses(await post(client, body)) == ["accepted"] * 20
    assert statuses(await post(client, body)) == ["repeated"] * 20
    assert redis.xlen("tw:events") == 20


async def test_the_same_content_spelt_otherwise_is_a_repeat(client: httpx.AsyncClient) -> None:
    fields = json.loads(event("a"))
    again = json.dumps(dict(reversed(fields.items())) | {"ts": "2026-01-01T14:00:00+02:00", "extra": 1})
    assert statuses(await post(client, event("a"))) == ["accepted"]
    assert statuses(await post(client, again.encode())) == ["repeated"]


async def test_an_id_is_one_players_and_one_sources(client: httpx.AsyncClient) -> None:
    others = [event("a"), event("a", player="p2"), event("a", source="other")]
    assert statuses(await post(client, b"\n".join(others), LINES)) == ["accepted"] * 3


@pytest.mark.parametrize("hours", [0, 11.9, 24, 47.9, 48])
@pytest.mark.usefixtures("redis")
async def test_repeats_and_conflicts_are_told_for_two_days(valkey: Server, hours: float) -> None:
    async with serving(valkey.url) as client:
        assert statuses(await post(client, event("a", NOW_US - 40 * HOUR_US))) == ["accepted"]
    async with serving(valkey.url, now_us=NOW_US + int(hours * HOUR_US)) as client:
        assert statuses(await post(client, event("a", NOW_US - 40 * HOUR_US))) == ["repeated"]
        # The same id another day: not to be missed for looking in that day only.
        assert statuses(await post(client, event("a", NOW_US))) == ["rejected"]


async def test_ids_are_forgotten_in_the_end(valkey: Server, redis: Redis) -> None:
    async with serving(valkey.url) as client:
        await post(client, event("a"))
    async with serving(valkey.url, now_us=NOW_US + 61 * HOUR_US) as client:
        assert statuses(await post(client, event("a"))) == ["accepted"]
    keys: Any = redis.keys("tw:ids:*")
    assert len(keys) == 2
    assert all(0 < redis.ttl(key) <= 60 * 3600 for key in keys)


@pytest.mark.parametrize(
    ("body", "media_type", "status", "kind"),
    [
        (b"", JSON, 400, "malformed-body"),
        (b"   ", JSON, 400, "malformed-body"),
        (b"[" + event("a") + b",]", JSON, 400, "malformed-body"),
        (b"[" + event("a"), JSON, 400, "malformed-body"),
        (event("a") + event("b"), JSON, 400, "malformed-body"),
        (b'{"type":', JSON, 400, "malformed-body"),
        (b'"deposit"', JSON, 400, "malformed-body"),
        (b"\xff\xfe", JSON, 400, "malformed-body"),
        (b"[" * 15_000, JSON, 400, "malformed-body"),
        (b'{"a":' * 3_000, JSON, 400, "malformed-body"),
        (b" " * 20_001, JSON, 413, "body-too-large"),
        (b"[" + b",".join([b"{}"] * 61) + b"]", JSON, 413, "too-many-events"),
        (b"{}\n" * 61, LINES, 413, "too-many-events"),
        (event("a"), None, 415, "unsupported-body"),
        (event("a"), "text/plain", 415, "unsupported-body"),
        (event("a"), "application/json; charset=utf-16", 415, "unsupported-body"),
        (event("a"), 'a/"; b=c;;;=', 415, "unsupported-body"),
    ],
)
async def test_bad_bodies(
    client: httpx.AsyncClient, redis: Redis, body: bytes, media_type: str | None, status: int, kind: str
) -> None:
    assert problem(await post(client, body, media_type)) == (status, kind)
    assert not stored(redis)


async def test_a_compressed_body_is_not_read(client: httpx.AsyncClient) -> None:
    response = await post(client, event("a"), **{"content-encoding": "gzip"})
    assert problem(response) == (415, "unsupported-body")


async def test_a_body_that_does_not_say_its_length_is_cut_off_too(client: httpx.AsyncClient) -> None:
    sent = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1000
            yield b" " * 1000

    response = await client.post("/v1/events", content=parts(), headers={"content-type": JSON})
    assert problem(response) == (413, "body-too-large")
    assert sent < 30_000


async def test_an_empty_array_is_fine(client: httpx.AsyncClient, redis: Redis) -> None:
    assert (await post(client, b"[]")).json() == {"accepted": 0, "repeated": 0, "rejected": 0, "results": []}
    assert not stored(redis)


async def test_a_charset_may_be_named(client: httpx.AsyncClient) -> None:
    named = 'Application/JSON; Charset="UTF-8"'
    assert statuses(await post(client, event("a"), named)) == ["accepted"]


async def test_a_full_stream_turns_events_away_for_now(client: httpx.AsyncClient, redis: Redis) -> None:
    first = b"\n".join(event(f"a{n}") for n in range(40))
    second = b"\n".join(event(f"b{n}") for n in range(40))
    assert statuses(await post(client, first, LINES)) == ["accepted"] * 40
    response = await post(client, second, LINES)
    assert problem(response) == (503, "backlog-full")
    assert int(response.headers["retry-after"]) > 0
    redis.xtrim("tw:events", maxlen=0)
    assert statuses(await post(client, second, LINES)) == ["accepted"] * 40


async def test_senders_at_the_same_time_are_told_apart(valkey: Server, redis: Redis) -> None:
    log = [event(f"a{n}") for n in range(700)]
    async with serving(valkey.url) as client:
        reports = await asyncio.gather(*(post(client, b"\n".join(log), LINES) for _ in range(8)))
    assert sum(each.json()["accepted"] for each in reports) == 700
    assert sum(each.json()["repeated"] for each in reports) == 7 * 700
    assert sorted(each[b"e"] for each in read(redis, "tw:events")) == sorted(log)


async def test_several_chunks_of_one_body_stay_in_order(valkey: Server, redis: Redis) -> None:
    log = [event(f"a{n}") for n in range(1200)]
    async with serving(valkey.url) as client:
        response = await post(client, b"[" + b",".join([*log, log[0]]) + b"]")
    assert statuses(response) == ["accepted"] * 1200 + ["repeated"]
    assert [each["index"] for each in response.json()["results"]] == list(range(1201))
    assert [each[b"e"] for each in read(redis, "tw:events")] == log
