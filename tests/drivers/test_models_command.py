"""`tiltwatch models` as somebody types it: from a log to a model in force, and back."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from api.cli import main
from detector.language.pack import default_pack
from detector.simulator import Config, events

DAY_US = 86_400_000_000
START_US = 1_767_225_600_000_000  # 2026-01-01
DAYS = 110
ID = re.compile(r"\b[0-9a-f]{16}\b")


def run(*words: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `tiltwatch models …`, or of another command."""
    out, err = StringIO(), StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(sys, "argv", ["tiltwatch", *map(str, words)]),
        patch.dict("os.environ", COLUMNS="200"),
        pytest.raises(SystemExit) as ended,
    ):
        main()
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


def models(*words: str | Path) -> str:
    """What a command of `tiltwatch models` that does what it should says."""
    code, out, err = run("models", *words)
    assert (code, err) == (0, "")
    return out


def refused(*words: str | Path) -> str:
    """The one line that a command says which cannot do what it should."""
    code, out, err = run("models", *words)
    assert (code, out) == (2, "")
    assert err.startswith("tiltwatch: ")
    assert err.count("\n") == 1
    return err


@dataclass(frozen=True)
class World:
    """A small log, what people found in it, rules that ask for scores, and the models learned from it."""

    log: Path
    verdicts: Path
    rules: Path
    registry: Path
    ids: tuple[str, str]
    told: str

    def copied(self, folder: Path) -> World:
        """With rules and a registry of one's own."""
        rules = Path(shutil.copytree(self.rules, folder / "rules"))
        registry = Path(shutil.copytree(self.registry, folder / "registry"))
        return World(self.log, self.verdicts, rules, registry, self.ids, self.told)


def verdicts() -> Iterator[bytes]:
    """Every third player was found to be in trouble whenever somebody looked."""
    for number in range(0, 41, 3):
        for day in range(12, DAYS, 6):
            at = START_US + day * DAY_US
            fields = {"kind": "label", "player": f"p{number:05}", "at": at, "about": at - 1}
            yield json.dumps(fields | {"source": "verdict", "harmed": True, "drawn": 0.0}).encode()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("models")
    log = folder / "log.jsonl"
    log.write_bytes(b"".join(line + b"\n" for line in events(Config(players=40, days=DAYS))))
    found = folder / "verdicts.jsonl"
    found.write_bytes(b"".join(line + b"\n" for line in verdicts()))
    rules = folder / "rules"
    rules.mkdir()
    likely = (default_pack() / "likely-harm.yml").read_text("utf-8")
    assert "status: shadow" in likely
    likely = likely.replace("status: shadow", "status: live").replace('value: "20%"', 'value: "5%"')
    (rules / "likely-harm.yml").write_text(likely, "utf-8")
    registry = folder / "registry"
    told = models("train", log, "--registry", registry, "--rules", rules, "--verdicts", found)
    one, other = ID.findall(told)
    return World(log, found, rules, registry, (one, other), told)


@pytest.fixture
def world(trained: World, tmp_path: Path) -> World:
    return trained.copied(tmp_path)


def alerts(world: World, folder: Path) -> list[dict[str, Any]]:
    path = folder / "alerts.jsonl"
    code, _, err = run("replay", world.log, "--rules", world.rules, "--alerts", path)
    assert (code, err) == (0, "")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_training_says_what_it_made_and_how_good_that_is(trained: World) -> None:
    assert re.search(r"^\w{16}  logistic  challenger$", trained.told, re.MULTILINE)
    assert re.search(r"^\w{16}  forest  challenger$", trained.told, re.MULTILINE)
    for name in ("rules alone", "net loss alone", "deposits alone", "sessions alone"):
        assert name in trained.told
    listed = models("list", "--registry", trained.registry)
    assert listed.count("challenger") == 2
    assert all(id_ in listed for id_ in trained.ids)


