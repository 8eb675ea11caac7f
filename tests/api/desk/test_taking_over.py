"""From what the detector wrote into the store: each thing once, whatever stops the office, and when."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import func, select

from api.alerts.bridge import AlertTold
from api.alerts.duty import TakingOver
from api.alerts.ladder import LadderInForce
from api.alerts.tables import AlertNote, AlertRow
from api.audit.tables import AuditRow
from api.backoffice.lease import LeaseLost
from api.backoffice.tables import Place
from api.interventions.tables import InterventionRow, Suppression
from api.store.database import Store
from api.webhooks.tables import Message
from detector.drivers.valkey import Server
from detector.events.instants import rfc3339_ms
from detector.language.pack import packs_dir
from tests.api.desk.office import (
    HOUR_US,
    alert,
    asked_by,
    audit_rows,
    bridge_of,
    deployment_of,
    endpoint,
    give,
    is_behind,
    lease_of,
    messages,
    take_over,
    taking_over,
)
from tests.api.serving import NOW_US, Client
from tests.drivers.small import (
    DAY_US,
    MINUTE_US,
    catch_up,
    detector,
    event,
    running,
    send,
    wait_for,
    write_rules,
)

COUNTED = (AlertRow, AlertNote, InterventionRow, Suppression, Message, AuditRow)


def written(redis: Redis, count: int, start: int = 0) -> None:
    """Write alerts as the detector does, with what they ask for, and a note on every third one."""
    with redis.pipeline(transaction=True) as pipe:
        for number in range(start, start + count):
            each = alert(number, player=f"p{number}", response=("L1", "L2", "L4")[number % 3])
            pipe.xadd("tw:alerts", {"a": each.to_json(), "t": NOW_US, "j": "CA-ON"})
            for asked in asked_by(each).values():
                pipe.xadd("tw:interventions", {"i": asked.to_json()})
            if number % 3 == 0:
                note = {"player": each.player, "alert": each.id, "event": "v", "code": "x", "at": "y"}
                pipe.xadd("tw:notes", {"n": json.dumps(note)})
        pipe.execute()


async def counts(store: Store) -> dict[str, int]:
    """How many rows there are of everything that taking over brings about."""
    async with store.read() as session:
        found = {
            table.__tablename__: (await session.execute(select(func.count()).select_from(table))).scalar()
            for table in COUNTED
        }
    return {name: number or 0 for name, number in found.items()}


async def expected(client: Client, redis: Redis, count: int) -> dict[str, int]:
    await endpoint(client, "platform")
    await endpoint(client, "desk")
    before = await counts(deployment_of(client).store)
    written(redis, count)
    # 2 of three alerts suppress marketing, which is told as an event of its own; one of three is grave.
    kinds = [("L1", "L2", "L4")[number % 3] for number in range(count)]
    asked = {"L1": 1, "L2": 3, "L4": 6}
    told = {"L1": 1, "L2": 4, "L4": 3 + 1 + 1}
    suppressing = sum(kind != "L1" for kind in kinds)
    interventions = sum(asked[kind] for kind in kinds)
    return {
        "alerts": count,
        "alert_notes": (count + 2) // 3,
        "interventions": interventions,
        "marketing_suppressions": suppressing,
        "messages": sum(told[kind] for kind in kinds),
        "audit": before["audit"] + count + interventions + suppressing,
    }


async def test_everything_is_taken_over_once(client: Client, redis: Redis) -> None:
    wanted = await expected(client, redis, 700)
    await take_over(client, redis)
    store = deployment_of(client).store
    assert await counts(store) == wanted
    # Read again from the beginning, as after a loss of the places: nothing comes twice.
    async with store.write() as session:
        for stream in ("tw:alerts", "tw:notes", "tw:interventions"):
            await session.merge(Place(name=stream, entry="0-0"))
    duty = await taking_over(deployment_of(client))
    for _ in range(12):
        await duty.round()
    assert await counts(store) == wanted
    assert not is_behind(redis)


class Stopped(BaseException):
    """The office is gone."""


async def test_stopped_between_any_two_steps_nothing_is_lost_or_comes_twice(
    client: Client, redis: Redis
) -> None:
    """Every command to Redis and every statement to the store may be the last of an office."""
    wanted = await expected(client, redis, 24)
    deployment = deployment_of(client)
    left = 0

    def step() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Stopped

    class Fragile(TakingOver):
        async def _read_places(self) -> dict[str, bytes]:
            step()
            found = await super()._read_places()
            step()
            return found

        async def _read(self) -> Any:
            step()
            found = await super()._read()
            step()
            return {name: entries[:5] for name, entries in found.items()}

        async def _move_group(self, stream: str, place: bytes) -> None:
            step()
            await super()._move_group(stream, place)

    async def before_commit(_: Any) -> None:
        step()

    hook: Callable[[Any], Awaitable[None]] = before_commit
    lives = 0
    for allowed in range(1, 200):
        lives += 1
        duty = Fragile(deployment, await lease_of(deployment), wait_ms=1)
        deployment.store.before_commit.append(hook)
        left = allowed % 17
        try:
            for _ in range(3):
                await duty.round()
        except Stopped:
            pass
        finally:
            deployment.store.before_commit.remove(hook)
        if not is_behind(redis):
            break
    assert lives > 5, "it was never stopped"
    await take_over(client, redis)
    assert await counts(deployment.store) == wanted


async def test_an_office_that_lost_its_lease_takes_nothing(client: Client, redis: Redis) -> None:
    deployment = deployment_of(client)
    old = await taking_over(deployment)
    await old.round()
    new = await taking_over(deployment)
    written(redis, 3)
    with pytest.raises(LeaseLost):
        await old.round()
    assert (await counts(deployment.store))["alerts"] == 0
    await new.round()
    assert (await counts(deployment.store))["alerts"] == 3


async def test_what_cannot_be_read_does_not_stand_in_the_way(client: Client, redis: Redis) -> None:
    for entry in ({"a": "{"}, {"b": "1"}, {"a": "[]"}, {"a": alert(1).to_json(), "t": "9" * 40}):
        fields: Any = entry
        redis.xadd("tw:alerts", fields)
    nameless: Any = {"a": alert(2, player="p\0q").to_json(), "j": b"\xff\0"}
    redis.xadd("tw:alerts", nameless)
    redis.xadd("tw:interventions", {"i": "{}"})
    redis.xadd("tw:notes", {"n": "nonsense"})
    written(redis, 3, start=10)
    await take_over(client, redis)
    found = (await client.get("/v1/alerts")).json()["items"]
    assert len(found) == 5
    assert {each["player"] for each in found} >= {"p\0q"}


async def test_an_alert_of_a_level_that_nobody_knows_is_kept_and_the_desk_is_told_once(
    client: Client,
) -> None:
    await endpoint(client, "desk")
    odd = [
        alert(1, response="L6"),
        alert(2, response="as you like\0"),
        alert(3, severity="dire"),
        alert(4, response="L0", severity="low"),
    ]
    for _ in range(2):
        await give(client, *odd, ask=False)
    told = await messages(client, "alert.unreadable")
    assert sorted(each["alert"] for each in told) == [each.id for each in odd[:3]]
    assert all(each.keys() == {"state", "alert"} for each in told)
    subjects = [row["subject"] for row in await audit_rows(client, "alert.unreadable")]
    assert sorted(subjects) == [f"alert:{each.id}" for each in odd[:3]]
    shown = {each["id"]: each["work"] for each in (await client.get("/v1/alerts")).json()["items"]}
    assert {int(key, 16): each["state"] for key, each in shown.items()} == {
        **dict.fromkeys((1, 2, 3), "past"),
        4: "open",
    }
    report = (await client.get("/v1/reports/alerts-without-action")).json()
    assert {each["level"]: each["alerts"] for each in report["past"]} == {
        "L6": 1,
        "as you like\ufffd": 1,
        "L3": 1,
    }
    path = f"/v1/alerts/{1:032x}"
    acted = await client.post(f"{path}/actions", json={"action": "block"})
    assert acted.status_code == 201, "it can be worked on all the same"
    assert (await client.get(path)).json()["response"] == "L6"


async def test_the_wording_of_an_alert_is_not_touched(client: Client, redis: Redis) -> None:
    each = alert(1, title="É “quoted” \u2028", explanation="1 < 2 & 3")
    redis.xadd("tw:alerts", {"a": each.to_json()})
    await take_over(client, redis)
    text = (await client.get(f"/v1/alerts/{each.id}")).content
    assert text.startswith(each.to_json()[:-1])


class TestThePast:
    async def state(self, client: Client) -> tuple[str, str | None]:
        (each,) = (await client.get("/v1/alerts")).json()["items"]
        return each["work"]["state"], each["work"]["due_at"]

    async def test_history_that_is_read_in_is_owed_nothing(self, client: Client) -> None:
        await endpoint(client, "desk")
        await give(client, alert(1, NOW_US - 49 * HOUR_US), told_us=NOW_US, ask=False)
        assert await self.state(client) == ("past", None)
        assert (await client.get("/v1/alerts", params={"order": "queue"})).json()["items"] == []
        assert await messages(client, "alert.opened") == []
        assert await audit_rows(client, "alert.opened") == []

    async def test_what_waited_for_an_office_that_was_closed_is_owed_all_the_same(
        self, client: Client
    ) -> None:
        opened_us = NOW_US - 30 * DAY_US
        await give(client, alert(1, opened_us), told_us=opened_us + MINUTE_US, ask=False)
        assert await self.state(client) == ("open", rfc3339_ms(opened_us + 12 * HOUR_US))

    async def test_a_request_to_be_excluded_is_heard_late(self, client: Client) -> None:
        await give(client, alert(1, NOW_US - 29 * DAY_US, response="L5"), told_us=NOW_US, ask=False)
        assert (await self.state(client))[0] == "open"

    async def test_without_a_time_it_counts_as_told_now(self, client: Client) -> None:
        await give(client, alert(1, NOW_US - 49 * HOUR_US), ask=False)
        assert (await self.state(client))[0] == "past"


async def test_an_answer_that_came_before_its_alert_counts_for_it(client: Client) -> None:
    each = alert(1, response="L1")
    asked = asked_by(each)["personal_message"]
    deployment = deployment_of(client)
    async with deployment.store.write() as session:
        await bridge_of(deployment).take(session, [], [], [asked.to_json()])
    said = {"outcome": "done", "at": rfc3339_ms(NOW_US)}
    assert (await client.post(f"/v1/interventions/{asked.id}/acknowledge", json=said)).status_code == 200
    async with deployment.store.write() as session:
        await bridge_of(deployment).take(session, [AlertTold(each.to_json(), "CA-ON")], [], [])
    (shown,) = (await client.get("/v1/alerts")).json()["items"]
    assert shown["work"]["state"] == "acted"


async def test_what_an_agent_orders_reaches_a_platform_that_listens_to_the_stream(
    client: Client, redis: Redis
) -> None:
    await give(client, alert(1))
    ordered = await client.post(f"/v1/alerts/{1:032x}/actions", json={"action": "block"})
    duty = await taking_over(deployment_of(client))
    for _ in range(3):
        await duty.round()
    entries: Any = redis.xrange("tw:interventions")
    (told,) = [json.loads(fields[b"i"]) for _, fields in entries]
    assert told["id"] == ordered.json()["intervention"]
    assert told["action"] == "block"
    assert len((await client.get("/v1/interventions")).json()["items"]) == 5, "and is not taken over again"


async def test_from_a_real_detector(client: Client, valkey: Server, redis: Redis, tmp_path: Path) -> None:
    rules = write_rules(tmp_path)
    log = [event(f"e{n}", NOW_US - (9 - n) * MINUTE_US, jurisdiction="NL") for n in range(3)]
    carried = {"type": "deposit", "ts": rfc3339_ms(NOW_US - 9 * MINUTE_US), "amount": 1000, "currency": "CAD"}
    log.append(event("v", NOW_US - MINUTE_US, type_="void", target="e0", voided=carried))
    with running(detector(valkey.url, rules, clock=lambda: NOW_US)):
        last = send(redis, *log)
        await asyncio.to_thread(catch_up, redis, last)
    await take_over(client, redis)
    (found,) = (await client.get("/v1/alerts")).json()["items"]
    assert (found["rule"], found["work"]["jurisdiction"]) == ("third-deposit@1", "NL")
    assert found["work"]["due_at"] == rfc3339_ms(NOW_US - 7 * MINUTE_US + HOUR_US), "within one hour"
    assert [each["event"] for each in found["notes"]] == ["v"]
    (asked,) = (await client.get("/v1/interventions")).json()["items"]
    assert asked["alert"] == found["id"]


OFFICE = """
import asyncio, sys
from pathlib import Path
from api.backoffice.running import work
from api.settings import Settings

