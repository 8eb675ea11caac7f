"""What a deployment says of its currencies, rates and places holds from the door to the alert."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from typer.testing import CliRunner

from api.cli import app
from api.detecting import make_detector
from api.settings import Settings
from detector.drivers.valkey import Server
from detector.errors import TiltwatchError
from tests.api.serving import NOW_US, post, serving
from tests.drivers.small import DAY_US, MINUTE_US, alerts, catch_up, event, read, running

RULE = """\
id: {id}
version: 1
status: live
title: Told by hand
category: deposits
audience: risk
severity: high
why: Told by hand.
sources: ["none"]
trigger: deposit
let:
  told: {let}
when: {when}
cooldown: 1h
explain: "{{told}}"
respond: L1
"""
NIGHT = RULE.format(id="by-night", let="count(deposit) where local_hour < 5 over 1d", when="told >= 1")
MUCH = RULE.format(id="much-money", let="sum(deposit.amount) over 1d", when="told >= 100 CAD")
COINS = RULE.format(id="many-coins", let="sum(deposit.amount) over 1d", when="told >= 0.5 BTC")

TWO_AT_NIGHT_US = NOW_US - 10 * 60 * MINUTE_US  # 02:00 UTC, 21:00 in Toronto the day before


async def found(
    valkey: Server, redis: Redis, settings: Settings, events: Sequence[bytes]
) -> list[tuple[str, str]]:
    """Rule and player of each alert that comes of events sent to a service with these settings."""
    async with serving(valkey.url, settings) as client:
        report = await post(client, b"\n".join(events), "application/x-ndjson")
        assert report.json()["accepted"] == len(events), report.text
    entries: Any = redis.xrevrange("tw:events", count=1)
    with running(make_detector(settings, valkey.url)):
        await asyncio.to_thread(catch_up, redis, entries[0][0])
    assert not read(redis, "tw:dead")
    return [(each["rule"].partition("@")[0], each["player"]) for each in alerts(redis)]


def replayed(settings: Settings, events: Sequence[bytes], folder: Path) -> list[tuple[str, str]]:
    """The same by `tiltwatch replay` with the same environment."""
    (folder / "log.jsonl").write_bytes(b"\n".join(events))
    environment = {
        "TILTWATCH_CURRENCIES": json.dumps(settings.currencies),
        "TILTWATCH_RATES_FILE": str(settings.rates_file or ""),
        "TILTWATCH_PLACES_FILE": str(settings.places_file or ""),
        "TILTWATCH_JURISDICTION": settings.jurisdiction or "",
    }
    out = folder / "alerts.jsonl"
    command = ["replay", str(folder / "log.jsonl"), "--rules", str(settings.rules_dir), "--alerts", str(out)]
    result = CliRunner().invoke(app, command, env=environment)
    assert result.exit_code == 0, result.output
    alerts = [json.loads(line) for line in out.read_text().splitlines()]
    return [(each["rule"].partition("@")[0], each["player"]) for each in alerts]


def chosen(folder: Path, rule: str, **more: Any) -> Settings:
    rules = folder / "rules"
    rules.mkdir()
    (rules / f"{rule.partition(chr(10))[0].removeprefix('id: ')}.yml").write_text(rule)
    return Settings(rules_dir=rules, **more)


PLACES = """\
brands:
  acme: {jurisdiction: CA-ON}
  nordlys: {zone: Europe/Oslo}
