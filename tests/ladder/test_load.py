"""A ladder file key by key, and what `rules check` and `rules lock` say of one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from detector.cli.rules import app
from detector.errors import RuleErrors
from detector.ladder.actions import LEVELS
from detector.ladder.load import LADDERS
from detector.language.pack import packs_dir, read_lock
from tests.ladder.samples import DAY, HOUR, written

SOUND = """\
version: 1
default:
  least: {high: L2, critical: L3}
  again: 24h
  L0: {title: zero, actions: {show_information: 24h}, sources: ["(start)"]}
  L1: {title: one, actions: {personal_message: 24h}, sources: ["(start)"]}
  L2: {title: two, actions: {marketing_off: 4h, suggest_limit: 24h}, marketing: 14d, sources: ["(start)"]}
  L3:
    title: three
    actions: {deposit_hold: 1h, marketing_off: 1h, human_review: 24h}
    marketing: 30d
    expires: 3d
    sources: ["(start)"]
  L4: {title: 4, actions: {marketing_off: 1h, human_review: 12h}, marketing: 30d, expires: 3d, sources: [s]}
  L5:
    title: five
    actions: {block: 15m, marketing_off: 15m, human_review: 4h}
    marketing: 90d
    expires: 7d
    sources: ["(start)"]
CA-ON:
  sources: ["AGCO 2.10"]
  L2: {actions: {marketing_off: 1h, suggest_break: 4h}}
