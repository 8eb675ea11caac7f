"""A replay that was cut off goes on, and finds what one that was left alone finds."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import zstandard

from detector.drivers import runs
from detector.drivers.checkpoints import open_folder
from detector.drivers.detection import Detection
from detector.drivers.hand import Tally
from detector.drivers.lines import CHUNK, LogReader
from detector.drivers.replay import replay_log
from detector.errors import InputError, StateError
from detector.events.money import Currencies
from detector.language.pack import default_pack, load_pack
from tests.drivers.spoilt import spoilt_log

DETECTION = Detection(load_pack(default_pack()).rules)


class Outcome(NamedTuple):
    alerts: list[bytes]
    letters: list[bytes]
    tally: Tally
    players: int
    lines: int


class CutOffError(Exception):
    """Stands for whatever may end a process."""


@pytest.fixture(scope="module")
def text() -> bytes:
    text = b"\n".join(spoilt_log(9_000, seed=3)) + b"\n"
    assert len(text) > 6 * CHUNK
    return text


@pytest.fixture(scope="module")
def expected(text: bytes, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    path = tmp_path_factory.mktemp("whole") / "log.jsonl"
    path.write_bytes(text)
    letters: list[bytes] = []
    with LogReader(str(path)) as log, replay_log(log, DETECTION, dead=letters.append) as found:
        assert sum(found.tally.alerts.values()) > 20
        return Outcome(list(found.alerts()), letters, _plain(found.tally), found.players, found.lines)


def _plain(tally: Tally) -> Tally:
    tally.counts = {name: n for name, n in tally.counts.items() if n}
    return tally


def run(
    path: Path, home: Path, *, cut_after: int = 0, jobs: int = 1, detection: Detection = DETECTION
) -> Outcome:
    """Replay with a checkpoint after every chunk; cut off once so many chunks are done, none: to the end."""
    chunks = 0

    def cut(_: int) -> None:
        nonlocal chunks
        chunks += 1
        if chunks == cut_after:
            raise CutOffError

    with (
        LogReader(str(path)) as log,
        open_folder(home, detection.terms()) as folder,
        replay_log(
            log, detection, jobs=jobs, folder=folder, every_s=0, dead=folder.bury, progress=cut
        ) as found,
    ):
        alerts, letters = list(found.alerts()), list(folder.buried())
        return Outcome(alerts, letters, _plain(found.tally), found.players, found.lines)


@pytest.mark.parametrize("form", ["plain", "gzip", "zstd"])
def test_cut_off_again_and_again(text: bytes, expected: Outcome, tmp_path: Path, form: str) -> None:
    log, home = tmp_path / "log", tmp_path / "home"
    packers: dict[str, Callable[[bytes], bytes]] = {
        "plain": bytes,
        "gzip": gzip.compress,
        "zstd": zstandard.ZstdCompressor().compress,
    }
    log.write_bytes(packers[form](text))
    for chunks in (1, 2, 1):
        with pytest.raises(CutOffError):
            run(log, home, cut_after=chunks)
    assert run(log, home) == expected
    # What is found can be had again, without all the work.
    assert run(log, home) == expected


def test_with_other_numbers_of_processes(text: bytes, expected: Outcome, tmp_path: Path) -> None:
    log, home = tmp_path / "log.jsonl", tmp_path / "home"
    log.write_bytes(text)
    for jobs in (2, 1):
        with pytest.raises(CutOffError):
            run(log, home, cut_after=2, jobs=jobs)
    assert run(log, home, jobs=2) == expected


def test_nobody_else_may_read_what_lies_in_the_folder(text: bytes, tmp_path: Path) -> None:
    log, home = tmp_path / "log.jsonl", tmp_path / "home"
    log.write_bytes(text)
    before = os.umask(0o022)
    try:
        with pytest.raises(CutOffError):
            run(log, home, cut_after=2)
        (home / "dead.jsonl").chmod(0o644)
        run(log, home)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir() if path.stat().st_size}
    assert {"dead.jsonl", "replay.state"} < modes.keys()
    assert set(modes.values()) == {0o600}


def test_what_came_after_the_last_checkpoint_is_forgotten(
    text: bytes, expected: Outcome, tmp_path: Path
) -> None:
    log, home = tmp_path / "log.jsonl", tmp_path / "home"
    log.write_bytes(text)
    with pytest.raises(CutOffError):
        run(log, home, cut_after=2)
    with (home / "dead.jsonl").open("ab") as dead:
        dead.write(b'{"line": 7')
    (home / "replay-half.run").write_bytes(b"\x40\x00")
    assert run(log, home) == expected
    assert not (home / "replay-half.run").exists()


def test_a_log_may_grow_in_the_meantime(text: bytes, expected: Outcome, tmp_path: Path) -> None:
    log, home = tmp_path / "log.jsonl", tmp_path / "home"
    log.write_bytes(text[: 3 * CHUNK + 1234])
    run(log, home)
    log.write_bytes(text)
    assert run(log, home) == expected


def test_a_log_may_not_change(text: bytes, tmp_path: Path) -> None:
    log, home = tmp_path / "log.jsonl", tmp_path / "home"
    log.write_bytes(text)
    with pytest.raises(CutOffError):
        run(log, home, cut_after=3)
    place = text.index(b'"stake":') + 8
    log.write_bytes(text[:place] + (b"7" if text[place:][:1] != b"7" else b"8") + text[place + 1 :])
    with pytest.raises(InputError, match="a log may grow, not change"):
        run(log, home)
    log.write_bytes(text[:CHUNK])
    with pytest.raises(InputError, match="a log may grow, not change"):
        run(log, home)


def test_nothing_else_may_change_either(text: bytes, tmp_path: Path) -> None:
    log, home = tmp_path / "log.jsonl", tmp_path / "home"
    log.write_bytes(text)
    with pytest.raises(CutOffError):
        run(log, home, cut_after=2)
    first, *others = DETECTION.rules
    fewer = dataclasses.replace(DETECTION, rules=others)
    with pytest.raises(InputError, match="rules changed"):
        run(log, home, detection=fewer)
    worded = dataclasses.replace(DETECTION, rules=[dataclasses.replace(first, title="Another"), *others])
    with pytest.raises(InputError, match="rules changed"):
        run(log, home, detection=worded)
    richer = dataclasses.replace(DETECTION, currencies=Currencies({"BTC": 8}))
    with pytest.raises(InputError, match="currencies changed"):
        run(log, home, detection=richer)
    elsewhere = dataclasses.replace(first, path="elsewhere.yml")
    with pytest.raises(CutOffError):
        run(log, home, cut_after=1, detection=dataclasses.replace(DETECTION, rules=[elsewhere, *others]))


def test_only_a_folder_of_its_own_will_do(text: bytes, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(text)
    with pytest.raises(InputError, match="holds other things"):
        run(log, tmp_path)
    home = tmp_path / "home"
    with open_folder(home, {}), pytest.raises(InputError, match="another replay is at work"):
        run(log, home)


def test_a_damaged_folder_is_told_in_one_line(text: bytes, tmp_path: Path) -> None:
    log, home = tmp_path / "log.jsonl", tmp_path / "home"
    log.write_bytes(text)
    with pytest.raises(CutOffError):
        run(log, home, cut_after=2)
    for path in home.glob("*.players"):
        path.write_bytes(path.read_bytes()[:-1])
    for jobs in (1, 2):
        with pytest.raises(StateError, match="cut short"):
            run(log, home, jobs=jobs)
    (home / "replay.state").write_bytes(b"\x93")
    with pytest.raises(StateError, match="damaged"):
        run(log, home)


def test_a_full_disk_is_told_in_one_line(
    text: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    log, home = tmp_path / "log.jsonl", tmp_path / "home"
    log.write_bytes(text)
    with pytest.raises(CutOffError):
        run(log, home, cut_after=2)
    before = {path.name for path in home.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(InputError, match="No space left"):
            run(log, home)
    assert {path.name for path in home.iterdir()} == before


def test_many_alerts_lie_in_files_and_come_out_in_order(
    text: bytes, expected: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MOST_HELD", 3)
    monkeypatch.setattr(runs, "MOST_RUNS", 4)
    log = tmp_path / "log.jsonl"
    log.write_bytes(text)
    assert run(log, tmp_path / "home") == expected