"""


@pytest.mark.parametrize(
    ("jurisdiction", "players"),
    [
        # In UTC, and so in Oslo at 03:00, it is night for everybody of whom nothing else is known.
        (None, ["nobody", "odd", "oslo"]),
        ("CA-ON", ["oslo"]),
        ("GB", ["nobody", "odd", "oslo"]),
    ],
)
async def test_night_is_where_the_player_is(
    valkey: Server, redis: Redis, tmp_path: Path, jurisdiction: str | None, players: list[str]
) -> None:
    (tmp_path / "places.yml").write_text(PLACES)
    settings = chosen(tmp_path, NIGHT, places_file=tmp_path / "places.yml", jurisdiction=jurisdiction)
    where = {
        "nobody": {},
        "odd": {"jurisdiction": "XX"},
        "here": {"jurisdiction": "CA-ON"},
        "toronto": {"brand": "acme"},
        "oslo": {"brand": "nordlys", "jurisdiction": "CA-ON"},
    }
    log = [event(player, TWO_AT_NIGHT_US, player, **place) for player, place in where.items()]
    expected = [("by-night", player) for player in players]
    assert await found(valkey, redis, settings, log) == expected
    assert sorted(replayed(settings, log, tmp_path)) == expected


async def test_a_profile_comes_before_all_that_is_set(valkey: Server, redis: Redis, tmp_path: Path) -> None:
    settings = chosen(tmp_path, NIGHT, jurisdiction="CA-ON")
    profile = event("a", TWO_AT_NIGHT_US, "p1", "player_profile", timezone="Europe/London")
    log = [profile, event("b", TWO_AT_NIGHT_US + MINUTE_US, "p1"), event("c", TWO_AT_NIGHT_US, "p2")]
    assert await found(valkey, redis, settings, log) == [("by-night", "p1")]


async def test_money_of_other_currencies_at_the_rate_of_its_day(
    valkey: Server, redis: Redis, tmp_path: Path
) -> None:
    (tmp_path / "rates.csv").write_text("date,from,to,rate\n2026-01-01,EUR,CAD,1.5\n")
    settings = chosen(tmp_path, MUCH, rates_file=tmp_path / "rates.csv")
    log = [
        event("a", NOW_US, "p1", amount=7_000, currency="EUR"),
        event("a", NOW_US, "p2", amount=6_000, currency="EUR"),
        event("a", NOW_US - DAY_US, "p3", amount=7_000, currency="EUR"),
    ]
    assert await found(valkey, redis, settings, log) == [("much-money", "p1")]
    assert replayed(settings, log, tmp_path) == [("much-money", "p1")]


async def test_a_currency_of_the_deployments_own(valkey: Server, redis: Redis, tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("date,from,to,rate\n2026-01-01,BTC,CAD,120000\n")
    settings = chosen(tmp_path, COINS, currencies={"BTC": 8}, rates_file=tmp_path / "rates.csv")
    log = [
        event("a", NOW_US, "p1", amount=50_000_000, currency="BTC"),
        event("a", NOW_US, "p2", amount=49_999_999, currency="BTC"),
        event("a", NOW_US, "p3", amount=6_000_000, currency="CAD"),
    ]
    expected = [("many-coins", "p1"), ("many-coins", "p3")]
    assert await found(valkey, redis, settings, log) == expected
    assert replayed(settings, log, tmp_path) == expected


async def test_a_currency_nobody_declared_is_refused(valkey: Server, redis: Redis) -> None:
    async with serving(valkey.url) as client:
        report = await post(client, event("a", currency="BTC"))
    assert report.json()["results"][0]["reason"] == "unknown_currency"
    assert redis.xlen("tw:events") == 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"jurisdiction": "CA-OM"}, 'did you mean "CA-'),
        ({"places_file": "places.yml"}, "places.yml:2:16: "),
        ({"rates_file": "rates.csv"}, "rates.csv:1: "),
        ({"brand_zones": {"acme": "Mars"}}, "is no time zone"),
    ],
)
def test_what_cannot_be_used_is_told_at_the_start(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    (tmp_path / "places.yml").write_text("brands:\n  acme: {zone: Mars}\n")
    (tmp_path / "rates.csv").write_text("")
    for name in ("places_file", "rates_file"):
        if name in more:
            more = more | {name: tmp_path / more[name]}
    with pytest.raises(TiltwatchError) as caught:
        make_detector(chosen(tmp_path, NIGHT, **more), "unix:///nobody/listens/here")
    assert says in str(caught.value)
