"""cohorts.json: what is written is read again, and what cannot be used is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.cohorts import check as cohorts
from detector.cohorts.load import COHORTS_FILE, MAX_BYTES, cohorts_beside, read_cohorts, written
from detector.cohorts.tables import Source
from detector.drivers.rulesets import id_of, read_rule_set, rule_set_files
from detector.errors import RuleErrors
from detector.events.money import Currencies
from tests.cohorts.tables import cohort, table, write_rule

KEY = "0123456789abcdef"
COHORT = '{"players": 20, "edges": [0, 1]}'


def text(cohorts: str = COHORT, key: str = KEY, since: str = "2026-01-01T00:00:00Z", more: str = "") -> str:
    return (
        f'{{"tables": [{{"effective_from": "{since}", {more}'
        f'"quantities": {{"{key}": {{"text": "x", "cohorts": [{cohorts}]}}}}}}]}}'
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    tables = [
        table("2026-02-01T00:00:00Z", {KEY: []}),
        table(
            "2026-01-01T00:00:00+01:00",
            {KEY: [cohort([0.1, 1 / 3, 7], "CAD"), cohort([1, 2], "CAD", "poker")]},
        ),
        table("2026-03-01T00:00:00Z", {}),
    ]
    path = tmp_path / COHORTS_FILE
    path.write_bytes(written(tables))
    assert read_cohorts(path).tables == sorted(tables, key=lambda each: each.from_us)
    assert read_cohorts(path).ids == cohorts_beside(tmp_path).ids  # type: ignore[union-attr]  # it lies there
    assert len(set(read_cohorts(path).ids)) == 3
    assert max(map(len, path.read_bytes().splitlines())) < 120, "a cohort a line"


def test_where_a_table_came_from_is_kept(tmp_path: Path) -> None:
    source = Source(log="ab", events=3, until="2026-01-01T00:00:00.000Z")
    whole = table("2026-01-01T00:00:00Z", {}).__class__(
        effective_from=table("2026-01-01T00:00:00Z", {}).effective_from, built_from=source, quantities={}
    )
    path = tmp_path / COHORTS_FILE
    path.write_bytes(written([whole]))
    assert read_cohorts(path).tables[0].built_from == source


def test_a_folder_without_any_has_none(tmp_path: Path) -> None:
    assert cohorts_beside(tmp_path) is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("{", "1:2: no JSON"),
        ('{"tables": [\n  {,}]}', "2:4: no JSON"),
        ("[]", "1:1: expected `object`, got `array`"),
        ('{"tables": []}', "1:1: $.tables: "),
        (text(key="short"), "$.tables[0]"),
        (text(since="2026-01-01T00:00:00"), "$.tables[0].effective_from"),
        (text('{"players": 9, "edges": [0, 1]}'), ".cohorts[0].players: "),
        (text('{"players": 10, "edges": [0]}'), ".cohorts[0].edges: "),
        (text('{"players": 10, "edges": [0, "1"]}'), ".cohorts[0].edges[1]: "),
        (
            text('{"players": 10, "edges": [0, 2, 1]}'),
            f"$.tables[0].quantities.{KEY}.cohorts[0].edges: they ascend",
        ),
        (text(f"{COHORT}, {COHORT}"), f"$.tables[0].quantities.{KEY}.cohorts[1]: stands twice"),
        (text(more='"effect": 1, '), "unknown field `effect`"),
        (
            f'{{"tables": [{text()[12:-2]}, {text()[12:-2]}]}}',
            "$.tables: two come into force at the same time",
        ),
        (" " * MAX_BYTES + " ", "4 MiB"),
    ],
)
def test_what_cannot_be_used_is_told(tmp_path: Path, wrong: str, told: str) -> None:
    path = tmp_path / COHORTS_FILE
    path.write_text(wrong)
    with pytest.raises(RuleErrors) as raised:
        read_cohorts(path)
    assert str(raised.value).startswith(f"{path}:")
    assert told in str(raised.value)


class TestCheck:
    def test_a_live_rule_that_the_latest_table_does_not_answer_is_a_finding(self, tmp_path: Path) -> None:
        write_rule(tmp_path)
        key = "percentile(paid)"
        assert cohorts.check([tmp_path]) == []
        (tmp_path / COHORTS_FILE).write_text(text())
        (found,) = cohorts.check([tmp_path])
        assert "has no cohorts of this" in found.message
        line = (tmp_path / "much.yml").read_text().splitlines()[found.line - 1]
        assert line[found.column - 1 :].startswith(key)

    def test_a_table_that_answers_is_none(self, tmp_path: Path) -> None:
        from detector.language.pack import load_rule

        rule = load_rule(write_rule(tmp_path))
        (tmp_path / COHORTS_FILE).write_text(text(key=rule.percentiles[0].key))
        assert cohorts.check([tmp_path, tmp_path / COHORTS_FILE]) == []

    def test_drafts_are_left_alone(self, tmp_path: Path) -> None:
        path = write_rule(tmp_path)
        path.write_text(path.read_text().replace("status: live", "status: draft"))
        (tmp_path / COHORTS_FILE).write_text(text())
        assert cohorts.check([tmp_path]) == []

    def test_a_broken_file_is_a_finding(self, tmp_path: Path) -> None:
        (tmp_path / COHORTS_FILE).write_text("{")
        assert [each.path for each in cohorts.check([tmp_path])] == [str(tmp_path / COHORTS_FILE)]


def test_tables_travel_with_the_rules_and_change_their_id(tmp_path: Path) -> None:
    write_rule(tmp_path)
    before = rule_set_files(tmp_path)
    assert COHORTS_FILE not in before
    assert read_rule_set(tmp_path, Currencies()).cohorts is None
    (tmp_path / COHORTS_FILE).write_text(text())
    after = rule_set_files(tmp_path)
    assert id_of(after) != id_of(before)
    elsewhere = tmp_path / "elsewhere"
    for name, data in after.items():
        (elsewhere / name).parent.mkdir(exist_ok=True, parents=True)
        (elsewhere / name).write_bytes(data)
    found = read_rule_set(elsewhere, Currencies())
    assert found.id == id_of(after)
    assert found.cohorts is not None
    assert found.cohorts.ids == read_cohorts(tmp_path / COHORTS_FILE).ids
