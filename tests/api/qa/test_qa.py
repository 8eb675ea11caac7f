"""`tiltwatch qa`: green on a system that works, on each kind of database, and red on one that is broken."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.console import Console

from api.demo.keys import EVERYBODY
from api.embedded import Embedded
from api.qa import account, desk, proof, referral, scenario
from api.qa.running import Row, do
from api.qa.scene import Check, NotReached, Scene
from api.qa.system import System, dead_letters, free_port, parts, system
from api.qa.table import WIDTH, show
from api.settings import Settings
from detector.bench.service import COMMAND
from detector.errors import StateError

Parts = tuple[Settings, Embedded]


@asynccontextmanager
async def on_stage(started: Parts, patience_s: float = 30.0) -> AsyncIterator[tuple[Scene, System]]:
    settings, running = started
    async with (
        system(settings, running) as found,
        scenario.scene(
            found.url,
            found.keys,
            patience_s=patience_s,
            dead_letters=lambda: dead_letters(running.redis_url),
        ) as made,
    ):
        yield made, found


def failed(rows: list[Row]) -> dict[str, str]:
    return {row.what: f"{row.expected} != {row.seen}" for row in rows if not row.passed}


async def test_everything_passes_on_each_database(store_url: str) -> None:
    told: list[Row] = []
    with parts(database_url=store_url, learn=False) as started:
        async with on_stage(started) as (made, _):
            rows = await scenario.play(made, told.append)
    assert failed(rows) == {}
    assert told == rows
    assert len(rows) == sum(map(len, scenario.PARTS.values()))


# Broken systems; each in one of its parts, so that the steps which see it fail and no others.


@pytest.fixture(scope="module")
def started() -> Iterator[Parts]:
    """Everything but the service, and the trainer, which takes seconds to begin and has no part in this."""
    with parts(learn=False) as each:
        yield each


OPENING = {"opening": scenario.PARTS["opening"]}


async def test_a_partner_that_takes_nothing_shows(started: Parts) -> None:
    steps = [account.open_accounts, referral.press_help, referral.agree, referral.reach_the_partner]
    async with on_stage(started) as (made, _):
        assert failed(await scenario.play(made, lambda _: None, OPENING)) == {}
        await made.aid.practise(mood="500")
        made.patience_s = 5.0
        rows = await do(
            "down", [*steps, referral.show_the_link, proof.deliver_everything], made, lambda _: None
        )
        assert [row.passed for row in rows] == [True, True, True, False, False, False]
        assert rows[3].seen == "received: 0"


async def test_a_platform_that_checks_with_another_key_shows(started: Parts) -> None:
    steps = [account.open_accounts, account.say_words_of_distress, desk.tell_the_platform, desk.carry_it_out]
    async with on_stage(started) as (made, _):
        assert failed(await scenario.play(made, lambda _: None, OPENING)) == {}
        made.platform.keys = [made.kept("partner")["signing_keys"][0]]
        made.patience_s = 5.0
        rows = await do("desk", steps, made, lambda _: None)
        assert [row.passed for row in rows] == [True, True, False, False]
        assert made.platform.refused


async def test_a_key_that_opens_nothing_shows_in_every_row(started: Parts) -> None:
    settings, running = started
    async with system(settings, running) as found:
        keys = dict.fromkeys(found.keys, "tw_000000000000_" + "a" * 43)
        async with scenario.scene(found.url, keys, patience_s=0.1) as made:
            rows = await scenario.play(made, lambda _: None)
    # That it is ready it says to anybody.
    assert [row.what for row in rows if row.passed] == ["The service is ready"]
    assert len(rows) == sum(map(len, scenario.PARTS.values())) - len(scenario.INSIDE)


async def test_a_service_that_is_not_there_fails_every_row() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with scenario.scene(url, dict.fromkeys(EVERYBODY, "-"), patience_s=0.1) as made:
        rows = await scenario.play(made, lambda _: None)
    assert not any(row.passed for row in rows)
    assert rows[0].seen == "ClientConnectorError"


# Steps, and how they are told


async def seven(_: Scene) -> Check:
    """Seven is seven.

    Always.
    """
    return Check(7, 7)


async def eight(_: Scene) -> Check:
    """Seven is eight."""
    return Check({"b": 1, "a": 8}, {"b": 1, "a": 7})


async def behind(_: Scene) -> Check:
    """It goes on from there."""
    raise NotReached("place to go on from")


async def broken(_: Scene) -> Check:
    """It reads what is not there."""
    nothing: dict[str, int] = {}
    return Check(1, nothing["nothing"])


async def refused(_: Scene) -> Check:
    """It cannot be tried."""
    raise StateError("the aid organisation is on holiday")


def nobody() -> Scene:
    found: Scene = object.__new__(Scene)
    return found


async def test_a_step_ends_in_one_row_whatever_happens() -> None:
    steps = [seven, eight, behind, broken, refused]
    rows = await do("part", steps, nobody(), lambda _: None)
    assert [(row.what, row.passed) for row in rows] == [
        ("Seven is seven", True),
        ("Seven is eight", False),
        ("It goes on from there", False),
        ("It reads what is not there", False),
        ("It cannot be tried", False),
    ]
    assert [row.seen for row in rows] == [
        "7",
        "b: 1; a: 7",
        "not tried: there is no place to go on from",
        "KeyError",
        "the aid organisation is on holiday",
    ]


async def test_the_table_tells_what_was_expected_and_seen() -> None:
    rows = await do("part", [seven, eight], nobody(), lambda _: None)
    out = io.StringIO()
    show(rows, Console(file=out, width=WIDTH))
    text = out.getvalue()
    assert "Seven is eight" in text
    assert "FAILED" in text
    assert "b: 1; a: 8" in text
    assert "1 passed, 1 failed" in text


# The command


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, "qa", *arguments], capture_output=True, text=True, timeout=300)


def test_the_command_starts_a_system_and_all_passes() -> None:
    ended = run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " 0 failed" in ended.stdout
    assert ended.stderr == ""


async def test_a_sandbox_that_runs_already_can_be_tried_twice(started: Parts, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    async with system(*started) as found:
        keys.write_text(json.dumps(dict(found.keys)))
        for _ in range(2):
            process = await asyncio.create_subprocess_exec(
                COMMAND, "qa", "--url", found.url, "--keys", keys, stdout=subprocess.PIPE
            )
            told, _ = await process.communicate()
            assert process.returncode == 0, told.decode()
    assert " 0 failed" in told.decode()


def test_the_command_exits_with_1_where_anything_failed(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(dict.fromkeys(("platform", "agent", "compliance", "admin"), "-")))
    ended = run("--url", f"http://127.0.0.1:{free_port()}", "--keys", keys, "--patience", "1")
    assert ended.returncode == 1
    assert "\n0 passed" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--url", "http://127.0.0.1:1"], "--url and --keys belong together"),
        (["--url", "http://127.0.0.1:1", "--keys", "nowhere.json"], "nowhere.json"),
        (
            ["--url", "http://127.0.0.1:1", "--keys", "nowhere.json", "--database", "sqlite:///x"],
            "--database",
        ),
    ],
)
def test_what_is_used_wrongly_is_told(arguments: list[str], told: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert told in ended.stderr
