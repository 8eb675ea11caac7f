"""The engine against the oracle: the same alerts and the same evidence from random logs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from detector.engine.alerts import Alert
from detector.engine.engine import Engine
from detector.engine.places import Places
from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies, Rates
from detector.language.pack import load_rules
from detector.language.rule import Rule
from tests.oracle import run
from tests.oracle.history import SECOND, instant
from tests.oracle.random_logs import IN_GRACE, ROUGH, ZONES, Shape, random_log, rates
from tests.oracle.sample_rules import TIMED, RuleFile, behaviour_rules, quantity_rules, timed_rules
from tests.oracle.values import Known

Alerted = tuple[str, str, str, str, str, str]

CURRENCIES = Currencies()
RATES = rates()


@cache
def places() -> Places:
    return Places(ZONES.brands, ZONES.jurisdictions)


@cache
def engine_rates() -> Rates:
    rows = [(day, source, target, Decimal(str(rate))) for (day, source, target), rate in RATES.table.items()]
    return Rates(CURRENCIES, rows)


def loaded(folder: Path, rules: Iterable[RuleFile]) -> list[Rule]:
    """The rules as the detector reads them, from files."""
    yaml = YAML(typ="safe")
    yaml.width = 10_000
    yaml.default_flow_style = False
    for rule in rules:
        yaml.dump(rule, folder / f"{rule['id']}.yml")
    return load_rules(folder)


def replayed(rules: Sequence[Rule], lines: Iterable[bytes], ticks: Random) -> list[Alert]:
    """The engine's alerts, in the order of a replay; it is ticked at random, and at the end."""
    engine = Engine(rules, places(), engine_rates(), CURRENCIES)
    decoder = Decoder(CURRENCIES)
    alerts: list[Alert] = []
    often = ticks.choice([0, 0.1, 1])
    for line in lines:
        event = decoder.decode(line)
        assert not isinstance(event, Refusal), (event, line)
        engine.apply(event)
        if ticks.random() < often:
            engine.tick(engine.watermark_us)
            alerts += engine.take().alerts
    engine.tick(engine.watermark_us)
    alerts += engine.take().alerts
    return sorted(alerts, key=lambda alert: (alert.opened_at, alert.player, alert.rule, alert.id))


def seen(alert: Alert) -> Alerted:
    return alert.player, alert.rule, alert.kind, alert.severity, alert.opened_at, alert.id


def told(alert: dict[str, Any]) -> Alerted:
    """An oracle's alert as the engine writes it: the time to the millisecond (the id knows the rest)."""
    time = instant(alert["opened_at"] // 1000 * 1000).removesuffix("Z")
    milliseconds = time[:23] if "." in time else f"{time}.000"
    return alert["player"], alert["rule"], alert["kind"], alert["severity"], f"{milliseconds}Z", alert["id"]


def expected(rules: Sequence[RuleFile], lines: Sequence[bytes]) -> list[dict[str, Any]]:
    alerts = run(rules, lines, zones=ZONES, rates=RATES)
    return sorted(alerts, key=told_order)


def told_order(alert: dict[str, Any]) -> tuple[str, str, str, str]:
    player, rule, _, _, opened_at, alert_id = told(alert)
    return opened_at, player, rule, alert_id


def amount(value: Known) -> Any:
    """A value as evidence shows it: durations in seconds."""
    if value is None:
        return None
    return value.real / SECOND if value.kind == "duration" else value.amount


def assert_same(rules: Sequence[RuleFile], compiled: Sequence[Rule], lines: list[bytes], seed: int) -> None:
    """Same alerts, and within them the same values of the quantities that both show."""
    theirs = replayed(compiled, lines, Random(seed))
    ours = expected(rules, lines)
    assert [seen(alert) for alert in theirs] == [told(alert) for alert in ours]
    for alert, oracle in zip(theirs, ours, strict=True):
        evidence = {each.quantity: each.value for each in alert.evidence}
        for text, value in oracle["evidence"].items():
            assert text in evidence
            shown, wanted = evidence[text], amount(value)
            # Sums that lost and gained events may differ in the last digits of a minor unit.
            same = shown == wanted if isinstance(wanted, str) or wanted is None else shown == pytest.approx(
                wanted, rel=1e-9, abs=1e-4
            )
            assert same, (seen(alert), text, shown, wanted)


@pytest.mark.parametrize("seed", range(25))
def test_rules_judged_by_events(tmp_path: Path, seed: int) -> None:
    rules = behaviour_rules()
    assert_same(rules, loaded(tmp_path, rules), random_log(Random(seed), ROUGH), seed)


@pytest.mark.parametrize("seed", range(25))
def test_rules_judged_as_time_passes(tmp_path: Path, seed: int) -> None:
    rules = timed_rules()
    assert_same(rules, loaded(tmp_path, rules), random_log(Random(seed), IN_GRACE), seed)