"""


def test_what_a_jurisdiction_leaves_out_it_has_from_the_default(tmp_path: Path) -> None:
    ladder = written(tmp_path, SOUND).found
    assert ladder is not None
    ontario = ladder.jurisdiction("CA-ON")
    assert ontario.rungs["L2"].actions == {"marketing_off": HOUR, "suggest_break": 4 * HOUR}
    assert ontario.rungs["L2"].marketing_us == 14 * DAY
    assert ontario.rungs["L3"] is ladder.jurisdiction(None).rungs["L3"]
    assert ontario.least == {"high": "L2", "critical": "L3"}
    assert list(ontario.rungs) == list(LEVELS)


def test_no_deadline_is_longer_than_the_law_gives(tmp_path: Path) -> None:
    ladder = written(tmp_path, SOUND + "NL: {sources: [Ksa 2024], within: 1h}\n").found
    assert ladder is not None
    dutch = ladder.jurisdiction("NL")
    assert {due for rung in dutch.rungs.values() for due in rung.actions.values()} == {HOUR, HOUR // 4}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1", "version: ^0", "a whole number from 1 up"),
        ("version: 1\n", "", "`version` is missing"),
        ("CA-ON:", "^Ontario:", '"Ontario" is no jurisdiction such as CA-ON or GB'),
        ("CA-ON:", "^defualt:", 'did you mean "default"?'),
        ("  least: {high: L2, critical: L3}\n", "", "`least` is missing"),
        ("critical: L3}", "critical: ^L1}", "L1 for critical is less than L2 for high"),
        ("critical: L3}", "critical: ^L9}", 'not "L9"'),
        ("{high: L2, ", "{^hihg: L2, ", 'did you mean "high"?'),
        ("again: 24h", "again: ^soon", '"soon" is no duration such as 1h'),
        ("show_information: 24h", "^show_informations: 24h", 'did you mean "show_information"?'),
        ("show_information: 24h", "show_information: ^0s", "lies between 1m and 30d"),
        ("{show_information: 24h}", "^{}", "at least one action"),
        ("{show_information: 24h}", "^show_information", "a mapping of names to values"),
        ("L0: {title: zero, ", "L0: ^{", "`title` is missing"),
        ("title: zero,", "title: zero, ^expire: 1d,", "unknown key"),
        ("title: zero,", "title: zero, expires: 1d,", "`expires` stands from L3 up only"),
        ("title: one,", "title: one, marketing: 7d,", "marketing stands from L2 up only"),
        (
            "{personal_message: 24h}",
            "{personal_message: 24h, marketing_off: 4h}",
            "marketing_off stands from L2",
        ),
        ("{marketing_off: 4h, suggest", "{suggest", "L2 asks for marketing_off: from L2 up it has to"),
        (", marketing: 14d", "", "L2 needs `marketing`"),
        (
            "suggest_limit: 24h",
            "suggest_limit: 24h, pause: 1h",
            "pause stands from L3 up only: nobody reviews",
        ),
        ("    expires: 3d\n", "", "L3 needs `expires`"),
        (", human_review: 12h", "", "L4 asks for human_review"),
        ("    expires: 3d\n", "    expires: 30m\n", "deposit_hold would end after 30m, before it is due: 1h"),
        (
            "deposit_hold: 1h, marketing_off: 1h",
            "deposit_hold: 1h, marketing_off: 5h",
            "later at L3 than at L2",
        ),
        ("marketing: 30d\n", "marketing: 7d\n", "marketing comes back sooner at L3 than at L2"),
        ('  sources: ["AGCO 2.10"]\n', "", "CA-ON names no `sources`"),
        ('  sources: ["AGCO 2.10"]', "  sources: ^AGCO", "a list of at least one text"),
        ("{marketing_off: 1h, suggest_break: 4h}", "{suggest_break: 4h}", "L2 asks for marketing_off"),
    ],
)
def test_a_fault_is_told_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SOUND
    text = SOUND.replace(old, new.replace("^", ""), 1)
    reading = written(tmp_path, text)
    assert reading.found is None
    told = [finding for finding in reading.findings if message in finding.message]
    assert told, reading.findings
    if "^" in new:
        offset = text.index(new.replace("^", "")) + new.index("^")
        place = (text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
        assert (told[0].line, told[0].column) == place


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    reading = written(tmp_path, SOUND.replace("again: 24h", "again: soon").replace("block", "blokc"))
    assert [finding.message for finding in reading.findings] == [
        '"soon" is no duration such as 1h',
        'no action "blokc"; did you mean "block"?',
    ]
    with pytest.raises(RuleErrors, match="blokc"):
        LADDERS.load(tmp_path / "ladder.yml")


@pytest.mark.parametrize("text", ["", "[]", "version: 1", "default: 3\nversion: 1", "version: &a 1"])
def test_what_is_no_ladder_is_told_as_such(tmp_path: Path, text: str) -> None:
    reading = written(tmp_path, text)
    assert reading.found is None
    assert reading.findings


class TestBehaviour:
    def behaviour(self, tmp_path: Path, old: str = "", new: str = "") -> str:
        assert old in SOUND
        reading = written(tmp_path, SOUND.replace(old, new, 1) if old else SOUND)
        assert reading.found is not None, reading.findings
        return reading.found.behaviour

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("version: 1", "version: 2"),
            ("title: zero", "title: nought"),
            ("AGCO 2.10", "AGCO 2.11"),
            ("24h}, sources", "1d}, sources"),
            ("title: three\n", "title: three # the friction\n"),
        ],
    )
    def test_texts_do_not_alter_it(self, tmp_path: Path, old: str, new: str) -> None:
        assert self.behaviour(tmp_path, old, new) == self.behaviour(tmp_path)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("suggest_break: 4h", "suggest_break: 3h"),
            ("suggest_break: 4h", "suggest_limit: 4h"),
            ("critical: L3", "critical: L4"),
            ("again: 24h", "again: 12h"),
            ("expires: 3d", "expires: 2d"),
            ("marketing: 90d", "marketing: 91d"),
            ("CA-ON:", "CA-QC:"),
        ],
    )
    def test_whatever_changes_an_intervention_does(self, tmp_path: Path, old: str, new: str) -> None:
        assert self.behaviour(tmp_path, old, new) != self.behaviour(tmp_path)


class TestCommands:
    def run(self, *words: str | Path) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "200"})
        return result.exit_code, result.output

    def test_check_reads_a_ladder_among_the_rules_or_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "ladder.yml"
        path.write_text(SOUND, "utf-8")
        assert self.run("check", path) == (0, "ladder.yml checked, nothing found\n")
        path.write_text(SOUND.replace("block", "blokc"), "utf-8")
        code, told = self.run("check", tmp_path)
        assert (code, told) == (1, f'{path}:17:15: no action "blokc"; did you mean "block"?\n')

    def test_lock_remembers_it_and_asks_for_a_new_version(self, tmp_path: Path) -> None:
        path = tmp_path / "ladder.yml"
        path.write_text(SOUND, "utf-8")
        assert self.run("lock", tmp_path)[0] == 0
        assert json.loads((tmp_path / "lock.json").read_text("utf-8"))["ladder"]["version"] == 1
        path.write_text(SOUND.replace("again: 24h", "again: 12h"), "utf-8")
        told = f"{path}:1:1: behaves otherwise than locked version 1: give it version 2\n"
        assert self.run("check", tmp_path) == (1, told)
        assert self.run("lock", tmp_path) == (1, told)
        path.write_text(
            SOUND.replace("again: 24h", "again: 12h").replace("version: 1", "version: 2"), "utf-8"
        )
        assert self.run("lock", tmp_path)[0] == 0


class TestPackaged:
    def test_is_sound_and_locked(self) -> None:
        assert LADDERS.check([packs_dir()]) == []
        locked = read_lock(packs_dir() / "lock.json")["ladder"]
        assert (locked.version, locked.behaviour) == (LADDERS.packaged.version, LADDERS.packaged.behaviour)

    def test_knows_the_jurisdictions_that_the_domain_names(self) -> None:
        assert list(LADDERS.packaged.jurisdictions) == ["default", "CA-ON", "GB", "NL", "ES", "DE"]

    def test_serves_rules_that_bring_none_of_their_own(self, tmp_path: Path) -> None:
        assert LADDERS.of(tmp_path) is LADDERS.packaged
        (tmp_path / "ladder.yml").write_text(SOUND, "utf-8")
        assert LADDERS.of(tmp_path).path == str(tmp_path / "ladder.yml")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    start=st.integers(0, len(SOUND)),
    length=st.integers(0, 40),
    new=st.text(st.sampled_from("aL3: {}[],\n-'\"24hdé\t&*!"), max_size=12),
)
def test_no_text_brings_the_loader_down(tmp_path: Path, start: int, length: int, new: str) -> None:
    reading = written(tmp_path, SOUND[:start] + new + SOUND[start + length :])
    assert (reading.found is None) == bool(reading.findings)
    lines = (tmp_path / "ladder.yml").read_text("utf-8").count("\n") + 1
    assert all(1 <= finding.line <= lines and finding.column >= 1 for finding in reading.findings)