def test_what_was_measured_as_json_and_as_pictures(trained: World, tmp_path: Path) -> None:
    out, plots = tmp_path / "report.json", tmp_path / "plots"
    told = models("evaluate", "--registry", trained.registry, "--out", out, "--plots", plots)
    assert trained.told.endswith(told[told.index(" player-days") :])  # as training said it
    report = json.loads(out.read_bytes())
    assert report["data"]["harmed"] > 10
    assert {each["name"] for each in report["scores"]} > {"logistic", "forest", "unusual", "rules alone"}
    pictures = sorted(plots.iterdir())
    assert [each.name for each in pictures] == ["curves.png", "drift.png", "reliability.png", "weekly.png"]
    assert all(each.read_bytes().startswith(b"\x89PNG") for each in pictures)
    gender = tmp_path / "gender.csv"
    gender.write_text("player,gender\np00001,female\n")
    models("evaluate", "--registry", trained.registry, "--out", out, "--gender", gender)
    gaps = json.loads(out.read_bytes())["scores"][0]["gaps"]
    assert [each["by"] for each in gaps] == ["age", "gender"]


def test_from_the_first_promotion_to_the_freeze(world: World, tmp_path: Path) -> None:
    champion, other = world.ids
    at_home = ("--registry", world.registry, "--rules", world.rules)
    assert alerts(world, tmp_path) == []  # nobody is scored before a model is in force
    told = models("promote", champion, *at_home, "--effective-from", "2026-02-01")
    (path,) = (world.rules / "scorecards").iterdir()
    assert str(path) in told
    assert path.name == f"2026-02-01T000000Z-{champion}.json"
    found = alerts(world, tmp_path)
    assert found
    assert min(each["opened_at"] for each in found) >= "2026-02-01"
    for each in found:
        score, *reasons = (row for row in each["evidence"] if row.get("artefact"))
        assert (score["quantity"], score["artefact"]) == ("score(harm)", f"harm@{champion}")
        assert 0 < len(reasons) <= 5
    told = refused("promote", other, *at_home)
    assert f"harm@{champion}" not in told
    assert re.search(r"better than the champion's kind \(\w+\) as it went on learning: its gain", told)
    assert len(list((world.rules / "scorecards").iterdir())) == 1
    told = models("promote", other, *at_home, "--force", "to see it at work")
    assert "gain in PR AUC over the champion's kind (" in told
    models("rollback", "it was no better", *at_home)
    listed = models("list", "--registry", world.registry)
    assert re.search(rf"{champion} .*champion", listed)
    assert re.search(rf"{other} .*retired", listed)
    assert "to see it at work" in listed
    assert "it was no better" in listed
    models("freeze", "an audit", "--registry", world.registry)
    assert "frozen (an audit)" in refused("promote", other, *at_home, "--force", "why not")
    assert "models are frozen" in models("list", "--registry", world.registry)
    models("unfreeze", "all is well", "--registry", world.registry)
    models("promote", other, *at_home, "--force", "why not")
    text = models("card", "--registry", world.registry)
    assert other in text
    assert "logistic" in text
    models("card", "--registry", world.registry, "--model", champion, "--out", tmp_path / "card.md")
    assert champion in (tmp_path / "card.md").read_text("utf-8")
    # A reason will do where the trainer that made a model is no longer kept.
    copy = tmp_path / "copy"
    shutil.copytree(world.registry, copy)
    for state in (copy / "states").iterdir():
        state.unlink()
    refused("promote", champion, "--registry", copy)
    told = models("promote", champion, "--registry", copy, "--force", "its trainer was thrown away")
    assert "not compared with the champion: " in told


def test_a_promotion_that_cannot_be_laid_beside_the_rules_is_none(world: World, tmp_path: Path) -> None:
    champion, other = world.ids
    told = refused("promote", champion, "--registry", world.registry, "--rules", tmp_path / "nowhere")
    assert "no such folder of rules" in told
    assert "champion" not in models("list", "--registry", world.registry)
    # Without rules it is the champion all the same, and can be laid there later.
    told = models("promote", champion, "--registry", world.registry, "--effective-from", "2026-02-01")
    assert "--rules" in told
    models("promote", champion, "--registry", world.registry, "--rules", world.rules)
    assert len(list((world.rules / "scorecards").iterdir())) == 1
    assert "is the champion already" in refused("promote", champion, "--registry", world.registry)
    before = ("--registry", world.registry, "--rules", world.rules, "--effective-from", "2026-02-02")
    assert "choose a later time" in refused("promote", other, *before, "--force", "x")
    assert "choose a later time" in refused("rollback", "x", *before)


