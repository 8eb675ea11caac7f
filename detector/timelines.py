"""Runs a rule's own tests: each timeline through a fresh engine, as a replay would take it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from detector.engine.engine import Engine, Outcome
from detector.engine.places import Places
from detector.events.decode import Decoder, Refusal
from detector.events.instants import micros, rfc3339_ms
from detector.events.money import Currencies, Rates
from detector.language.rule import ExpectedAlert, Rule, Timeline


def run_timeline(
    rule: Rule,
    timeline: Timeline,
    currencies: Currencies | None = None,
    rates: Rates | None = None,
    places: Places | None = None,
) -> list[ExpectedAlert]:
    """Every alert that a rule makes of a timeline, in order of time; ValueError for an event it refuses."""
    currencies = currencies or Currencies()
    engine = Engine([rule], places, rates, currencies, keep_records=False)
    decoder = Decoder(currencies)
    for number, raw in enumerate(timeline.events, 1):
        event = decoder.decode(raw)
        if isinstance(event, Refusal):
            raise ValueError(f"event {number} is refused: {event.reason}: {event.detail}")
        if engine.apply(event) is Outcome.CONFLICT:
            raise ValueError(f"event {number} bears the id of an earlier one with other content")
    engine.finish()
    effects = engine.take()
    return sorted(
        ExpectedAlert(micros(datetime.fromisoformat(alert.opened_at)), alert.severity, alert.kind)
        for alert in (*effects.alerts, *effects.shadow)
    )


def check_timeline(
    rule: Rule,
    timeline: Timeline,
    currencies: Currencies | None = None,
    rates: Rates | None = None,
    places: Places | None = None,
) -> list[str]:
    """What a timeline expects and does not get, or gets and does not expect; empty when all is well."""
    try:
        got = run_timeline(rule, timeline, currencies, rates, places)
    except ValueError as error:
        return [f"{timeline.name}: {error}"]
    missing, extra = list(timeline.expect), []
    for alert in got:
        # The exact one first: an expectation of any kind is left for what nothing else asks for.
        fitting = [each for each in (alert, replace(alert, kind=None)) if each in missing]
        if fitting:
            missing.remove(fitting[0])
        else:
            extra.append(alert)
    return [
        *(f"{timeline.name}: expected {_told(alert)}, which did not come" for alert in missing),
        *(f"{timeline.name}: got {_told(alert)}, which is not expected" for alert in extra),
    ]


def _told(alert: ExpectedAlert) -> str:
    return f"{alert.kind or 'alert'} {alert.severity} at {rfc3339_ms(alert.at_us)}"
