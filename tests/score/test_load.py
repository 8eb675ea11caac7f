"""score.yml key by key, the packaged one as the sample."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detector.cli.rules import app
from detector.errors import RuleErrors
from detector.language.pack import load_pack, lock_path, packs_dir, read_lock
from detector.language.rule import CATEGORIES
from detector.score.check import check
from detector.score.load import SCORES
from tests.score.samples import DAY_US

ASKED = "[distress-contact, self-exclusion-request]"
TEXT = (packs_dir() / "score.yml").read_text("utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "score.yml"


def findings(path: Path, old: str, new: str) -> list[str]:
    """What is told of the packaged file with one of its texts written otherwise."""
    assert TEXT.count(old) == 1
    path.write_text(TEXT.replace(old, new), "utf-8")
    with pytest.raises(RuleErrors) as caught:
        SCORES.load(path)
    return [str(finding).removeprefix(f"{path}:") for finding in caught.value.findings]


def line(text: str) -> int:
    return TEXT[: TEXT.index(text)].count("\n") + 1


def test_the_packaged_one_is_as_written() -> None:
    scoring = SCORES.packaged
    assert (scoring.version, scoring.name) == (2, "score@2")
    assert scoring.edges[0] == 0
    assert scoring.half_lives_us["spend"] == 7 * DAY_US
    assert scoring.half_lives_us["contact"] == 14 * DAY_US
    assert scoring.caps.keys() == scoring.half_lives_us.keys() == set(CATEGORIES)
    assert scoring.money == {"spend", "deposits", "losses"}
    assert scoring.terms("distress-contact", "contact", 3) == (85, 14 * DAY_US)
    assert scoring.sources


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ("version: 2", "version: 0", "version: ^0", "a whole number from 1 to 999999"),
        ("version: 2", "", "why:", "`version` is missing"),
        ("relief: 12", "releif: 12", "^releif", 'unknown key "releif"; did you mean "relief"?'),
        ("relief: 12", "relief: many", "relief: ^many", 'from 0 to 100 is needed, not "many"'),
        ("medium: 25,", "medium: 60,", "bands: ^{", "the edges of bands rise"),
        ("medium: 25,", "meduim: 25,", "^meduim", 'unknown band "meduim"; did you mean "medium"?'),
        ("medium: 25,", "", "bands: ^{", "`medium` is missing"),
        ("low: 6,", "low: 17,", "weights: ^{", "weights do not fall"),
        ("low: 6,", "low: 6.5,", "low: ^6.5", 'not "6.5"'),
        ("low: 6,", "low: -6,", "low: ^-6", "from 1 to 100"),
        ("tools: 14d", "tool: 14d", "^tool: 14d", 'unknown category "tool"; did you mean "tools"?'),
        ("tools: 14d", "tools: 10m", "tools: ^10m", "between 1h and 400d"),
        ("tools: 14d", "tools: 401d", "tools: ^401d", "between 1h and 400d"),
        ("tools: 14d", "tools: long", "tools: ^long", '"long" is no duration such as 7d'),
        ("  default: 7d\n", "", "half_life:\n  ^time", "`default` is missing"),
        ("tools: 80", "tools: 101", "tools: ^101", "from 0 to 100"),
        ("  tools: 80\n", "", "caps:\n  ^spend", "`tools` is missing"),
        ("cap: 70", "cap: 75", "^money: {", "that band's edge, 75"),
        ("losses], cap", "loses], cap", "^loses]", 'category "loses"; did you mean "losses"?'),
        (", cap: 70", "", "money: ^{", "`cap` is missing"),
        (
            "contact: {critical: 85}",
            "contact: {citical: 85}",
            "^citical",
            'key "citical"; did you mean "critical"?',
        ),
        ("contact: {critical: 85}", "contact: {critical: -101}", "^-101", "from -100 to 100"),
        ("contact: {critical: 85}", "contact: {}", "distress-contact: ^{", "this changes nothing"),
        ("distress-contact:", "distress-contact@1:", "^distress-contact@", "by its id, without a version"),
        (ASKED, "[distress@1]", "[^distress@1]", "by its id, without a version"),
        (ASKED, "distress-contact", "help: ^distress-contact", "a list of rules' ids"),
        ("{en: spending, fr: dépenses}", "{en: spending}", "agent: ^{en: spending}", "`fr` is missing"),
        ("fr: dépenses", "fr: ''", "fr: ^''", "this text is empty"),
        ("fr: dépenses", "de: Ausgaben", "^de:", 'unknown language "de"'),
        ("agent: {en: spending", "clerk: {en: spending", "^clerk", 'unknown reader "clerk"'),
    ],
)
def test_faults_are_told_where_they_stand(path: Path, old: str, new: str, where: str, message: str) -> None:
    (found,) = [each for each in findings(path, old, new) if message in each]
    text = path.read_text("utf-8")
    assert text.count(where.replace("^", "")) == 1
    offset = text.index(where.replace("^", "")) + max(where.find("^"), 0)
    number, column = text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
    assert found.startswith(f"{number}:{column}: ")


@pytest.mark.parametrize(
    ("old", "new"), [("low: 6,", "lo: 6,"), ("relief: 12", "releif: 12"), ("fr: dépenses", "fre: dépenses")]
)
def test_a_slip_of_the_pen_is_told_once(path: Path, old: str, new: str) -> None:
    """What is written almost right is not missing as well."""
    (found,) = findings(path, old, new)
    assert "did you mean" in found


def test_all_faults_are_told_at_once(path: Path) -> None:
    path.write_text(
        TEXT.replace("low: 6,", "low: x,").replace("high: 32,", "high: y,").replace("cap: 70", "cap: z")
    )
    with pytest.raises(RuleErrors) as caught:
        SCORES.load(path)
    assert [finding.message[-3:] for finding in caught.value.findings] == ['"x"', '"y"', '"z"']


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [", "\x00"])
def test_what_is_no_mapping_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(RuleErrors):
        SCORES.load(path)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("version: 2", "version: 3", True),
        ("your deposits", "what you deposit", True),
        ("low: 6,", "low:   6,  ", True),
        ("  time: 3d", "  time: 72h", True),
        ("low: 6,", "low: 7,", False),
        ("  time: 3d", "  time: 4d", False),
        ("{critical: 85}", "{critical: 84}", False),
        ("losses], cap: 70", "losses], cap: 69", False),
        ("[spend, deposits, losses]", "[deposits, losses]", False),
        ("[spend, deposits, losses]", "[losses, deposits, spend]", True),
        ("high: 50,", "high: 51,", False),
        (ASKED, "[]", True),
        ("relief: 12", "relief: 13", False),
        ("  tools: 80", "  tools: 81", False),
    ],
)
def test_its_behaviour_is_what_makes_a_score_another(path: Path, old: str, new: str, same: bool) -> None:
    assert old in TEXT
    path.write_text(TEXT.replace(old, new), "utf-8")
    assert (SCORES.load(path).behaviour == SCORES.packaged.behaviour) is same


def test_a_folder_without_its_own_uses_the_packaged_one(path: Path) -> None:
    assert SCORES.of(path.parent) is SCORES.packaged
    path.write_text(TEXT.replace("relief: 12", "relief: 13"), "utf-8")
    assert SCORES.of(path.parent).relief == 13


# Checked and locked as rules are


def test_the_packaged_one_is_ready_and_locked() -> None:
    path = packs_dir() / "score.yml"
    assert check([path]) == []
    locked = read_lock(lock_path(path))["score"]
    assert (locked.version, locked.behaviour) == (SCORES.packaged.version, SCORES.packaged.behaviour)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A folder with a rule and a score, locked."""
    folder = tmp_path / "pack"
    folder.mkdir()
    shutil.copy(packs_dir() / "ontario" / "distress-contact.yml", folder)
    shutil.copy(packs_dir() / "score.yml", folder)
    assert run("lock", folder).exit_code == 0
    return folder


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "200"})


