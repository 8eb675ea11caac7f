"""Places in alerts: which table, which cohort, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from detector.cohorts.tables import Cohorts, table_id
from detector.engine.engine import Engine
from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies
from detector.language.rule import Rule
from tests.cohorts.tables import cohort, table, tables, written

HUNDREDTHS = [float(n) for n in range(101)]


def event(type_: str, at: str, number: object, player: str = "p", **more: Any) -> bytes:
    common = {"id": f"e{number}", "type": type_, "source": "s", "player": player, "ts": f"2026-{at}Z"}
    return json.dumps(common | more).encode()


def deposit(at: str, amount: int, currency: str = "CAD") -> bytes:
    return event("deposit", at, f"{at}-{amount}", amount=amount, currency=currency)


def judged(rule: Rule, cohorts: Cohorts | None, lines: Iterable[bytes]) -> Engine:
    engine = Engine([rule], cohorts=cohorts, keep_records=False)
    decoder = Decoder(Currencies())
    for line in lines:
        decoded = decoder.decode(line)
        assert not isinstance(decoded, Refusal), decoded
        engine.apply(decoded)
    engine.finish()
    return engine


def seen(rule: Rule, cohorts: Cohorts | None, *lines: bytes) -> list[tuple[object, str | None]]:
    """Each alert's place and artefact; the rule must ask for `>= 0%` to show all."""
    alerts = judged(rule, cohorts, lines).take().alerts
    places = [each for alert in alerts for each in alert.evidence if each.quantity.startswith("percentile")]
    return [(each.value, each.artefact) for each in places]


@pytest.fixture
def paid(tmp_path: Path) -> Rule:
    return written(tmp_path, when="percentile(paid) >= 0%", explain="{paid}")


def test_the_table_in_force_is_chosen_by_the_players_clock(paid: Rule) -> None:
    key = paid.percentiles[0].key
    old = table("2026-01-10T00:00:00Z", {key: [cohort(HUNDREDTHS, "CAD")]})
    new = table("2026-02-10T00:00:00Z", {key: [cohort([2 * n for n in HUNDREDTHS], "CAD", players=222)]})
    told = [
        f"cohorts {table_id(each)} from {since}" for each, since in ((old, "2026-01-10"), (new, "2026-02-10"))
    ]
    found = seen(
        paid,
        Cohorts([new, old]),
        deposit("01-09T23:59:59.999999", 50),  # nothing in force yet
        deposit("01-20T00:00:00", 50),
        deposit("02-09T23:59:58", 50),
        bet("02-10T00:00:00", 1, None),
        deposit("02-09T00:00:00", 10),  # late, and judged at the clock
    )
    assert found == [
        (0.5, f"{told[0]}T00:00:00.000Z: CAD, 100 players"),
        (0.5, f"{told[0]}T00:00:00.000Z: CAD, 100 players"),
        (0.3, f"{told[1]}T00:00:00.000Z: CAD, 222 players"),
    ]


def test_a_later_table_without_the_quantity_leaves_it_unknown(paid: Rule) -> None:
    key = paid.percentiles[0].key
    cohorts = Cohorts(
        [
            table("2026-01-01T00:00:00Z", {key: [cohort(HUNDREDTHS, "CAD")]}),
            table("2026-02-01T00:00:00Z", {}),
        ]
    )
    engine = judged(paid, cohorts, [deposit("01-20T00:00:00", 50), deposit("02-20T00:00:00", 50)])
    assert len(engine.take().alerts) == 1
    assert engine.judges.suppressed == {("much", "no cohort"): 1}


def test_money_is_held_against_the_players_own_currency(paid: Rule) -> None:
    cohorts = tables(paid, cohort(HUNDREDTHS, "CAD"), cohort([10 * n for n in HUNDREDTHS], "USD"))
    assert [place for place, _ in seen(paid, cohorts, deposit("01-20T00:00:00", 50))] == [0.5]
    assert [place for place, _ in seen(paid, cohorts, deposit("01-20T00:00:00", 50, "USD"))] == [0.05]
    assert seen(paid, cohorts, deposit("01-20T00:00:00", 50, "EUR")) == []


def test_a_rule_with_a_currency_holds_money_against_that_one(tmp_path: Path) -> None:
    rule = written(tmp_path, when="percentile(paid) >= 0% and paid >= 0 CAD")
    cohorts = tables(rule, cohort(HUNDREDTHS, "CAD"))
    # Euros cannot be converted without a rate.
    assert [place for place, _ in seen(rule, cohorts, deposit("01-20T00:00:00", 50))] == [0.5]
    engine = judged(rule, cohorts, [deposit("01-20T00:00:00", 50, "EUR")])
    assert engine.judges.suppressed == {("much", "unknown"): 1}


