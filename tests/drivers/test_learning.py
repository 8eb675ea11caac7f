"""What a log tells those who learn: the same, in the same order, however it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from detector.drivers.detection import Detection
from detector.drivers.learning import heard_of, samples_of, told
from detector.drivers.lines import LogReader
from detector.drivers.shard import Shard
from detector.engine.judging import Effects
from detector.language.pack import default_pack, load_pack
from detector.simulator import Config, events
from models.ordering import SETTLED_US
from models.sample import Flag, Label, Sample
from tests.drivers.learned import CATALOGUE, scorecard

DETECTION = Detection(
    [rule for rule in load_pack(default_pack()).rules if rule.status == "live"],
    catalogue=CATALOGUE,
    scorecards=[(0, scorecard())],
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("learning") / "log.jsonl"
    lines = list(events(Config(players=12, days=20, late=0.1)))
    last = json.loads(lines[-1])
    for number, topic in enumerate(("distress", "other")):
        at = datetime(2026, 1, 9, tzinfo=UTC).isoformat()
        contact = {"type": "contact", "id": f"c{number}", "source": "t", "player": last["player"], "ts": at}
        lines.insert(len(lines) // 2, json.dumps(contact | {"topic": topic}).encode())
    path.write_bytes(b"".join(line + b"\n" for line in [*lines, b"no event"]))
    return path


class InPieces(LogReader):
    """A log that is read a few lines at a time."""

    few: int | None = None

    def chunks(self) -> Iterator[list[bytes]]:
        for lines in super().chunks():
            size = self.few or len(lines) or 1
            for start in range(0, len(lines), size):
                yield lines[start : start + size]


def read(log: Path, few: int | None) -> list[Sample | Label]:
    reader = InPieces(str(log))
    reader.few = few
    with reader:
        return list(samples_of(reader, DETECTION))


def test_however_a_log_is_read_it_tells_the_same_in_the_same_order(log: Path) -> None:
    whole = read(log, None)
    assert {type(each) for each in whole} == {Sample, Label}
    assert any(each.rules > 0 for each in whole if isinstance(each, Sample))
    assert all(each.scores.keys() for each in whole if isinstance(each, Sample))
    assert [each.at for each in whole] == sorted(each.at for each in whole)
    for few in (37, 1_000):
        assert read(log, few) == whole


def test_nothing_comes_up_later_than_it_is_waited_for(log: Path) -> None:
    """Though a whole log may come in one batch, of which all moments are judged at its end."""
    with LogReader(str(log)) as reader:
        heard = list(heard_of(reader, DETECTION))
    high = 0
    for each in heard:
        # Labels come in with their events, and these may be late.
        if not isinstance(each, Label):
            assert each.at >= high - SETTLED_US
            high = max(high, each.at)
    assert any(isinstance(each, Flag) for each in heard)


def test_only_alerts_on_risk_are_flags(log: Path) -> None:
    shard = Shard(DETECTION)
    with LogReader(str(log)) as reader:
        for chunk in reader.chunks():
            shard.take(chunk, lambda place: place, [])
    shard.engine.finish()
    effects = shard.engine.take()
    assert effects.samples == [], "samples are kept only for who learns"
    first, *others = effects.alerts
    asked = Effects(alerts=[msgspec.structs.replace(first, audience="operations"), *others])
    flags = [each for each in told(asked) if isinstance(each, Flag)]
    risky = [each for each in others if each.audience == "risk"]
    assert sorted(each.score for each in flags) == sorted(each.score for each in risky)
    assert list(told(Effects())) == []


def test_a_flag_stays_with_the_samples_that_follow_it(log: Path) -> None:
    found = read(log, None)
    mine: dict[str, list[Sample]] = {}
    for each in found:
        if isinstance(each, Sample):
            mine.setdefault(each.player, []).append(each)
    flagged = next(rows for rows in mine.values() if any(row.rules for row in rows))
    first = next(place for place, row in enumerate(flagged) if row.rules)
    assert all(row.rules == 0 for row in flagged[:first])
    assert all(row.rules > 0 for row in flagged[first:])
