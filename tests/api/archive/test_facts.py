"""What events say of players."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from api.players.facts import Facts
from detector.drivers.valkey import Server
from detector.events.instants import micros
from tests.api.archive.office import Clock, office, put
from tests.drivers.small import DAY_US, MINUTE_US, NOON_US, event

PLACES = "brands:\n  acme: {jurisdiction: CA-ON}\n  west: {jurisdiction: CA-AB}\n"


def said(number: int, type_: str, at_us: int = NOON_US, player: str = "p1", **fields: Any) -> bytes:
    return event(f"e{number}", at_us, player, type_, **fields)


def year(of: int) -> int:
    return micros(datetime(of, 6, 1, tzinfo=UTC))


async def test_of_somebody_unknown_nothing_is_known(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    async with office(valkey.url, tmp_path, store_url, jurisdiction="CA-ON") as each:
        assert await each.facts("p1") == Facts(None, None, None, "unverified")
        assert await each.facts("p\0") == Facts()


async def test_the_newest_event_counts_not_the_last_to_come(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    async with office(valkey.url, tmp_path, store_url) as each:
        put(
            redis,
            said(1, "session_start", brand="acme", jurisdiction="CA-QC"),
            said(2, "player_profile", language="fr"),
        )
        await each.work()
        assert await each.facts("p1") == Facts("CA-QC", "fr", "acme", "unverified")
        put(
            redis,
            said(3, "session_start", NOON_US - MINUTE_US, brand="old", jurisdiction="CA-ON"),
            said(4, "player_profile", NOON_US - MINUTE_US, language="en"),
        )
        await each.work()
        assert await each.facts("p1") == Facts("CA-QC", "fr", "acme", "unverified")
        put(redis, said(5, "player_profile", NOON_US + 1000, language="en", jurisdiction="CA-ON"))
        await each.work()
        assert await each.facts("p1") == Facts("CA-ON", "en", "acme", "unverified")


async def test_one_batch_is_sorted_by_time_too(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    put(
        redis,
        said(1, "player_profile", NOON_US, language="fr"),
        said(2, "player_profile", NOON_US - 1000, language="en"),
        said(3, "player_profile", NOON_US - 1000, "p2", language="en"),
        said(4, "player_profile", NOON_US, "p2", language="fr"),
    )
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        assert (await each.facts("p1")).language == (await each.facts("p2")).language == "fr"


async def test_a_brand_has_a_jurisdiction_and_the_deployment_one_for_the_rest(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    (tmp_path / "places.yml").write_text(PLACES)
    put(
        redis,
        said(1, "session_start", brand="west"),
        said(2, "session_start", player="p2"),
        said(3, "session_start", player="p3", brand="west", jurisdiction="CA-BC"),
    )
    settings: dict[str, Any] = {"places_file": tmp_path / "places.yml"}
    async with office(valkey.url, tmp_path, store_url, jurisdiction="CA-ON", **settings) as each:
        await each.work()
        found = [(await each.facts(player)).jurisdiction for player in ("p1", "p2", "p3")]
        assert found == ["CA-AB", "CA-ON", "CA-BC"]
    async with office(valkey.url, tmp_path, store_url, jurisdiction="CA-QC", **settings) as each:
        await each.work()
        found = [(await each.facts(player)).jurisdiction for player in ("p1", "p2", "p3")]
        assert found == ["CA-AB", "CA-QC", "CA-BC"]


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([{"outcome": "passed"}], "verified"),
        ([{"outcome": "passed", "over_age": True}], "verified"),
        ([{"outcome": "pending"}], "unverified"),
        ([{"outcome": "failed"}], "unverified"),
        ([{"outcome": "passed"}, {"outcome": "failed"}], "unverified"),
        ([{"outcome": "failed"}, {"outcome": "passed"}], "verified"),
        ([{"outcome": "passed", "over_age": False}], "under_age"),
        ([{"outcome": "failed", "over_age": False}], "under_age"),
        ([{"outcome": "passed", "over_age": True}, {"outcome": "pending"}], "unverified"),
        ([{"outcome": "passed", "over_age": False}, {"outcome": "passed"}], "under_age"),
        ([{"outcome": "passed", "over_age": False}, {"outcome": "passed", "over_age": True}], "verified"),
    ],
)
async def test_who_is_verified(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str, checks: list[dict[str, Any]], expected: str
) -> None:
    put(redis, *(said(n, "identity_check", NOON_US + n, **check) for n, check in enumerate(checks)))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        assert (await each.facts("p1")).identity == expected


@pytest.mark.parametrize(
    ("jurisdiction", "born", "passed", "expected"),
    [
        # It is 2026. Who was born in 2007 turns 19 some day of this year.
        ("CA-ON", 2007, None, "under_age"),
        ("CA-ON", 2006, None, "unverified"),
        ("CA-ON", 2007, {}, "under_age"),
        ("CA-ON", 2007, {"over_age": True}, "verified"),  # whoever saw the papers knows the day
        ("CA-ON", 2008, {"over_age": True}, "under_age"),  # and cannot have seen this
        ("CA-QC", 2007, None, "unverified"),
        ("CA-QC", 2008, None, "under_age"),
        (None, 2007, None, "unverified"),
        (None, 2008, None, "under_age"),
        ("US-NJ", 2005, None, "under_age"),
    ],
)
async def test_who_is_of_age_where(
    valkey: Server,
    redis: Redis,
    tmp_path: Path,
    store_url: str,
    jurisdiction: str | None,
    born: int,
    passed: dict[str, Any] | None,
    expected: str,
) -> None:
    where: dict[str, Any] = {} if jurisdiction is None else {"jurisdiction": jurisdiction}
    put(redis, said(1, "player_profile", birth_year=born, **where))
    if passed is not None:
        put(redis, said(2, "identity_check", outcome="passed", **passed))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        assert (await each.facts("p1")).identity == expected


async def test_people_come_of_age_without_any_event(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    clock = Clock(year(2026))
    put(redis, said(1, "player_profile", birth_year=2007, jurisdiction="CA-ON"))
    put(redis, said(2, "identity_check", player="p2", outcome="failed", over_age=False, birth_year=2008))
    async with office(valkey.url, tmp_path, store_url, clock) as each:
        await each.work()
        assert (await each.facts("p1")).identity == "under_age"
        clock.us = year(2027)
        await each.work()
        assert (await each.facts("p1")).identity == "unverified"
        assert (await each.facts("p2")).identity == "under_age"


async def test_moving_somewhere_else_changes_who_is_of_age(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    put(redis, said(1, "player_profile", birth_year=2007, jurisdiction="CA-QC"))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        assert (await each.facts("p1")).identity == "unverified"
        put(redis, said(2, "session_start", NOON_US + DAY_US, jurisdiction="CA-ON"))
        await each.work()
        assert (await each.facts("p1")).identity == "under_age"


async def test_names_that_a_database_cannot_keep_stop_nothing(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    put(
        redis,
        said(1, "session_start", player="p\0", brand="b\0"),
        said(2, "session_start", player="p\ufffd", brand="c"),
        said(3, "session_start", brand="acme"),
    )
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        assert (await each.facts("p1")).brand == "acme"
        assert (await each.facts("p\0")).brand == "c"


async def test_a_player_has_a_pseudonym_from_the_first_event_on(
    valkey: Server, redis: Redis, tmp_path: Path, store_url: str
) -> None:
    from sqlalchemy import select

    from api.players.tables import PlayerFacts

    put(redis, said(1, "session_start"))
    async with office(valkey.url, tmp_path, store_url) as each:
        await each.work()
        async with each.deployment.store.read() as session:
            pseudonym = (await session.execute(select(PlayerFacts.pseudonym))).scalar_one()
        assert pseudonym == each.deployment.keyring.pseudonym("p1")
