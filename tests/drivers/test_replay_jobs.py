"""Several processes find what one finds: the same alerts, dead letters and counts, byte for byte."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from detector.drivers.detection import Detection
from detector.drivers.hand import Report, Tally
from detector.drivers.lines import CHUNK, LogReader
from detector.drivers.replay import replay, replay_log
from detector.drivers.shares import KEPT, Splitter, owner
from detector.drivers.worker import TAKE, Remote
from detector.engine.engine import GRACE_US
from detector.errors import StateError
from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies
from detector.events.vocabulary import Tick
from detector.language.pack import default_pack, load_pack
from tests.drivers.spoilt import spoilt_log

RULES = load_pack(default_pack()).rules


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "log.jsonl"
    path.write_bytes(b"\n".join(spoilt_log(12_000)))
    assert path.stat().st_size > 6 * CHUNK, "too short for time to pass on the way"
    return path


class Outcome(NamedTuple):
    alerts: list[bytes]
    letters: list[bytes]
    tally: Tally
    players: int
    lines: int


def outcome(log: Path, jobs: int) -> Outcome:
    letters: list[bytes] = []
    with (
        LogReader(str(log)) as reader,
        replay_log(reader, Detection(RULES), jobs=jobs, dead=letters.append) as found,
    ):
        tally = found.tally
        tally.counts = {name: n for name, n in tally.counts.items() if n}
        return Outcome(list(found.alerts()), letters, tally, found.players, found.lines)


@pytest.mark.parametrize("jobs", [2, 3])
def test_however_many_share_the_players(log: Path, jobs: int) -> None:
    alone = outcome(log, 1)
    assert len(alone.alerts) > 25
    assert {"conflict", "duplicate_key", "not_json", "missing_field"} <= alone.tally.refused.keys()
    assert {"late", "repeated", "undone", "cancelled"} <= alone.tally.counts.keys()
    assert outcome(log, jobs) == alone


def test_the_owner_of_every_line_is_its_players(log: Path) -> None:
    """What the splitter takes for the player of a line is the player that decoding finds."""
    decoder, splitter = Decoder(Currencies()), Splitter(7, Currencies(), GRACE_US)
    seen = {"fast": 0, "kept": 0}
    with LogReader(str(log)) as reader:
        for lines in reader.chunks():
            # By the chunk, and by the few, so that the proof for a whole chunk is tried both ways.
            for start in range(0, len(lines), 3):
                few = lines[start : start + 3]
                split = splitter.split(few, 1)
                for raw, to in zip(few, split.routes, strict=True):
                    event = decoder.decode(raw)
                    if isinstance(event, Refusal):
                        continue
                    if isinstance(event, Tick):
                        assert to == KEPT
                        seen["kept"] += 1
                    else:
                        assert to == owner(event.player, 7), raw
                        seen["fast"] += 1
                assert splitter.split(few, 1).routes == split.routes
            whole = splitter.split(lines, 1)
            assert [len(share) for share in whole.shares] == [whole.routes.count(n) for n in range(7)]
    assert min(seen.values()) > 50


def test_a_worker_that_is_killed_is_told_in_one_line(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from detector.drivers.crew import Several

    taken = Several.take

    def take_and_kill(self: Several, lines: list[bytes], first: int, until_us: int) -> None:
        taken(self, lines, first, until_us)
        self._workers[0].kill()

    monkeypatch.setattr(Several, "take", take_and_kill)
    with LogReader(str(log)) as reader, pytest.raises(StateError, match="fewer --jobs"):
        replay(reader, RULES, jobs=2)


def test_a_worker_that_fails_says_where(tmp_path: Path) -> None:
    worker = Remote(Detection(RULES), tmp_path, 0, 2, keep_records=False, all_alerts=False, stored=None)
    with closing(worker):
        worker.send(TAKE + b"no share of a log")
        with pytest.raises(StateError, match=r"failed in worker.py:\d+ _answer .*: a bug"):
            worker.hear(msgspec.msgpack.Decoder(Report))


def test_a_log_may_be_empty_or_of_one_player(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    assert outcome(empty, 2) == outcome(empty, 1)
