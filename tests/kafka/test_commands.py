"""What workers are told, and the sets of rules they make of it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from detector.drivers.kafka.commands import Commands, Library
from detector.drivers.kafka.connection import Connection
from detector.drivers.kafka.topics import COMMANDS
from detector.drivers.rulesets import id_of, rule_set_files, rule_set_id
from detector.errors import InputError, TiltwatchError
from detector.events.money import Currencies
from detector.players.player import LONG_AGO
from tests.brokers import Broker
from tests.drivers.small import write_rules
from tests.kafka.workers import read_all

CURRENCIES = Currencies()


def folder_of(home: Path, title: str | None = None) -> Path:
    """A folder with a set of rules, told from others by a title."""
    home.mkdir()
    write_rules(home)
    if title is not None:
        rule = home / "third-deposit.yml"
        rule.write_text(rule.read_text().replace("Three deposits in an hour", title))
    return home


def texts(folder: Path) -> dict[str, str]:
    """A set's files, as a command has them."""
    return {name: data.decode() for name, data in rule_set_files(folder).items()}


def set_of(files: dict[str, str]) -> str:
    return id_of({name: text.encode() for name, text in files.items()})


def commands_of(kafka: Broker, home: Path) -> Commands:
    connection = Connection((kafka.servers,), check_crcs=kafka.check_crcs)
    return Commands(connection, Library(home, CURRENCIES), lambda: 1)


@asynccontextmanager
async def following(kafka: Broker, home: Path, folder: Path, worker: str) -> AsyncIterator[Commands]:
    """What a worker knows of commands while it runs."""
    found = commands_of(kafka, home)
    await found.start(folder, worker)
    follow = asyncio.create_task(found.follow())
    try:
        yield found
    finally:
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)
        await found.stop()


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


def tell(kafka: Broker, key: str, **command: object) -> None:
    kafka.put(COMMANDS, (key, json.dumps(command).encode()))


def tell_rules(kafka: Broker, folder: Path) -> str:
    files = texts(folder)
    tell(kafka, f"rules:{set_of(files)}", kind="rules", set=set_of(files), files=files, by="me", at=1)
    return set_of(files)


# The first set


async def test_the_first_worker_names_the_first_set_and_the_others_take_it(
    kafka: Broker, tmp_path: Path
) -> None:
    kafka.create_ours()
    ours, theirs = folder_of(tmp_path / "ours"), folder_of(tmp_path / "theirs", "Another")
    async with following(kafka, tmp_path / "a", ours, "w1") as first:
        assert first.latest is not None
        assert (first.latest.set, first.latest.effective_from) == (rule_set_id(ours), LONG_AGO)
        async with following(kafka, tmp_path / "b", theirs, "w2") as second:
            assert second.latest == first.latest
    told = [(each.key, json.loads(each.value or b"")) for each in await read_all(kafka, COMMANDS)]
    assert [(key, each["kind"], each["by"]) for key, each in told] == [
        (f"rules:{rule_set_id(ours)}".encode(), "rules", "w1"),
        (b"activate", "activate", "w1"),
    ]
    assert told[0][1]["files"] == texts(ours)


async def test_of_workers_that_begin_at_once_all_agree(kafka: Broker, tmp_path: Path) -> None:
    kafka.create_ours()
    names = [f"w{number}" for number in range(3)]
    folders = {name: folder_of(tmp_path / f"{name}-rules", name) for name in names}
    made = {name: commands_of(kafka, tmp_path / name) for name in names}
    try:
        await asyncio.gather(*(each.start(folders[name], name) for name, each in made.items()))
        latest = {each.latest.set for each in made.values() if each.latest is not None}
        assert len(latest) == 1
        # Those who come when the topic has been compacted hear the same.
        told = [json.loads(each.value or b"") for each in await read_all(kafka, COMMANDS)]
        assert [each["set"] for each in told if each["kind"] == "activate"][-1] in latest
    finally:
        await asyncio.gather(*(each.stop() for each in made.values()))


