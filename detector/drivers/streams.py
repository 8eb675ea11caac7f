"""The keys that detector and service share in Redis, and how their streams are kept short."""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

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
RULES = "tw:rules"
"""Hash of the rules: the `set` that runs, from which event time in µs (`effective_from`) and since when by
the detector's clock (`since`), the set `before` it, its `rules` as JSON; the set that is `wanted` with the
number of the asking, who asked (`by`), the asking that was `answered`; the set that was `refused`, and `why`.
"""
DETECTOR = "tw:detector"
"""Hash of the running detector: `token`, `state` (loading, running) and `beat`; gone when it is."""
ALERTS = "tw:alerts"
"""Alerts of live rules, an entry each: `a` the alert's JSON, `t` the detector's clock in µs since the epoch,
and `j` the player's jurisdiction where it is known."""
NOTES = "tw:notes"
"""What corrections have touched since, an entry each: `n` the note's JSON."""
SHADOW = "tw:shadow"
"""The same of rules in shadow, which nobody acts upon."""
DEAD = "tw:dead"
"""What was refused: `reason`, `detail`, `original` and `at`, the receipt in µs since the epoch."""
FEED = "tw:feed"
"""What a screen wants to know at once: `kind` (alert, note) and `alert`, its id. Short-lived."""
INTERVENTIONS = "tw:interventions"
"""What the platform is asked to do, an entry each: `i` the intervention's JSON."""
SERVICE = "service"
"""The group on ALERTS, NOTES and INTERVENTIONS whose last delivered id is the last entry that the service has
taken into its store."""
TAKEN_OVER = (ALERTS, NOTES, INTERVENTIONS)
"""The streams that the service takes over."""
SAMPLES = "tw:samples"
"""What those who learn are told, an entry each: `s` a sample, label or flag as JSON."""
TRAINER = "trainer"
"""The group on SAMPLES whose last delivered id is the last entry in the trainer's stored state."""
PROGRESS = "tw:trainer"
"""How far the trainer has come, as JSON; gone a week after its last sign. On Kafka it tells here, too."""
INTERVENTIONS_RUNNING = "tw:interventions:running"
"""Hash: player → what was asked for lately or is in force, so that it is not asked for again."""

_LONGEST_INSTANT = 17


def make_group(redis: Redis, stream: str, group: str) -> None:
    """Have a group on a stream that has yet to read everything there; one that is there stays as it is."""
    try:
        redis.xgroup_create(stream, group, id="0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


def trim_what_was_taken(redis: Redis, stream: str, kept: int) -> int:
    """Drop the oldest entries beyond `kept` that the service has taken over; returns how many.

    Whole nodes of the stream go, so that some more are kept. What was not taken over stays, however much it
    is.
    """
    excess = redis.xlen(stream) - kept
    if excess <= 0:
        return 0
    taken = [each for each in redis.xinfo_groups(stream) if each["name"] == SERVICE.encode()]
    if not taken:
        return 0
    return int(redis.xtrim(stream, minid=taken[0]["last-delivered-id"], approximate=True, limit=excess))


def trim_behind_readers(redis: Redis, stream: str) -> int:
    """Drop the entries of a stream that every one of its groups is done with; returns how many.

    A stream without groups, or with none but the service's, keeps all it has.
    """
    if not redis.exists(stream):
        return 0
    needed = []
    groups = redis.xinfo_groups(stream)
    if all(group["name"] == SERVICE.encode() for group in groups):
        return 0
    for group in groups:
        if group["pending"]:
            pending: Any = redis.xpending(stream, group["name"])
            needed.append(order_of(pending["min"]))
        else:
            time, number = order_of(group["last-delivered-id"])
            needed.append((time, number + 1))
    time, number = min(needed)
    return int(redis.xtrim(stream, minid=f"{time}-{number}", approximate=False))


def order_of(entry_id: bytes | str) -> tuple[int, int]:
    """An entry's id as numbers, by which entries stand in order."""
    time, _, number = (entry_id.decode() if isinstance(entry_id, bytes) else entry_id).partition("-")
    return int(time), int(number)


def read_instant(text: bytes | None) -> int | None:
    """A time in µs as an entry has it; None for what is no such time, whoever wrote it."""
    if text is None or not text.isdigit() or len(text) > _LONGEST_INSTANT:
        return None
    return int(text)