def rewrite(pack: Path, old: str, new: str) -> Path:
    path = pack / "score.yml"
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")
    return path


def test_it_is_no_rule(pack: Path) -> None:
    assert [rule.id for rule in load_pack(pack).rules] == ["distress-contact"]


def test_check_covers_it(pack: Path) -> None:
    result = run("check", pack)
    assert (result.exit_code, result.output) == (0, "1 rule and score.yml checked, nothing found\n")
    path = rewrite(pack, "relief: 12", "relif: 12")
    result = run("check", path)
    assert result.exit_code == 1
    assert f'{path}:{line("relief: 12")}:1: unknown key "relif"; did you mean "relief"?' in result.output


def test_check_finds_rules_that_are_nowhere_or_never_count(pack: Path) -> None:
    (pack / "lock.json").unlink()
    path = rewrite(pack, "distress-contact: {", "distres-contact: {high: 3}\n  losses-then-churn: {")
    result = run("check", path)
    number = line("  distress-contact:")
    assert result.output.splitlines() == [
        f'{path}:{number}:3: there is no rule "distres-contact"; did you mean "distress-contact"?',
        f'{path}:{number + 1}:3: "losses-then-churn" never counts: its audience is follow_up, not risk',
    ]


def test_check_finds_severities_that_a_rule_never_reaches(pack: Path) -> None:
    (pack / "lock.json").unlink()
    path = rewrite(pack, "  stake-variability: {high: 36}", "  stake-variability: {low: 4, high: 36}")
    number = line("  stake-variability:")
    told = f'{path}:{number}:3: "stake-variability" never reaches low, only medium, high\n'
    assert (run("check", path).exit_code, run("check", path).output) == (1, told)


def test_a_change_of_behaviour_needs_a_new_version(pack: Path) -> None:
    locked = json.loads((pack / "lock.json").read_text())["score"]
    assert locked == {"version": 2, "behaviour": SCORES.packaged.behaviour}
    path = rewrite(pack, "low: 6,", "low: 7,")
    told = f"{path}:{line('version: 2')}:1: behaves otherwise than locked version 2: give it version 3\n"
    assert (run("check", path).exit_code, run("check", path).output) == (1, told)
    assert (run("lock", pack).exit_code, run("lock", pack).output) == (1, told)
    rewrite(pack, "version: 2", "version: 3")
    assert run("check", path).exit_code == 0
    assert run("lock", pack).exit_code == 0
    assert json.loads((pack / "lock.json").read_text())["score"]["version"] == 3


def test_new_words_need_none(pack: Path) -> None:
    assert run("check", rewrite(pack, "your deposits", "what you deposit")).exit_code == 0