def test_a_log_in_two_parts_teaches_what_the_whole_does(trained: World, tmp_path: Path) -> None:
    """Whoever goes on hears the last minutes again, in which not all was known yet."""
    lines = trained.log.read_bytes().splitlines(keepends=True)
    part, registry, again = tmp_path / "part.jsonl", tmp_path / "registry", tmp_path / "again"
    part.write_bytes(b"".join(lines[: len(lines) // 2]))
    beside = ("--rules", trained.rules, "--verdicts", trained.verdicts)
    first = models("train", part, "--registry", registry, *beside)
    assert models("train", part, "--registry", again, *beside) == first
    second = models("train", trained.log, "--registry", registry, *beside, "--continue")
    assert ID.findall(second) == list(trained.ids)
    assert second == trained.told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("train", "no-such.jsonl", "--registry", "{new}"), "no-such.jsonl"),
        (("train", "{log}", "--registry", "{new}", "--verdicts", "no-such"), "no-such"),
        (("train", "{log}", "--registry", "{new}", "--verdicts", "{log}"), "log.jsonl:1: no label"),
        (("train", "{log}", "--registry", "{new}", "--verdicts", "{rumours}"), "2: no label: its source is"),
        (
            ("train", "{log}", "--registry", "{new}", "--verdicts", "{sevens}"),
            "1: no label: `drawn` is a share",
        ),
        (("train", "{rumours}", "--registry", "{new}"), "rumours: no deposit and no end of a session in it"),
        (("evaluate", "--registry", "{new}"), "nothing was trained there"),
        (("evaluate", "--registry", "{old}", "--gender", "{log}"), "a header `player,gender`"),
        (("evaluate", "--registry", "{old}", "--gender", "no-such"), "cannot be read"),
        (("card", "--registry", "{old}"), "no model has been promoted"),
        (("card", "--registry", "{old}", "--model", "ffff"), "knows no model ffff"),
        (("promote", "ffff", "--registry", "{old}"), "knows no model ffff"),
        (("rollback", "why", "--registry", "{old}"), "nothing to roll back to"),
        (("freeze", " ", "--registry", "{old}"), "a reason is needed"),
        (("list", "--registry", "{log}"), "File exists"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    trained: World, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    named = {"log": trained.log, "old": trained.registry, "new": tmp_path / "new"}
    label = next(verdicts())
    for name, text in (
        ("rumours", label + b"\n" + label.replace(b'"verdict"', b'"hearsay"')),
        ("sevens", label.replace(b'"drawn": 0.0', b'"drawn": 7')),
    ):
        named[name] = tmp_path / name
        named[name].write_bytes(text)
    assert message in refused(*(word.format(**named) for word in words))


def test_a_log_too_short_to_measure_anything_says_so(trained: World, tmp_path: Path) -> None:
    short = tmp_path / "short.jsonl"
    short.write_bytes(b"".join(trained.log.read_bytes().splitlines(keepends=True)[:2000]))
    told = models("train", short, "--registry", tmp_path / "registry", "--rules", trained.rules)
    assert "nothing is measured yet: a day is once 30 days have passed" in told
    assert "nothing is measured yet" not in trained.told


def test_the_last_training_has_to_have_seen_the_same_features(world: World) -> None:
    shutil.copy(default_pack().parent / "features.yml", world.rules)
    own = world.rules / "features.yml"
    own.write_text(
        own.read_text("utf-8").replace("count(deposit) over 1h", "count(deposit) over 2h"), "utf-8"
    )
    told = refused("train", world.log, "--registry", world.registry, "--rules", world.rules, "--continue")
    assert "train anew, without --continue" in told
