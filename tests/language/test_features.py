"""features.yml, the catalogue of what models see: key by key, bound by bound."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.cli.rules import app
from detector.engine.engine import Engine
from detector.errors import Finding, RuleErrors
from detector.language.features import (
    FEATURES,
    MAX_FEATURES,
    MAX_FORMULAS,
    MAX_OWN,
    MAX_QUANTITIES,
    UNITS,
    Catalogue,
)
from detector.language.syntax import Kind, kind_of

HEAD = "version: 1\nfeatures:\n"


def feature(name: str = "paid", /, **keys: str | None) -> str:
    """A sound feature with some of its keys written otherwise (None: left out)."""
    written = {
        "formula": "sum(deposit.amount) over 7d",
        "title": "money deposited",
        "unit": "money",
        "sources": '["(start)"]',
    } | keys
    lines = (f"    {key}: {value}\n" for key, value in written.items() if value is not None)
    return f"  {name}:\n{''.join(lines)}"


def written(path: Path, text: str) -> Path:
    file = path / "features.yml"
    file.write_text(text, "utf-8")
    return file


def findings(path: Path, text: str) -> list[Finding]:
    reading = FEATURES.read(written(path, text))
    assert (reading.found is None) == bool(reading.findings)
    return reading.findings


def loaded(path: Path, text: str) -> Catalogue:
    return FEATURES.load(written(path, text))


def place(text: str, needle: str) -> tuple[int, int]:
    """Line and column of what follows a `^` in a text's first occurrence."""
    offset = text.index(needle.replace("^", "", 1)) + max(needle.find("^"), 0)
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def test_the_packaged_catalogue_is_sound() -> None:
    catalogue = FEATURES.packaged
    assert 20 < len(catalogue.features) <= MAX_FEATURES
    assert len(set(catalogue.names)) == len(catalogue.features)
    assert 0 < sum(each.own for each in catalogue.features) <= MAX_OWN
    assert {each.unit for each in catalogue.features} <= set(UNITS)
    for each in catalogue.features:
        kind = kind_of(catalogue.formulas[each.name])
        assert (each.unit == "money") == (kind is Kind.MONEY), each.name
        assert (each.unit == "hours") == (kind is Kind.DURATION), each.name
        assert each.title
        assert each.sources
    assert len(catalogue.id) == 16


def test_a_feature_may_name_those_above_it(tmp_path: Path) -> None:
    rise = feature("rise", formula="paid / usual(paid)", unit="ratio", own="yes")
    catalogue = loaded(tmp_path, HEAD + feature() + rise)
    assert catalogue.names == ("paid", "rise")
    assert [each.own for each in catalogue.features] == [False, True]


def test_a_folder_of_rules_has_its_own_or_the_packaged_one(tmp_path: Path) -> None:
    assert FEATURES.of(tmp_path) is FEATURES.packaged
    written(tmp_path, HEAD + feature())
    assert FEATURES.of(tmp_path).names == ("paid",)


