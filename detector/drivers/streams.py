"""The keys that detector and service share in Redis, and how their streams are kept short."""

from __future__ import annotations

from typing import Any

from redis import Redis

EVENTS = "tw:events"
"""Events in, an entry each: `e` the JSON as it came, `r` its receipt in µs since the epoch (optional)."""
GROUP = "detector"
"""The group on EVENTS whose last delivered id is the last event in the stored state."""
PLAYERS = "tw:players"
"""Hash: player → the engine's record."""
ENGINE = "tw:engine"
"""What the engine keeps that belongs to no single player."""
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


def notes_key(alert_id: str) -> str:
    """The list of an alert's notes, oldest first, each as JSON."""
    return f"tw:notes:{alert_id}"


def trim_behind_readers(redis: Redis, stream: str) -> int:
    """Drop the entries of a stream that every one of its groups is done with; returns how many.

    A stream without groups keeps all it has.
    """
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
