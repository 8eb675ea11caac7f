"""Rules by the folder: loading, what `check` demands, the lock."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detector.errors import RuleErrors
from detector.language.pack import check, load_pack, load_rule, load_rules, lock_path, packs_dir, write_lock
from tests.language.samples import EXAMPLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sound rules in a pack, and files that are none."""
    pack = tmp_path / "rules" / "ontario"
    pack.mkdir(parents=True)
    for name in ("deposit-escalation", "another"):
        text = EXAMPLE.replace("id: deposit-escalation", f"id: {name}")
        (pack / f"{name}.yml").write_text(text, "utf-8")
    for name in ("TEMPLATE.yml", "score.yml", "README.md"):
        (tmp_path / "rules" / name).write_text("no rule", "utf-8")
    return tmp_path / "rules"


def rewrite(path: Path, old: str, new: str) -> Path:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    return path


def messages(folder: Path) -> list[str]:
    return [finding.message for finding in check([folder])]


def test_every_rule_under_a_folder_sorted_by_id(folder: Path) -> None:
    assert [rule.id for rule in load_rules(folder)] == ["another", "deposit-escalation"]


def test_one_bad_file_stops_the_strict_loader_and_is_reported_by_the_loose_one(folder: Path) -> None:
    bad = rewrite(folder / "ontario" / "another.yml", "when: age", "when: agee")
    with pytest.raises(RuleErrors) as caught:
        load_rules(folder)
    pack = load_pack(folder)
    assert [rule.id for rule in pack.rules] == ["deposit-escalation"]
    assert pack.findings == caught.value.findings
    assert str(caught.value).startswith(f'{bad}:17:7: unknown name "agee"; did you mean "age"?')


def test_the_loose_loader_asks_for_no_tests(folder: Path) -> None:
    rewrite(folder / "ontario" / "another.yml", "day 40 10:00 deposit", "day 40 10:00 depsoit")
    assert len(load_pack(folder).rules) == 2
    with pytest.raises(RuleErrors, match="depsoit"):
        load_rules(folder)


def test_an_id_may_stand_once(folder: Path) -> None:
    (folder / "quebec").mkdir()
    text = (folder / "ontario" / "another.yml").read_text("utf-8")
    (folder / "quebec" / "another.yml").write_text(text, "utf-8")
    with pytest.raises(RuleErrors, match=r'quebec/another.yml:1:1: the id "another" is taken by .*ontario'):
        load_rules(folder)
    assert len(load_pack(folder).rules) == 2


@pytest.mark.parametrize("name", ["no-such.yml", "ontario"])
def test_what_is_no_file_is_a_finding(folder: Path, name: str) -> None:
    with pytest.raises(RuleErrors, match="no such file"):
        load_rule(folder / name)


def test_a_sound_live_rule_passes(folder: Path) -> None:
    assert messages(folder) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("why: ", "why: ~ # ", "a live rule says `why`"),
        ("sources: [", "sources: [] # [", "a live rule names its `sources`"),
        (', fr: "Vous avez déposé plus que d\'habitude."', "", "a live rule needs a `tell` in fr"),
        (
            "expect: []",
            "expect: [{at: day 8 10:00}]",
            "a live rule needs a test that stays silent (expect: [])",
        ),
        ("expect: [{at: day 40", "expect: [] # [{at: day 40", "a live rule needs a test that fires"),
        ("let:\n", "let:\n  idle: count(bet) over 7d\n", '"idle" is never used'),
        ("params:\n", "params:\n  idle: {value: 3}\n", '"idle" is never used'),
    ],
)
def test_what_a_live_rule_lacks_is_found(folder: Path, old: str, new: str, message: str) -> None:
    rewrite(folder / "ontario" / "another.yml", old, new)
    assert messages(folder) == [message]


def test_only_live_rules_owe_it(folder: Path) -> None:
    path = rewrite(folder / "ontario" / "another.yml", "why: ", "why: ~ # ")
    rewrite(path, "status: live ", "status: draft")
    assert messages(folder) == []


def test_a_name_in_the_explanation_is_used(folder: Path) -> None:
    path = rewrite(folder / "ontario" / "another.yml", "let:\n", "let:\n  shown: count(bet) over 7d\n")
    rewrite(path, "{recent} deposited", "{recent} deposited, {shown} bets")
    assert messages(folder) == []


def test_a_finding_points_at_the_key(folder: Path) -> None:
    path = rewrite(folder / "ontario" / "another.yml", "let:\n", "let:\n  idle: count(bet) over 7d\n")
    assert [str(finding) for finding in check([path])] == [f'{path}:15:3: "idle" is never used']


class TestLock:
    def test_holds_version_and_behaviour_by_id(self, folder: Path) -> None:
        path = write_lock(folder)
        assert path == folder / "lock.json"
        rules = {rule.id: {"version": 1, "behaviour": rule.behaviour} for rule in load_rules(folder)}
        assert json.loads(path.read_text("utf-8")) == rules
        assert list(json.loads(path.read_text("utf-8"))) == sorted(rules)
        assert messages(folder) == []

    def test_other_behaviour_needs_another_version(self, folder: Path) -> None:
        write_lock(folder)
        path = rewrite(folder / "ontario" / "another.yml", "cooldown: 7d", "cooldown: 8d")
        told = "behaves otherwise than locked version 1: give it version 2"
        assert [str(finding) for finding in check([folder])] == [f"{path}:2:1: {told}"]
        assert [finding.message for finding in check([path])] == [told]
        with pytest.raises(RuleErrors, match="give it version 2"):
            write_lock(folder)
        rewrite(path, "version: 1", "version: 2")
        assert messages(folder) == []
        write_lock(folder)
        rewrite(path, "cooldown: 8d", "cooldown: 9d")
        assert messages(folder) == ["behaves otherwise than locked version 2: give it version 3"]

    def test_other_texts_do_not(self, folder: Path) -> None:
        write_lock(folder)
        rewrite(folder / "ontario" / "another.yml", "title: ", "title: Other ")
        assert messages(folder) == []

    def test_binds_live_rules_only(self, folder: Path) -> None:
        write_lock(folder)
        path = rewrite(folder / "ontario" / "another.yml", "cooldown: 7d", "cooldown: 8d")
        rewrite(path, "status: live ", "status: shadow")
        assert messages(folder) == []

    def test_of_a_copy_elsewhere_is_not_the_packaged_one(self, tmp_path: Path) -> None:
        assert lock_path(tmp_path / "deep" / "down" / "x.yml") == tmp_path / "deep" / "down" / "lock.json"
        assert lock_path(packs_dir() / "ontario" / "night-play.yml") == packs_dir() / "lock.json"

    def test_broken_is_a_finding(self, folder: Path) -> None:
        (folder / "lock.json").write_text('{"another": 1}', "utf-8")
        assert set(messages(folder)) == {"no lock; write it with `tiltwatch rules lock`"}
        assert {finding.path for finding in check([folder])} == {str(folder / "lock.json")}