async def test_a_set_that_cannot_be_used_is_not_named(kafka: Broker, tmp_path: Path) -> None:
    kafka.create_ours()
    broken = folder_of(tmp_path / "broken")
    (broken / "third-deposit.yml").write_text("id: third-deposit\nwhen: nothing\n")
    commands = commands_of(kafka, tmp_path / "a")
    try:
        with pytest.raises(TiltwatchError):
            await commands.start(broken, "w1")
    finally:
        await commands.stop()
    assert await read_all(kafka, COMMANDS) == []


# What comes later


async def test_what_cannot_be_read_is_passed_over_and_the_rest_is_counted(
    kafka: Broker, tmp_path: Path, log: io.StringIO
) -> None:
    kafka.create_ours()
    other = folder_of(tmp_path / "other", "Another")
    async with following(kafka, tmp_path / "a", folder_of(tmp_path / "rules"), "w1") as commands:
        for value in (b"{secret", b'{"kind":"nobody"}', b"\xff", None, b'{"kind":"activate","set":1}'):
            kafka.put(COMMANDS, ("x", value))
        more = {"alert": "a1", "player": "p1", "by": "me", "at": 1}
        tell(kafka, "verdict:a1", kind="verdict", verdict="helpful", **more)
        tell(kafka, "snooze:a1", kind="snooze", until="2026-02-01T00:00:00Z", **more)
        wanted = tell_rules(kafka, other)
        tell(kafka, "activate", kind="activate", set=wanted, effective_from=77, by="me", at=1)
        await until(lambda: commands.counts["activate"] == 2)
        assert commands.counts == {"rules": 2, "activate": 2, "verdict": 1, "snooze": 1}
        assert commands.latest is not None
        assert (commands.latest.set, commands.latest.effective_from) == (wanted, 77)
    lines = log.getvalue().splitlines()
    assert sum("a command cannot be read" in line for line in lines) == 5
    assert not any("secret" in line for line in lines)


# Sets


def test_a_set_is_made_of_its_files(tmp_path: Path) -> None:
    files = texts(folder_of(tmp_path / "rules"))
    library = Library(tmp_path / "kept", CURRENCIES)
    library.add(set_of(files), files)
    assert set_of(files) in library
    assert {rule.id for rule in library.get(set_of(files)).rules} == {
        "third-deposit",
        "third-in-shadow",
        "quiet-hour",
    }
    # It lies there already when the worker starts again.
    again = Library(tmp_path / "kept", CURRENCIES)
    again.add(set_of(files), files)
    assert set_of(files) in again


@pytest.mark.parametrize(
    "name", ["../outside.yml", "/outside.yml", "a/../../outside.yml", "a\0b.yml", "", "a" * 300 + ".yml"]
)
def test_a_file_lies_in_the_folder_of_its_set(tmp_path: Path, name: str) -> None:
    files = texts(folder_of(tmp_path / "rules")) | {name: "outside"}
    library = Library(tmp_path / "kept", CURRENCIES)
    library.add(set_of(files), files)
    assert set_of(files) in library.refused
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_text() == "outside"]


def test_what_is_not_as_its_id_says_is_refused(tmp_path: Path) -> None:
    files = texts(folder_of(tmp_path / "rules"))
    library = Library(tmp_path / "kept", CURRENCIES)
    for set_id in (f"rs_{'0' * 32}", "../outside"):
        library.add(set_id, files)
        assert set_id in library.refused
        with pytest.raises(InputError, match=COMMANDS):
            library.get(set_id)
    assert not (tmp_path / "kept").exists()


def test_rules_that_do_not_pass_are_refused_without_a_word_of_them(tmp_path: Path, log: io.StringIO) -> None:
    for text in ("id: SECRET\n", "SECRET: [", "\x01SECRET"):
        files = texts(folder_of(tmp_path / f"rules{len(text)}")) | {"third-deposit.yml": text}
        library = Library(tmp_path / "kept", CURRENCIES)
        library.add(set_of(files), files)
        assert library.refused == {set_of(files): "its rules cannot be read"}
    assert "SECRET" not in log.getvalue()