settings = Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2])
asyncio.run(work(settings, sys.argv[3], asyncio.Event()))
"""


@pytest.mark.storm
@pytest.mark.parametrize("at_once", [300])
async def test_an_office_killed_again_and_again_takes_everything_over_once(
    client: Client, valkey: Server, redis: Redis, store_url: str, at_once: int
) -> None:
    total, kills = 4500, 6
    wanted = await expected(client, redis, 0)
    store = deployment_of(client).store

    async def taken() -> int:
        return (await counts(store))["alerts"]

    with tempfile.TemporaryDirectory(prefix="tw") as home:
        words = [sys.executable, "-c", OFFICE, home, store_url, valkey.url]
        for number in range(kills):
            before = await taken()
            for start in range(number * 750, (number + 1) * 750, at_once // 2):
                written(redis, at_once // 2, start=start)
            with subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
                while await taken() == before:
                    await asyncio.sleep(0.005)
                os.kill(child.pid, signal.SIGKILL)
        await asyncio.to_thread(wait_for, lambda: True)
        await take_over(client, redis)
    found = await counts(store)
    kinds = [("L1", "L2", "L4")[number % 3] for number in range(total)]
    assert found["alerts"] == total
    assert found["alert_notes"] == total // 3
    assert found["interventions"] == sum({"L1": 1, "L2": 3, "L4": 6}[kind] for kind in kinds)
    assert found["marketing_suppressions"] == total * 2 // 3
    opened_rows = await audit_rows(client, "alert.opened")
    assert len({row["subject"] for row in opened_rows}) == len(opened_rows) == total
    assert found["audit"] > wanted["audit"] + total


async def test_another_ladder_holds_once_the_detector_runs_it(
    client: Client, redis: Redis, tmp_path: Path
) -> None:
    text = (packs_dir() / "ladder.yml").read_text()
    (tmp_path / "ladder.yml").write_text(text)
    ladder = LadderInForce(deployment_of(client).redis, tmp_path)
    first = await ladder()
    (tmp_path / "ladder.yml").write_text(text.replace("\nversion: 1\n", "\nversion: 2\n"))
    assert (await ladder()).version == first.version, "edited is not in force"
    redis.hset("tw:rules", "set", "rs_2")
    assert (await ladder()).version == 2
    (tmp_path / "ladder.yml").write_text("version: none")
    redis.hset("tw:rules", "set", "rs_3")
    assert (await ladder()).version == 2, "better the last one than none"
