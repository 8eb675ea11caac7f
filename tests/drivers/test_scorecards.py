"""Scorecards beside the rules of a folder: what is refused, what is kept, what hangs on them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from detector.drivers import scorecards
from detector.drivers.checkpoints import open_folder
from detector.drivers.detection import Detection
from detector.drivers.lines import CHUNK, LogReader
from detector.drivers.replay import replay_log
from detector.drivers.rulesets import read_rule_set, rule_set_id
from detector.drivers.scorecards import FOLDER, KEPT, file_scorecard, read_scorecards
from detector.errors import InputError
from detector.events.money import Currencies
from detector.language.pack import default_pack, load_pack
from tests.drivers.learned import CATALOGUE, changed, scorecard
from tests.drivers.small import write_rules
from tests.drivers.spoilt import spoilt_log

SINCE_US = 1_767_225_600_000_000  # 2026-01-01
SECOND_US = 1_000_000


def text(effective_from: str | None = "2026-01-01T00:00:00Z", card: bytes | None = None) -> bytes:
    """A file of the folder as it is written."""
    written = card or scorecard().to_json()
    since = b"" if effective_from is None else b'"effective_from": "%s", ' % effective_from.encode()
    return b'{%s"scorecard": %s}' % (since, written)


def laid(folder: Path, content: bytes, name: str = "a.json") -> Path:
    (folder / FOLDER).mkdir(exist_ok=True)
    path = folder / FOLDER / name
    path.write_bytes(content)
    return path


def test_what_was_laid_there_is_read_by_its_time(tmp_path: Path) -> None:
    assert read_scorecards(tmp_path) == []
    file_scorecard(tmp_path, scorecard(), SINCE_US)
    path = file_scorecard(tmp_path, scorecard(1), SINCE_US + 1_500_000)
    assert path.name == f"2026-01-01T000001.500Z-{scorecard(1).id}.json"
    assert read_scorecards(tmp_path) == [(SINCE_US, scorecard()), (SINCE_US + 1_500_000, scorecard(1))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no scorecard: Input data was truncated"),
        (b"{", "no scorecard"),
        (b"\xff", "no scorecard"),
        (b"[" * 100_000, "no scorecard"),
        (b"[]", "no scorecard: Expected `object`"),
        (text(None), "missing required field `effective_from`"),
        (text("yesterday"), r"no scorecard: Invalid RFC3339 encoded datetime - at `\$.effective_from`"),
        (text("2026-01-01T00:00:00"), "`effective_from` has no zone"),
        (text(card=b"{}"), "missing required field"),
        (text(card=b"3"), "no scorecard: scorecard: Expected `object`"),
        (text()[:-1] + b', "more": 1}', "unknown field `more`"),
        (text(card=changed(review_share=2.0).to_json()), r"a share is from 0 to 1 - at `\$.review_share`"),
        (text(card=changed(features=[*CATALOGUE.names[1:], "x"]).to_json()), "not those of its catalogue"),
        (text(card=changed(habit=[0]).to_json()), "its habit is not of the features that features.yml says"),
        (text(card=b" " * scorecards.MAX_BYTES + b"{}"), "at most 4194304 bytes"),
    ],
    ids=range(15),
)
def test_what_is_no_scorecard_is_refused_by_its_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = laid(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        read_scorecards(tmp_path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_one_that_was_edited_by_hand_is_refused_and_one_that_was_laid_out_anew_is_not(tmp_path: Path) -> None:
    path = file_scorecard(tmp_path, scorecard(), SINCE_US)
    filed = json.loads(path.read_bytes())
    path.write_text(json.dumps(filed, indent=2))
    assert read_scorecards(tmp_path) == [(SINCE_US, scorecard())]
    filed["scorecard"]["review_share"] = 0.5
    path.write_text(json.dumps(filed))
    with pytest.raises(InputError, match=f"remove it and promote {scorecard().id} anew") as caught:
        read_scorecards(tmp_path)
    assert str(path) in str(caught.value)


def test_a_scorecard_of_other_features_may_stay_it_says_nothing(tmp_path: Path) -> None:
    laid(tmp_path, text(card=changed(catalogue="another", habit=[0]).to_json()))
    assert len(read_scorecards(tmp_path)) == 1


def test_two_are_not_in_force_from_the_same_time_on(tmp_path: Path) -> None:
    laid(tmp_path, text("2026-01-01T00:00:00Z"))
    laid(tmp_path, text("2026-01-01T01:00:00+01:00"), "b.json")
    with pytest.raises(InputError, match="two scorecards are in force from the same time on"):
        read_scorecards(tmp_path)


@pytest.mark.parametrize("later_us", [-1, 0, 999])  # the files know whole milliseconds
def test_none_is_laid_before_or_at_one_that_is_there(tmp_path: Path, later_us: int) -> None:
    file_scorecard(tmp_path, scorecard(), SINCE_US)
    with pytest.raises(InputError, match=r"in force from 2026-01-01T00:00:00\.000Z on; choose a later time"):
        file_scorecard(tmp_path, scorecard(1), SINCE_US + later_us)
    assert len(read_scorecards(tmp_path)) == 1


def test_where_none_can_be_laid_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder of rules"):
        file_scorecard(tmp_path / "none", scorecard(), SINCE_US)
    (tmp_path / FOLDER).write_text("a file")
    with pytest.raises(InputError, match="scorecards: "):
        file_scorecard(tmp_path, scorecard(), SINCE_US)


def test_the_oldest_go_by_their_time_not_by_their_name(tmp_path: Path) -> None:
    # Half a second sorts before the whole one by name.
    times = [SINCE_US + n * SECOND_US // 2 for n in range(KEPT + 3)]
    for time in times:
        file_scorecard(tmp_path, scorecard(), time)
    assert [since for since, _ in read_scorecards(tmp_path)] == times[-KEPT:]


def test_a_scorecard_makes_another_set_of_rules(tmp_path: Path) -> None:
    folder = write_rules(tmp_path)
    before = rule_set_id(folder)
    path = file_scorecard(folder, scorecard(), SINCE_US)
    found = read_rule_set(folder, Currencies())
    assert found.id == rule_set_id(folder) != before
    assert found.scorecards == [(SINCE_US, scorecard())]
    assert Detection.of(found, Currencies(), None, None).scorecards == found.scorecards
    path.unlink()
    assert rule_set_id(folder) == before


# What a replay with models finds.

DETECTION = Detection(
    load_pack(default_pack()).rules,
    catalogue=CATALOGUE,
    scorecards=[(0, scorecard()), (SINCE_US + 15 * 86_400 * SECOND_US, scorecard(1))],
)


class CutOffError(Exception):
    """Stands for whatever may end a process."""


def replayed(log: Path, home: Path | None = None, *, jobs: int = 1, cut: int = 0) -> list[bytes]:
    chunks = 0

    def count(_: int) -> None:
        nonlocal chunks
        chunks += 1
        if chunks == cut:
            raise CutOffError

    with LogReader(str(log)) as reader:
        if home is None:
            with replay_log(reader, DETECTION, jobs=jobs, all_alerts=True) as found:
                return list(found.alerts())
        with (
            open_folder(home, DETECTION.terms()) as folder,
            replay_log(
                reader, DETECTION, jobs=jobs, all_alerts=True, folder=folder, every_s=0,
                dead=folder.bury, progress=count,
            ) as found,
        ):  # fmt: skip
            return list(found.alerts())


def test_a_replay_with_models_is_the_same_by_any_number_of_processes_and_when_resumed(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\n".join(spoilt_log(6_000, seed=5)) + b"\n")
    assert log.stat().st_size > 4 * CHUNK
    alone = replayed(log)
    names = {row["artefact"] for line in alone for row in json.loads(line)["evidence"] if row.get("artefact")}
    assert len({name.partition("@")[2] for name in names}) == 2, "both scorecards are to be seen"
    assert replayed(log, jobs=2) == alone
    home = tmp_path / "home"
    with pytest.raises(CutOffError):
        replayed(log, home, cut=2)
    with pytest.raises(CutOffError):
        replayed(log, home, cut=1, jobs=2)
    assert replayed(log, home) == alone


def test_a_replay_is_not_gone_on_with_other_models(tmp_path: Path) -> None:
    before = DETECTION.terms()
    other = dataclasses.replace(DETECTION, scorecards=[(0, scorecard(1))]).terms()
    later = dataclasses.replace(DETECTION, scorecards=[(1, scorecard()), *DETECTION.scorecards[1:]]).terms()
    assert {name for name in before if before[name] != other[name]} == {"scorecards"}
    assert {name for name in before if before[name] != later[name]} == {"scorecards"}
    with open_folder(tmp_path / "home", before):
        pass
    features = dataclasses.replace(DETECTION, catalogue=None).terms()
    assert {name for name in before if before[name] != features[name]} == {"features.yml"}
