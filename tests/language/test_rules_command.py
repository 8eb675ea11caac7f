"""`tiltwatch rules` as an analyst types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detector.cli.rules import app
from detector.errors import InputError
from tests.language.samples import EXAMPLE


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "a" / "deposit-escalation.yml"
    path.parent.mkdir()
    path.write_text(EXAMPLE, "utf-8")
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "200"})


def copied(rule: Path, old: str = "", new: str = "") -> Path:
    other = rule.parent.parent / "b" / rule.name
    other.parent.mkdir()
    other.write_text(EXAMPLE.replace(old, new), "utf-8")
    return other


def test_check_is_quiet_about_a_sound_rule(rule: Path) -> None:
    result = run("check", rule)
    assert (result.exit_code, result.output) == (0, "1 rule checked, nothing found\n")


def test_check_looks_at_the_scorecards_beside_rules(rule: Path) -> None:
    card = rule.parent / "scorecards" / "a.json"
    card.parent.mkdir()
    card.write_text("{}")
    with pytest.raises(InputError, match=r"a\.json: no scorecard: "):
        CliRunner().invoke(app, ["check", str(rule.parent)], catch_exceptions=False)


def test_check_prints_a_finding_a_line(rule: Path) -> None:
    rule.write_text(EXAMPLE.replace("age >=", "agee >=").replace("L2", "L9"), "utf-8")
    result = run("check", rule.parent)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f'{rule}:17:7: unknown name "agee"; did you mean "age"?',
        f'{rule}:23:10: `respond` is one of L0, L1, L2, L3, L4, L5, not "L9"',
    ]


@pytest.mark.parametrize("command", ["check", "test"])
def test_the_packs_are_what_is_meant_without_a_path(command: str) -> None:
    assert "rules" in run(command).output


@pytest.mark.parametrize(
    "words", [("check", "no-such"), ("test", "no-such"), ("show", "no-such"), ("diff", "a", "b")]
)
def test_what_is_not_there_is_wrong_usage(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_test_runs_the_timelines(rule: Path) -> None:
    result = run("test", rule)
    assert (result.exit_code, result.output) == (0, "1 rule, 2 timelines: all alert as expected\n")


def test_test_names_what_did_not_come_and_what_did(rule: Path) -> None:
    rule.write_text(EXAMPLE.replace("at: day 41 10:00", "at: day 41 11:00"), "utf-8")
    result = run("test", rule)
    assert result.exit_code == 1
    assert all(line.startswith(f"{rule}:25:") for line in result.output.splitlines())
    assert "2026-02-10T11:00" in result.output
    assert "2026-02-10T10:00" in result.output


def test_show_prints_a_rule_by_its_file(rule: Path) -> None:
    rule.write_text(EXAMPLE.replace("why: A sharp", "why: '[red]' # A sharp"), "utf-8")
    result = run("show", rule)
    assert result.exit_code == 0
    for text in (
        "deposit-escalation@1",
        "sum(deposit.amount) over 7d",
        "200 CAD",
        "[red]",
        "1 firing, 1 silent",
    ):
        assert text in result.output


def test_lock_writes_beside_the_rules(rule: Path) -> None:
    assert run("lock", rule.parent).exit_code == 0
    assert (rule.parent / "lock.json").is_file()
    rule.write_text(EXAMPLE.replace("cooldown: 7d", "cooldown: 8d"), "utf-8")
    result = run("lock", rule.parent)
    assert result.exit_code == 1
    assert "give it version 2" in result.output


def test_diff_of_the_same_is_empty(rule: Path) -> None:
    assert (run("diff", rule.parent, copied(rule).parent).output) == ""


def test_diff_tells_behaviour_from_texts(rule: Path) -> None:
    other = copied(rule, "title: Deposits", "title: Deposits,")
    assert run("diff", rule, other).output.splitlines() == [
        "~ deposit-escalation@1 behaves as before",
        "    title: Deposits well above the player's own habit"
        " -> Deposits, well above the player's own habit",
    ]


def test_diff_shows_what_changed(rule: Path) -> None:
    other = copied(rule, "cooldown: 7d", "cooldown: 8d\nremind: 9d")
    other.write_text(other.read_text("utf-8").replace("version: 1", "version: 2"), "utf-8")
    assert run("diff", rule.parent, other.parent).output.splitlines() == [
        "~ deposit-escalation@1 -> deposit-escalation@2 behaves otherwise",
        "    version: 1 -> 2",
        "    cooldown: 7d -> 8d",
        "    remind: (none) -> 9d",
    ]


def test_diff_names_what_came_and_went(rule: Path, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    assert run("diff", rule.parent, tmp_path / "c").output == "- deposit-escalation@1 removed\n"
    assert run("diff", tmp_path / "c", rule.parent).output == "+ deposit-escalation@1 added\n"