@pytest.mark.parametrize(
    ("keys", "where", "message"),
    [
        ({"formla": "1"}, "^formla", 'unknown key "formla"; did you mean "formula"?'),
        ({"formula": None}, "^title", "`formula` is missing"),
        ({"title": None}, "^formula", "`title` is missing"),
        ({"unit": None}, "^formula", "`unit` is missing"),
        ({"sources": None}, "^formula", "`sources` is missing"),
        ({"sources": "one"}, "sources: ^one", "a list of texts"),
        ({"own": "often"}, "own: ^often", "yes or no"),
        ({"unit": "mony"}, "unit: ^mony", 'did you mean "money"?'),
        ({"unit": "count"}, "unit: ^count", "the formula gives money: its unit is money"),
        ({"formula": "age"}, "unit: ^money", "the formula gives a duration: its unit is hours"),
        ({"formula": "count(deposit) over 7d"}, "unit: ^money", "gives a count: its unit is not money"),
        ({"formula": "count(deposit) over 7d >= 2"}, "formula: ^count", "a number, a count, money"),
        ({"formula": "first(deposit.method) over 7d"}, "formula: ^first", "a number, a count, money"),
        ({"formula": "1 + count(bet) over 7d"}, "1 + ^count", "of bets what session_summary says"),
        ({"formula": "sum(deposit.amount) over lifetime"}, "formula: ^sum", "windows of a length"),
        ({"formula": "sum(deposit.amount) over session"}, "formula: ^sum", "windows of a length"),
        ({"formula": "2 * session_age"}, "2 * ^session_age", "not session_age, since, score"),
        ({"formula": "since(deposit)"}, "formula: ^since", "not session_age, since, score"),
        ({"formula": "1 - score(harm)"}, "1 - ^score", "not session_age, since, score"),
        ({"formula": "max(1, score(harm))"}, "max(1, ^score", "not session_age, since, score"),
        ({"formula": "count(deposti) over 7d"}, "count(^deposti", 'did you mean "deposit"?'),
        ({"formula": "piad / 2"}, "formula: ^piad", 'unknown name "piad"'),
        ({"formula": "later / 2"}, "formula: ^later", "sees only those above it"),
        ({"formula": "sum(deposit.amount) where amount > 9 CAD over 7d"}, "> ^9 CAD", "each player's own"),
        ({"formula": "''"}, "formula: ^''", "missing"),
        ({"formula": "count(deposit) over 500d"}, "over ^500d", "400d"),
        ({"formula": "z(later)"}, "z(^later", "sees only those above it"),
    ],
)
def test_a_faulty_key_is_told_where_it_stands(
    tmp_path: Path, keys: dict[str, str | None], where: str, message: str
) -> None:
    text = HEAD + feature(**keys) + feature("later")
    (found,) = findings(tmp_path, text)
    assert message in found.message
    assert (found.line, found.column) == place(text, where)


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (HEAD + feature("Paid"), "^Paid", "small letters"),
        (HEAD + feature("p" * 41), "^ppp", "at most 40"),
        (HEAD + feature("over"), "^over:", "a word of the language"),
        (HEAD + feature("score"), "^score:", "a word of the language"),
        (HEAD + "  paid: sum(deposit.amount) over 7d\n", "^sum", "a mapping of formula, title"),
        (HEAD + "  - paid\n", "^- paid", "a mapping of names to formulas"),
        ("version: 1\nfeatures: {}\n", "^{}", "a mapping of names to formulas"),
        ("version: 0\nfeatures:\n" + feature(), "version: ^0", "a whole number from 1 up"),
        ("features:\n" + feature(), "^features", "`version` is missing"),
        ("version: 1\n", "^version", "`features` is missing"),
        ("vresion: 1\n" + HEAD + feature(), "^vresion", 'did you mean "version"?'),
    ],
)
def test_what_is_no_catalogue_is_told(tmp_path: Path, text: str, where: str, message: str) -> None:
    (found,) = findings(tmp_path, text)
    assert message in found.message
    assert (found.line, found.column) == place(text, where)


def test_a_name_may_stand_once(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, HEAD + feature() + feature())
    assert (found.line, found.column) == (8, 3)


def test_all_faults_come_at_once_and_what_follows_from_one_is_not_told_again(tmp_path: Path) -> None:
    text = HEAD + feature("one", formula="agee") + feature("two", formula="one * 2") + feature(unit="mony")
    assert [each.line for each in findings(tmp_path, text)] == [4, 16]
    # The same mistake twice is told twice, each where it stands.
    bets = [feature(name, formula="count(bet) over 7d", unit="count") for name in ("one", "two")]
    assert [each.line for each in findings(tmp_path, HEAD + "".join(bets))] == [4, 9]


