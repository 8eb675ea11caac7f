"""`/v1/players/{player}/risk`: from events to what each reader is told."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from redis import Redis

from api.access.roles import Role
from api.players.endpoints import SCHEMAS
from api.settings import Settings
from detector.drivers.embedded import EmbeddedDetector, Options
from detector.drivers.streams import RISKS
from detector.drivers.valkey import Server
from detector.engine.engine import Engine
from detector.events.money import Currencies
from detector.language.pack import default_pack, load_rules
from detector.score.load import SCORES
from detector.score.standing import Risk, Standing
from tests.api.serving import NOW_US, As, Client, post, problem, serving
from tests.drivers.small import DAY_US, MINUTE_US, alerts, event, running, wait_for, write_rules

EXCLUSION = Standing(
    "self-exclusion-request@2", "The player asks to be excluded", "tools", 3, NOW_US, NOW_US, 30 * DAY_US
)
DISTRESS = Standing("distress-contact@1", "Words of distress", "contact", 3, NOW_US, NOW_US, 2 * DAY_US)
NIGHTS = Standing("night-play@1", "Nights", "play", 1, NOW_US - 5 * DAY_US, NOW_US - DAY_US, 7 * DAY_US)


@pytest.fixture
def few_rules(tmp_path: Path) -> Settings:
    """A service that has to read three rules only."""
    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("distress-contact.yml", "night-play.yml", "self-exclusion-request.yml"):
        shutil.copy(default_pack() / name, folder)
    return Settings(rules_dir=folder)


@pytest.fixture
async def client(valkey: Server, redis: Redis, few_rules: Settings) -> AsyncIterator[Client]:
    async with serving(valkey.url, few_rules) as each:
        yield each


def keep(redis: Redis, player: str, *standings: Standing, at_us: int = NOW_US) -> None:
    redis.hset(RISKS, player, msgspec.json.encode(Risk(player, at_us, list(standings))))


async def read(client: Client, player: str, **query: str) -> dict[str, Any]:
    response = await client.get(f"/v1/players/{player}/risk", params=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_from_events_to_what_each_reader_is_told(valkey: Server, redis: Redis, tmp_path: Path) -> None:
    folder = write_rules(tmp_path)
    rules = load_rules(folder)
    detector = EmbeddedDetector(valkey.url, lambda: Engine(rules), Currencies(), Options(lease_s=1))
    async with serving(valkey.url, Settings(rules_dir=folder)) as client:
        with running(detector):
            for n in range(3):
                await post(client, event(f"e{n}", NOW_US - (5 - n) * MINUTE_US, "p1"))
            await asyncio.to_thread(wait_for, lambda: alerts(redis))
        (alert,) = alerts(redis)
        agent = await read(client, "p1")
        assert (agent["reader"], agent["as_of"]) == ("agent", "2026-01-01T12:00:00.000Z")
        assert agent["score"] == alert["score"] == SCORES.packaged.weights[2]
        assert agent["band"] == alert["band"] == "medium"
        assert agent["contributions"] == alert["contributions"] == {"deposits": agent["score"]}
        (counted,) = agent["counted"]
        assert (counted["rule"], counted["held_at"]) == ("third-deposit@1", alert["opened_at"])
        assert [each["band"] for each in agent["lowering"]["bands"]] == ["low"]
        player = await read(client, "p1", reader="player", language="fr")
        # The rule has no words for players, so its category's are used.
        assert player["noticed"] == ["Nous avons remarqué un changement concernant vos dépôts."]
        regulator = await read(client, "p1", reader="regulator")
        assert (regulator["scoring"], regulator["parts"][0]["studies"]) == ("score@2", ["none"])


async def test_time_goes_on_without_any_event(redis: Redis, valkey: Server, few_rules: Settings) -> None:
    keep(redis, "p1", DISTRESS, NIGHTS)
    scores = []
    for days in (0, 1, 2, 6):
        async with serving(valkey.url, few_rules, now_us=NOW_US + days * DAY_US) as client:
            scores.append((await read(client, "p1"))["score"])
    assert scores == [99, 94, 12, 0]


async def test_a_clock_behind_the_events_makes_nothing_younger(
    redis: Redis, valkey: Server, few_rules: Settings
) -> None:
    keep(redis, "p1", NIGHTS)
    async with serving(valkey.url, few_rules, now_us=NOW_US - 3 * DAY_US) as client:
        found = await read(client, "p1")
    assert (found["as_of"], found["score"]) == ("2026-01-01T12:00:00.000Z", 14)


async def test_a_player_reads_no_number_of_any_kind(client: Client, redis: Redis) -> None:
    keep(redis, "p1", NIGHTS)
    for language in ("en", "fr"):
        found = await read(client, "p1", reader="player", language=language)
        text = json.dumps(found, ensure_ascii=False)
        assert not re.search(r"\d", text.replace("1-866-531-2600", ""))
        assert "night-play" not in text


@pytest.mark.parametrize(
    ("reader", "name"),
    [("agent", "AgentReading"), ("player", "PlayerReading"), ("regulator", "RegulatorReading")],
)
async def test_answers_are_as_the_document_describes_them(
    client: Client, redis: Redis, reader: str, name: str
) -> None:
    keep(redis, "p1", NIGHTS, DISTRESS)
    described = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    answer = await read(client, "p1", reader=reader)
    Draft202012Validator(described).validate(answer)
    assert set(answer) == set(SCHEMAS[name]["properties"])


async def test_somebody_who_asked_for_help_is_answered(client: Client, redis: Redis) -> None:
    keep(redis, "p1", NIGHTS, DISTRESS)
    found = await read(client, "p1", reader="player")
    (told,) = found["noticed"]
    assert told.startswith("Thank you for telling us.")


async def test_somebody_who_asked_to_be_excluded_is_answered(client: Client, redis: Redis) -> None:
    keep(redis, "p1", NIGHTS, EXCLUSION)
    found = await read(client, "p1", reader="player")
    (told,) = found["noticed"]
    assert told.startswith("Your request has reached us")
    agent = await read(client, "p1")
    assert agent["counted"][0]["title"] == "The player asks to be excluded"
    assert agent["band"] == "critical"


async def test_of_whom_nothing_has_been_noticed_there_is_nothing_to_tell(
    client: Client, redis: Redis
) -> None:
    redis.hset("tw:players", "p1", b"a record")
    found = await read(client, "p1")
    assert (found["score"], found["band"], found["counted"]) == (0, "low", [])
    # An alert for another audience may be open; that is not known here, and so not denied.
    assert found["text"].endswith("\nNothing is open that counts towards the score.")


async def test_a_drop_over_several_bands_is_told_once(client: Client, redis: Redis) -> None:
    keep(redis, "p1", DISTRESS)
    for reader in ("agent", "regulator"):
        found = await read(client, "p1", reader=reader)
        assert found["lowering"]["bands"] == [
            {"at": "2026-01-03T12:00:00.000Z", "score": 0, "band": "low", "ended": []}
        ]


@pytest.mark.parametrize("player", ["p/1", "p 1", "é", "p%1", "risk"])
async def test_any_player_id_may_be_asked_for(client: Client, redis: Redis, player: str) -> None:
    keep(redis, player, NIGHTS)
    quoted = "".join(f"%{byte:02X}" for byte in player.encode())
    response = await client.get(f"/v1/players/{quoted}/risk")
    assert response.json()["score"] == 14


async def test_nobody_is_told_of_an_unknown_player(client: Client) -> None:
    response = await client.get("/v1/players/somebody/risk")
    assert problem(response) == (404, "unknown-player")
    assert "somebody" not in response.text


@pytest.mark.parametrize(
    ("query", "name"),
    [({"reader": "press"}, "reader"), ({"language": "de"}, "language"), ({"raeder": "agent"}, "raeder")],
)
async def test_wrong_parameters(client: Client, query: dict[str, str], name: str) -> None:
    response = await client.get("/v1/players/p1/risk", params=query)
    assert problem(response) == (400, "invalid-parameter")
    assert [each["name"] for each in response.json()["parameters"]] == [name]


def kept(redis: Redis, player: str) -> Risk:
    found: Any = redis.hget(RISKS, player)
    return msgspec.json.decode(found, type=Risk)


async def test_a_snapshot_outlives_its_detector(valkey: Server, redis: Redis, tmp_path: Path) -> None:
    """What a first detector noticed stands, and a second one goes on from it."""
    rules = load_rules(write_rules(tmp_path))

    def detector() -> EmbeddedDetector:
        return EmbeddedDetector(valkey.url, lambda: Engine(rules), Currencies(), Options(lease_s=1))

    async with serving(valkey.url) as client:
        with running(detector()):
            for n in range(3):
                await post(client, event(f"e{n}", NOW_US - (9 - n) * MINUTE_US, "p1"))
            await asyncio.to_thread(wait_for, lambda: alerts(redis))
        (before,) = kept(redis, "p1").standings
        with running(detector()):
            await post(client, event("e3", NOW_US, "p1"))
            await asyncio.to_thread(wait_for, lambda: kept(redis, "p1").standings != [before])
    (after,) = kept(redis, "p1").standings
    assert (after.opened_us, after.held_us) == (before.opened_us, NOW_US)
    assert before.held_us == before.opened_us == NOW_US - 7 * MINUTE_US


# Who reads what


@pytest.mark.parametrize(
    ("role", "reader", "status"),
    [
        ("platform", "player", 200),
        ("platform", "agent", 403),
        ("platform", "regulator", 403),
        ("agent", "player", 200),
        ("agent", "agent", 200),
        ("compliance", "regulator", 200),
        ("compliance", "player", 403),
        ("analyst", "agent", 403),
        ("admin", "player", 403),
    ],
)
async def test_who_may_read_what(client: Client, redis: Redis, role: Role, reader: str, status: int) -> None:
    keep(redis, "p1", NIGHTS)
    auth = As(client.keys, role)
    answer = await client.get("/v1/players/p1/risk", params={"reader": reader}, auth=auth)
    assert answer.status_code == status
    # Nobody learns from a refusal whether a player is known.
    unknown = await client.get("/v1/players/nobody/risk", params={"reader": reader}, auth=auth)
    assert unknown.status_code == (404 if status == 200 else 403)


async def test_every_view_is_recorded_but_what_a_platform_shows_to_the_player(
    client: Client, redis: Redis
) -> None:
    keep(redis, "p1", NIGHTS)
    keys = client.keys
    readers: tuple[tuple[Role, str], ...] = (("compliance", "regulator"), ("agent", "agent"))
    await client.get("/v1/players/p1/risk", params={"reader": "player"}, auth=As(keys, "platform"))
    await client.get("/v1/players/p1/risk", params={"reader": "agent"})
    await client.get("/v1/players/p1/risk", params={"reader": "regulator"}, auth=As(keys, "compliance"))
    await client.get("/v1/players/nobody/risk")
    found = (await client.get("/v1/audit", params={"action": "player.viewed"})).json()["items"]
    pseudonym = client.app.state.keyring.pseudonym("p1")
    assert [(each["actor"], each["subject"], each["details"]) for each in found] == [
        (f"key:{keys[role].split('_')[1]}", f"player:{pseudonym}", {"reader": reader})
        for role, reader in readers
    ]
