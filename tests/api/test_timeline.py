"""`/v1/players/{player}/timeline`: events from the archive and alerts from the store."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from redis import Redis
from sqlalchemy import select

from api.alerts.tables import NEVER_US, AlertRow
from api.archive import reading
from api.archive.duty import Archiving
from api.archive.segments import segment_path
from api.audit.tables import AuditRow
from api.backoffice.lease import OfficeLease
from api.deployment import deploy
from api.settings import Settings
from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from tests.api.archive.office import Clock, put
from tests.api.serving import As, Client, problem, serving
from tests.drivers.small import DAY_US, MINUTE_US, NOON_US, event


@dataclass
class Desk:
    """A service and the office that archives for it."""

    client: Client
    duty: Archiving
    clock: Clock

    async def archive(self, redis: Redis, *originals: bytes) -> None:
        put(redis, *originals, received_us=self.clock.us)
        while await self.duty.round() == 0:
            pass

    async def page(self, player: str = "p1", **query: Any) -> dict[str, Any]:
        answer = await self.client.get(f"/v1/players/{quote(player, safe='')}/timeline", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def all_pages(self, **query: Any) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        page = await self.page(**query)
        while True:
            items += page["items"]
            assert page["unreadable"] == []
            if page["next_cursor"] is None:
                return items
            page = await self.page(**query, cursor=page["next_cursor"])

    async def alert(self, id_: str, at_us: int, player: str = "p1") -> None:
        row = AlertRow(
            id=id_,
            player=player,
            pseudonym="ps_x",
            rule="r@1",
            rule_id="r",
            kind="open",
            category="deposits",
            audience="risk",
            severity="high",
            level="L1",
            jurisdiction=None,
            opened_us=at_us,
            taken_us=at_us,
            body=json.dumps({"id": id_}),
            stage="open",
            rank=0,
            by_people=False,
            due_us=NEVER_US,
            period_us=0,
            next_us=NEVER_US,
            escalations=0,
            assignee=None,
            assigned_us=None,
            snoozed_until_us=0,
            snooze_reason=None,
            acted_us=None,
            met_us=None,
            verdict=None,
            verdicts=0,
        )
        async with self.client.app.state.store.write() as session:
            session.add(row)


@asynccontextmanager
async def desk(valkey: Server, home: Path, store_url: str, batch: int = 5) -> AsyncIterator[Desk]:
    clock = Clock()
    settings = Settings(archive_dir=home / "archive", keyring_file=home / "keyring.json")
    async with serving(valkey.url, settings, database_url=store_url, clock=clock) as client:
        made = settings.model_copy(update={"data_dir": home})
        deployment = deploy(
            Settings.model_validate(made.model_dump() | {"database_url": store_url}), valkey.url, clock
        )
        lease = OfficeLease(deployment.store, clock, 10**15)
        assert await lease.take()
        yield Desk(client, Archiving(deployment, lease, batch), clock)
        await deployment.end()


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [(each.get("event") or each["alert"])["id"] for each in items]


async def test_newest_first_as_they_came_with_alerts_in_their_place(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    async with desk(valkey, tmp_path, store_url) as each:
        events = [event(f"e{n}", NOON_US + n * MINUTE_US) for n in range(3)]
        await each.archive(redis, *events, event("other", NOON_US, "p2"))
        await each.alert("a1", NOON_US + MINUTE_US)
        await each.alert("a2", NOON_US + MINUTE_US + 1)
        await each.alert("a3", NOON_US, "p2")
        page = await each.page()
        assert ids(page["items"]) == ["e2", "a2", "a1", "e1", "e0"]
        assert page["items"][0] == {
            "kind": "event",
            "at": rfc3339_ms(NOON_US + 2 * MINUTE_US),
            "event": json.loads(events[2]),
        }
        assert (page["next_cursor"], page["unreadable"]) == (None, [])


@pytest.mark.parametrize("seed", range(2))
async def test_pages_over_days_leave_nothing_out_and_show_nothing_twice(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str, seed: int
) -> None:
    dice = random.Random(seed)
    async with desk(valkey, tmp_path, store_url) as each:
        expected: list[tuple[int, int, int, str]] = []
        for number in range(40):
            # Some are days late, many happen at one instant.
            at_us = each.clock.us - dice.choice((0, 0, MINUTE_US, 2 * DAY_US)) // MINUTE_US * MINUTE_US
            player = dice.choice(("p1", "p2"))
            await each.archive(redis, event(f"e{number}", at_us, player))
            if player == "p1":
                expected.append((at_us, 0, number, f"e{number}"))
            if dice.random() < 0.2:
                await each.alert(f"a{number:04}", at_us)
                expected.append((at_us, 1, number, f"a{number:04}"))
            each.clock.us += dice.choice((0, MINUTE_US, DAY_US // 3))
        expected.sort(reverse=True)
        for limit in (1, 6, 500):
            assert ids(await each.all_pages(limit=limit)) == [id_ for *_, id_ in expected]


async def test_a_search_that_gets_tired_goes_on_where_it_stopped(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_OPENED", 1)
    async with desk(valkey, tmp_path, store_url, batch=2) as each:
        for n in range(12):
            await each.archive(redis, event(f"e{n}", NOON_US + n // 3 * MINUTE_US))
        await each.alert("a1", NOON_US + MINUTE_US)
        page = await each.page(limit=10)
        assert len(page["items"]) < 10
        assert page["next_cursor"] is not None
        found = ids(await each.all_pages(limit=10))
        assert found == ["e11", "e10", "e9", "e8", "e7", "e6", "a1", "e5", "e4", "e3", "e2", "e1", "e0"]


async def test_filters(valkey: Server, redis: Redis, tmp_path: Path, store_url: str) -> None:
    async with desk(valkey, tmp_path, store_url) as each:
        await each.archive(
            redis,
            event("e0", NOON_US),
            event("e1", NOON_US + MINUTE_US, type_="session_start"),
            event("e2", NOON_US + 2 * MINUTE_US),
        )
        await each.alert("a1", NOON_US + MINUTE_US)
        assert ids((await each.page(types=["deposit"]))["items"]) == ["e2", "e0"]
        assert ids((await each.page(types=["session_start", "alert"]))["items"]) == ["a1", "e1"]
        assert ids((await each.page(types="alert"))["items"]) == ["a1"]
        at = rfc3339_ms(NOON_US + MINUTE_US)
        assert ids((await each.page(**{"from": at}))["items"]) == ["e2", "a1", "e1"]
        assert ids((await each.page(until=at))["items"]) == ["e0"]
        assert ids(await each.all_pages(limit=1, until=rfc3339_ms(NOON_US + 2 * MINUTE_US))) == [
            "a1",
            "e1",
            "e0",
        ]


async def test_every_view_is_recorded_under_a_pseudonym(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    async with desk(valkey, tmp_path, store_url) as each:
        await each.archive(redis, event("e0", player="CANARY-player"))
        await each.page("CANARY-player")
        keys = each.client.keys
        state = each.client.app.state
        async with state.store.read() as session:
            rows = list(
                (await session.execute(select(AuditRow).where(AuditRow.action == "player.viewed"))).scalars()
            )
        assert [row.subject for row in rows] == [f"player:{state.keyring.pseudonym('CANARY-player')}"]
        assert json.loads(rows[0].details) == {"reader": "timeline"}
        assert rows[0].actor == f"key:{keys['agent'].split('_')[1]}"
        answer = await each.client.get("/v1/players/CANARY-player/timeline", auth=As(keys, "analyst"))
        assert problem(answer) == (403, "forbidden")


async def test_of_somebody_unknown_nothing_is_told(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    async with desk(valkey, tmp_path, store_url) as each:
        for player in ("nobody", "p\0"):
            answer = await each.client.get(f"/v1/players/{quote(player)}/timeline")
            assert problem(answer) == (404, "unknown-player")
            assert "nobody" not in answer.text


async def test_a_segment_that_is_gone_is_told_and_the_rest_is_shown(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    async with desk(valkey, tmp_path, store_url) as each:
        await each.archive(redis, event("e0"))
        each.clock.us += DAY_US
        await each.archive(redis, event("e1", NOON_US + DAY_US))
        for path in (tmp_path / "archive").glob("2026-01-01*"):
            path.unlink()
        page = await each.page()
        assert (ids(page["items"]), page["unreadable"]) == (["e1"], ["2026-01-01"])


async def test_damage_within_a_frame_is_told(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    async with desk(valkey, tmp_path, store_url) as each:
        await each.archive(redis, event("e0"))
        path = segment_path(tmp_path / "archive", "2026-01-01")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        page = await each.page()
        assert (page["items"], page["unreadable"]) == ([], ["2026-01-01"])


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"limit": 501}, "limit"),
        ({"limit": 0}, "limit"),
        ({"from": "yesterday"}, "from"),
        ({"until": "2026-01-01T00:00:00"}, "until"),
        ({"types": "Deposit!"}, "types.0"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "OTk5OTk5OTk5OTk5OTk5OTk5OS50"}, "cursor"),
        ({"form": "x"}, "form"),
    ],
)
async def test_wrong_parameters(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str, query: dict[str, Any], name: str
) -> None:
    async with desk(valkey, tmp_path, store_url) as each:
        await each.archive(redis, event("e0"))
        answer = await each.client.get("/v1/players/p1/timeline", params=query)
        assert problem(answer) == (400, "invalid-parameter")
        assert [each["name"] for each in answer.json()["parameters"]] == [name]
