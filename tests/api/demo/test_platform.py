"""The demonstration's platform and its players, on a deployment that really runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from api.demo.aid.running import Plan
from api.demo.client import Client, client
from api.demo.company import _connect
from api.demo.feeding import feed
from api.demo.helping import Helping, Pace
from api.demo.keys import EVERYBODY
from api.demo.neighbour import Neighbour, neighbour
from api.demo.partner import enter
from api.demo.platform import carry_out
from api.demo.receiver import Receiver, receiver
from api.demo.telling import tell
from api.embedded import Embedded
from api.qa.system import free_port, parts, system
from api.settings import Settings
from detector.errors import TiltwatchError
from detector.events.instants import micros, rfc3339_ms
from tests.api.demo.sender import until

Parts = tuple[Settings, Embedded]
QUICK = Pace(every_s=0.2, thinks_s=0.01)


@pytest.fixture(scope="module")
def started() -> Iterator[Parts]:
    # A trainer takes seconds to begin, and nothing here is about it.
    with parts(learn=False) as each:
        yield each


@asynccontextmanager
async def clients(started: Parts) -> AsyncIterator[Client]:
    async with system(*started) as found, client(found.url, found.keys) as each:
        yield each


def event(player: str, type_: str, at: datetime, **fields: object) -> bytes:
    ts = at.isoformat(timespec="milliseconds")
    common = {"type": type_, "id": f"{type_}-{ts}", "source": "test", "player": player, "ts": ts}
    return msgspec.json.encode({**common, "jurisdiction": "CA-ON", **fields})


def in_distress(player: str, at: datetime) -> list[bytes]:
    return [
        event(player, "identity_check", at, outcome="passed", over_age=True),
        event(player, "contact", at + timedelta(milliseconds=1), topic="distress"),
    ]


async def test_its_machines_do_what_they_are_asked_and_what_people_owe_stays_undone(started: Parts) -> None:
    now = datetime.now(UTC)
    said: list[str] = []
    async with clients(started) as service:
        await service.events([*in_distress("past", now - timedelta(minutes=9)), *in_distress("now", now)])
        platform = asyncio.create_task(carry_out(service, rfc3339_ms(micros(now)), said.append))

        async def done() -> bool:
            found = await service.get("platform", "/v1/interventions", state="done")
            return len(found.body["items"]) == 6

        await until(done)
        await until(lambda: _is(bool(said)))
        platform.cancel()
        (line,) = said
        assert line[8:22] == "  platform  now"[:14]
        assert sorted(line.split("L4: ")[1].removesuffix(" done").split(", ")) == [
            "deposit_hold",
            "marketing_off",
            "show_information",
        ]
        undone = (await service.get("platform", "/v1/interventions")).body["items"]
        owed = {each["action"] for each in undone if each["player"] == "now"}
        assert owed == {"human_contact", "human_review", "offer_referral"}


async def _is(truth: bool) -> bool:
    return truth


@asynccontextmanager
async def everybody(started: Parts) -> AsyncIterator[tuple[Client, Receiver, Neighbour]]:
    async with (
        clients(started) as service,
        receiver() as platform,
        neighbour(Plan(service=service.url)) as aid,
    ):
        await aid.practise(contact_after_s=0.1, close_after_s=None)
        yield service, platform, aid


async def test_players_ask_or_are_offered_help_and_what_becomes_of_it_is_told(started: Parts) -> None:
    now = datetime.now(UTC)
    said: list[str] = []
    async with everybody(started) as (service, platform, aid):
        await enter(service, aid, "demo-aid")
        await _connect(service, platform)
        lines = [in_distress(name, now) for name in ("h1", "h2", "h3")]
        await service.events([of_age for of_age, _ in lines])

        async def known() -> bool:
            return (await service.get("compliance", "/v1/players/h3/timeline")).status == 200

        await until(known)
        await service.events([distress for _, distress in lines])
        helping = Helping(service, platform, rfc3339_ms(micros(now)), said.append, QUICK)
        helped = asyncio.create_task(helping.run())

        async def told() -> bool:
            reached = [line for line in said if line.endswith("  contacted")]
            return len(reached) == 2 and any("says no" in line for line in said)

        await until(told, 60, said)
        helped.cancel()
        assert platform.refused == 0
        found = (await aid.look())["referrals"].values()
    assert len(found) == 2
    assert all(each["contact"] == {"phone": "+1 555 0100"} for each in found)
    stories = [line[10:] for line in said]
    asked = [story for story in stories if "asks for help; asked whether Demo Aid may get in touch" in story]
    offered = [story for story in stories if story.startswith("agent") and "offers a referral" in story]
    assert (len(asked), len(offered)) == (2, 1)
    assert sum("says yes; Demo Aid is told, without a name" in story for story in stories) == 2


async def test_alerts_of_the_history_are_told_by_their_number(started: Parts) -> None:
    _, running = started
    now = datetime.now(UTC)
    said: list[str] = []
    sent = asyncio.Event()
    async with clients(started) as service:
        telling = asyncio.create_task(tell(running.redis_url, rfc3339_ms(micros(now)), sent, said.append))
        await service.events(in_distress("t1", now - timedelta(minutes=8)))
        sent.set()
        await until(lambda: _is(bool(said)))
        assert said[0].endswith("distress-contact@1")
        assert "t1" not in said[0]
        await service.events(in_distress("t2", now + timedelta(seconds=1)))
        await until(lambda: _is(len(said) > 1))
        telling.cancel()
    assert "CRITICAL  t2  distress-contact@1 (open): words of distress" in said[1]


async def test_history_goes_in_at_once_and_the_present_when_it_comes(started: Parts) -> None:
    now = datetime.now(UTC)
    said: list[str] = []
    sent = asyncio.Event()
    soon = now + timedelta(seconds=0.5)
    lines = [(micros(at), line) for at, who in ((now, "f1"), (soon, "f2")) for line in in_distress(who, at)]
    async with clients(started) as service:
        await feed(service, iter(lines), micros(now) + 1_000_000 // 4, sent, said.append)
        assert datetime.now(UTC) >= soon

        async def both() -> bool:
            found = [await service.get("agent", "/v1/alerts", player=each) for each in ("f1", "f2")]
            return all(each.body["items"] for each in found)

        await until(both)
    assert sent.is_set()
    assert said == ["2 events of history are in; from here on it is the present."]


async def test_a_service_that_takes_nothing_ends_the_demonstration(started: Parts) -> None:
    async with clients(started) as service:
        service._keys = {**service._keys, "platform": "-"}
        with pytest.raises(TiltwatchError, match="answered the demonstration with 401"):
            await feed(service, iter([(0, b"{}")]), 1, asyncio.Event(), print)
    async with client(f"http://127.0.0.1:{free_port()}", dict.fromkeys(EVERYBODY, "-")) as nobody:
        with pytest.raises(TiltwatchError, match="does not answer the demonstration"):
            await feed(nobody, iter([(0, b"{}")]), 1, asyncio.Event(), print)
