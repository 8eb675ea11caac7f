"""What a verdict on an alert teaches those who learn."""

from __future__ import annotations

from datetime import datetime

import msgspec

from api.alerts.codes import Verdict
from detector.engine.alerts import Alert
from detector.events.instants import micros
from models.sample import Label

DRAWN_BY = "score(review)"
"""The quantity by which the random review draws players; it is held against the share that it draws."""

_alert = msgspec.json.Decoder(Alert).decode


def label_of(alert_json: bytes | str, verdict: Verdict, at_us: int) -> Label | None:
    """The label that a verdict makes of an alert; None where it says nothing of harm.

    That an alert is unclear says nothing, and neither does what was found of an alert that never claimed harm
    (a follow-up, say), unless chance drew the player: the random review asks of each whether there was any.

    Parameters
    ----------
    at_us
        When the verdict was given, µs since the epoch.
    """
    if verdict == "unclear":
        return None
    alert = _alert(alert_json)
    drawn = _drawn(alert)
    if alert.audience != "risk" and not drawn:
        return None
    return Label(
        player=alert.player,
        at=at_us,
        source="verdict",
        harmed=verdict == "confirmed",
        about=micros(datetime.fromisoformat(alert.opened_at)),
        drawn=drawn,
    )


def _drawn(alert: Alert) -> float:
    """With which probability chance drew the player, 0 where the alert was for a reason."""
    for each in alert.evidence:
        if each.quantity == DRAWN_BY and isinstance(each.threshold, int | float):
            return float(each.threshold)
    return 0.0