def counted(name: str, formula: str, **keys: str) -> str:
    return feature(name, formula=formula, unit="count", **keys)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            [counted(f"f{n}", "count(deposit) over 7d") for n in range(MAX_FEATURES + 1)],
            f"at most {MAX_FEATURES} features",
        ),
        (
            [counted(f"f{n}", "count(deposit) over 7d", own="yes") for n in range(MAX_OWN + 1)],
            f"at most {MAX_OWN} features have a habit",
        ),
        (
            [
                counted(f"f{n}", " + ".join(f"count(deposit) over {5 * n + k + 1}h" for k in range(5)))
                for n in range(MAX_QUANTITIES // 5 + 1)
            ],
            f"at most {MAX_QUANTITIES} distinct quantities",
        ),
        (
            [counted(f"f{n}", " + ".join(["1"] * 400)) for n in range(MAX_FORMULAS // 1597 + 1)],
            f"at most {MAX_FORMULAS} characters",
        ),
        ([counted("f", "1" + " " * 2_100 + "+ 1")], "at most 2000 characters"),
        ([counted("f", "(" * 40 + "1" + ")" * 40)], "nested more than 32 deep"),
    ],
    ids=["features", "habits", "quantities", "characters", "one formula", "depth"],
)
def test_hostile_sizes_are_refused(tmp_path: Path, entries: list[str], message: str) -> None:
    (found,) = findings(tmp_path, HEAD + "".join(entries))
    assert message in found.message


def test_a_file_of_any_size_ends_in_a_finding(tmp_path: Path) -> None:
    for text in ("x" * 1_000_000, "features: " + "[" * 10_000, "\x00", "&a [*a]\n", "---\n" * 9_000):
        assert findings(tmp_path, text)
    (tmp_path / "features.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(RuleErrors):
        FEATURES.load(tmp_path / "features.yml")
    with pytest.raises(RuleErrors, match="no such file"):
        FEATURES.load(tmp_path / "none.yml")


def test_names_that_double_each_time_cost_no_more_than_their_lines(tmp_path: Path) -> None:
    entries = [counted("f0", "count(deposit) over 7d")]
    entries += [counted(f"f{n}", f"f{n - 1} + f{n - 1}") for n in range(1, MAX_FEATURES)]
    catalogue = loaded(tmp_path, HEAD + "".join(entries))
    Engine((), catalogue=catalogue)


# What its id hangs on, and the lock.


def test_the_id_hangs_on_names_formulas_order_and_habits_alone(tmp_path: Path) -> None:
    two = feature("two", formula="count(deposit) over 7d", unit="count")
    plain = loaded(tmp_path, HEAD + feature() + two).id
    worded = feature(title="another", formula='"sum( deposit.amount ) over 1w"')
    assert loaded(tmp_path, "# remark\n" + HEAD + worded + two).id == plain
    for text in (
        HEAD + two + feature(),
        HEAD + feature("other") + two,
        HEAD + feature(formula="sum(deposit.amount) over 8d") + two,
        HEAD + feature(own="yes") + two,
        HEAD + feature(),
    ):
        assert loaded(tmp_path, text).id != plain


def run(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(map(str, words)), env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_rules_check_and_lock_know_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + feature())
    assert run("check", tmp_path) == (0, "features.yml checked, nothing found\n")
    assert run("lock", tmp_path)[0] == 0
    assert '"features"' in (tmp_path / "lock.json").read_text()
    written(tmp_path, HEAD + feature(formula="sum(deposit.amount) over 8d"))
    told = f"{path}:1:1: behaves otherwise than locked version 1: give it version 2\n"
    assert run("check", tmp_path) == (1, told)
    code, output = run("lock", tmp_path)
    assert code == 1
    assert "give it version 2" in output
    written(tmp_path, HEAD.replace("1", "2") + feature(formula="sum(deposit.amount) over 8d"))
    assert run("check", tmp_path)[0] == 0
    assert run("lock", tmp_path)[0] == 0
    written(tmp_path, HEAD.replace("1", "2") + feature(unit="hours"))
    code, output = run("check", path)
    assert code == 1
    assert output.startswith(f"{path}:6:11: ")