def test_nobody_is_of_a_cohort_whose_condition_they_do_not_meet(tmp_path: Path) -> None:
    rule = written(tmp_path, when="percentile(paid, age < 1d) >= 0%")
    cohorts = tables(rule, cohort(HUNDREDTHS, "CAD"))
    lines = [deposit("01-20T00:00:00", 50), deposit("01-20T23:00:00", 20), deposit("01-21T00:00:00", 5)]
    assert [place for place, _ in seen(rule, cohorts, *lines)] == [0.5, 0.7]
    assert judged(rule, cohorts, lines).judges.suppressed == {("much", "unknown"): 1}


def bet(at: str, number: int, product: str | None) -> bytes:
    more = {} if product is None else {"product": product}
    return event("bet", at, number, stake=100, payout=0, currency="CAD", **more)


class TestProducts:
    def test_the_latest_bets_product_decides_and_all_together_stand_in(self, tmp_path: Path) -> None:
        rule = written(
            tmp_path,
            lets=["n: count(bet) over 7d"],
            when="percentile(n) >= 0%",
            trigger="bet",
            event="bet 1 CAD 0 CAD",
            cohorts="n: [0, 1]",
        )
        cohorts = tables(
            rule,
            cohort(HUNDREDTHS),
            cohort([n / 10 for n in HUNDREDTHS], product="poker", players=77),
        )
        lines = [
            bet("01-20T10:00:00", 1, "poker"),
            bet("01-20T10:00:10", 2, "bingo"),
            bet("01-20T10:00:20", 3, "poker"),
            bet("01-20T10:00:30", 4, None),
        ]
        found = seen(rule, cohorts, *lines)
        assert [place for place, _ in found] == pytest.approx([0.1, 0.02, 0.3, 0.4])
        assert [(artefact or "").partition("Z: ")[2] for _, artefact in found] == [
            *("poker, 77 players", "all products, 100 players", "poker, 77 players", "poker, 77 players")
        ]

    def test_a_product_that_the_rule_names_is_the_only_one(self, tmp_path: Path) -> None:
        rule = written(
            tmp_path,
            lets=['n: count(bet) where product == "poker" over 7d'],
            when="percentile(n) >= 0%",
            trigger="bet",
            event="bet 1 CAD 0 CAD product=poker",
            cohorts="n: [0, 1]",
        )
        cohorts = tables(rule, cohort(HUNDREDTHS, product="poker"))
        lines = [
            bet("01-20T10:00:00", 1, "bingo"),
            bet("01-20T10:00:10", 2, "poker"),
            bet("01-20T10:00:20", 3, "x"),
        ]
        # Whoever has not played it stands nowhere; then what was played last does not matter.
        assert [place for place, _ in seen(rule, cohorts, *lines)] == [0.01, 0.01]
        assert seen(rule, tables(rule, cohort(HUNDREDTHS, product="bingo")), *lines) == []


class TestEvidence:
    def test_what_is_compared_stands_behind_its_place(self, tmp_path: Path) -> None:
        rule = written(
            tmp_path,
            lets=[
                "paid: sum(deposit.amount) over 7d",
                "each: paid / count(deposit) over 7d",
                "place: percentile(each)",
            ],
            when="place >= 90%",
            explain="{each}, above {place}",
            cohorts="each: [1 CAD, 2 CAD]",
        )
        (alert,) = (
            judged(rule, tables(rule, cohort(HUNDREDTHS, "CAD")), [deposit("01-20T00:00:00", 96)])
            .take()
            .alerts
        )
        assert [
            (each.name, each.value, each.unit, each.operator, each.threshold) for each in alert.evidence
        ] == [
            ("place", 0.96, "number", ">=", 0.9),
            ("each", 96, "CAD", None, None),
            ("paid", 96, "CAD", None, None),
            (None, 1, "count", None, None),
        ]
        assert alert.explanation == "0.96 CAD, above 96%"
        assert b'"artefact":"cohorts ' in alert.to_json()

    def test_what_hangs_on_no_table_says_nothing_of_one(self, tmp_path: Path) -> None:
        rule = written(tmp_path, when="percentile(paid) >= 90% or paid >= 0", explain="{paid}")
        (alert,) = judged(rule, None, [deposit("01-20T00:00:00", 96)]).take().alerts
        assert b"artefact" not in alert.to_json()
        assert [each.value for each in alert.evidence] == [None, 96]

    def test_an_unknown_place_leaves_the_other_side_of_an_or_alone(self, tmp_path: Path) -> None:
        rule = written(tmp_path, when="count(deposit) over 7d >= 2 or percentile(paid) >= 95%")
        engine = judged(rule, None, [deposit("01-20T00:00:00", 96), deposit("01-20T01:00:00", 96)])
        assert len(engine.take().alerts) == 1
        assert engine.judges.suppressed == {("much", "no cohort"): 1}
