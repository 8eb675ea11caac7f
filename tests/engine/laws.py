"""What the laws of the engine are tried on: rules of every kind, and ways to run a log through them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from detector.engine.engine import Engine
from detector.engine.places import Places
from detector.events.decode import Decoder, Refusal
from detector.events.money import Currencies, Rates
from detector.language.pack import default_pack, load_pack, load_rules
from detector.language.rule import Rule
from tests.oracle.random_logs import ZONES, rates
from tests.oracle.sample_rules import TIMED, RuleFile, behaviour_rules, quantity_rules, timed_rules
from tests.oracle.sample_scores import scoring_rules
from tests.oracle.sample_sessions import (
    AT_MOMENTS,
    closing_rules,
    habit_rules,
    session_behaviour_rules,
    summary_rules,
)

CURRENCIES = Currencies()
RATES = Rates(CURRENCIES, [(*pair, Decimal(str(rate))) for pair, rate in rates().table.items()])
PLACES = Places(ZONES.brands, ZONES.jurisdictions)


@cache
def written(files: tuple[str, ...] = ("behaviour", "time", "sessions", "pack")) -> tuple[Rule, ...]:
    """Rules judged at events, as time passes, at closings, and those of the pack; all quantities if asked."""
    known: dict[str, list[RuleFile]] = {
        "behaviour": behaviour_rules(),
        "time": timed_rules(),
        "sessions": [*session_behaviour_rules(), *closing_rules(), *scoring_rules()],
        "quantities": quantity_rules(),
        "quantities in time": quantity_rules(TIMED),
        "summaries": [*summary_rules(), *habit_rules()],
        "summaries in time": [*summary_rules(AT_MOMENTS), *habit_rules(AT_MOMENTS)],
    }
    rules: list[Rule] = []
    yaml = YAML(typ="safe")
    yaml.width = 10_000
    yaml.default_flow_style = False
    for name in files:
        if name == "pack":
            rules += load_pack(default_pack()).rules
            continue
        with tempfile.TemporaryDirectory() as folder:
            for file in known[name]:
                yaml.dump(file, Path(folder) / f"{file['id']}.yml")
            rules += load_rules(folder)
    unique = {rule.id: rule for rule in rules}
    return tuple(unique.values())


def engine(rules: Sequence[Rule]) -> Engine:
    return Engine(rules, PLACES, RATES, CURRENCIES)


def feed(target: Engine, lines: Iterable[bytes]) -> None:
    decoder = Decoder(CURRENCIES)
    for line in lines:
        event = decoder.decode(line)
        assert not isinstance(event, Refusal), (event.reason, event.detail)
        target.apply(event)


def alerts(target: Engine) -> list[bytes]:
    """Every alert so far, in the order of a replay."""
    found = target.take().alerts
    found.sort(key=lambda alert: (alert.opened_at, alert.player, alert.rule, alert.id))
    return [alert.to_json() for alert in found]


def run(rules: Sequence[Rule], lines: Iterable[bytes]) -> list[bytes]:
    """The alerts of a whole log, ticked once, at its end."""
    target = engine(rules)
    feed(target, lines)
    target.finish()
    return alerts(target)
