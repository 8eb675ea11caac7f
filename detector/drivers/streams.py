"""The keys that detector and service share in Redis, and how their streams are kept short."""

from __future__ import annotations

from typing import Any

from redis import Redis

EVENTS = "tw:events"
"""Events in, an entry each: `e` the JSON as it came, `r` its receipt in µs since the epoch (optional)."""
GROUP = "detector"
"""The group on EVENTS whose last delivered id is the last event in the stored state."""
ARCHIVE = "archive"
"""The group on EVENTS of whoever keeps them for good; its last delivered id is the last one kept."""
PLAYERS = "tw:players"
"""Hash: player → the engine's record."""
RISKS = "tw:risk"
"""Hash: player → where the rules that count stood when one last held, as JSON; no entry where none did."""
ENGINE = "tw:engine"
"""What the engine keeps that belongs to no single player."""
RATES = "tw:rates"
"""The exchange rates that the stored state was reckoned with."""
DETECTOR = "tw:detector"
"""Hash of the running detector: `token`, `state` (loading, running) and `beat`; gone when it is."""
ALERTS = "tw:alerts"
"""Alerts of live rules, an entry each: `a` the alert's JSON."""
SHADOW = "tw:shadow"
"""The same of rules in shadow, which nobody acts upon."""
DEAD = "tw:dead"
"""What was refused: `reason`, `detail`, `original` and `at`, the receipt in µs since the epoch."""
FEED = "tw:feed"
"""What a screen wants to know at once: `kind` (alert, note) and `alert`, its id. Short-lived."""
INTERVENTIONS = "tw:interventions"
"""What the platform is asked to do, an entry each: `i` the intervention's JSON."""
INTERVENTIONS_UNDONE = "tw:interventions:undone"
"""Sorted set: id → deadline in µs, of what nobody has acknowledged as done and has not ended."""
INTERVENTIONS_ENDS = "tw:interventions:ends"
"""Sorted set: id → end in µs, of those among the undone that end by themselves."""
INTERVENTIONS_DONE = "tw:interventions:done"
"""Sorted set: id → deadline in µs, of what was acknowledged as done."""
INTERVENTIONS_LAPSED = "tw:interventions:lapsed"
"""Sorted set: id → deadline in µs, of what ended without ever having been done."""
INTERVENTIONS_RUNNING = "tw:interventions:running"
"""Hash: player → what was asked for lately or is in force, so that it is not asked for again."""


def notes_key(alert_id: str) -> str:
    """The list of an alert's notes, oldest first, each as JSON."""
    return f"tw:notes:{alert_id}"


def intervention_key(intervention_id: str) -> str:
    """The hash of an intervention: `i` its JSON, and `a` the platform's answers, a JSON list."""
    return f"tw:intervention:{intervention_id}"


def trim_behind_readers(redis: Redis, stream: str) -> int:
    """Drop the entries of a stream that every one of its groups is done with; returns how many.

    A stream without groups keeps all it has.
    """
    if not redis.exists(stream):
        return 0
    needed = []
    for group in redis.xinfo_groups(stream):
        if group["pending"]:
            pending: Any = redis.xpending(stream, group["name"])
            needed.append(_order(pending["min"]))
        else:
            time, number = _order(group["last-delivered-id"])
            needed.append((time, number + 1))
    if not needed:
        return 0
    time, number = min(needed)
    return int(redis.xtrim(stream, minid=f"{time}-{number}", approximate=False))


def _order(entry_id: bytes) -> tuple[int, int]:
    time, _, number = entry_id.partition(b"-")
    return int(time), int(number)
