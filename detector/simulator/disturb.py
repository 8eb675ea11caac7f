"""What happens to a good log on its way: corrections, lateness, repeats and broken lines.

Each disturbance turns a stream of (arrival, line) in order of arrival into another one, and holds back only
what is on its way. Each has a generator of its own, so that asking for one does not change another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from heapq import heappop, heappush
from random import Random
from typing import Any, Final

import msgspec

from detector.events.instants import DAY_US, MINUTE_US, rfc3339_ms
from detector.simulator.agenda import NEVER
from detector.simulator.config import Config
from detector.simulator.writer import SECOND_US, Stamped

_encode = msgspec.json.encode
_ENVELOPE: Final = ("id", "source", "player", "brand", "jurisdiction")


def disturbed(stream: Iterator[Stamped], config: Config) -> Iterator[Stamped]:
    """Apply the disturbances that `config` asks for; with none the stream itself is returned."""
    late_us = config.late_by // timedelta(microseconds=1)
    for name, share, change in (
        ("corrections", config.corrections, corrected),
        ("late", config.late, lambda rng, ts_us, line: delayed(rng, ts_us, line, late_us)),
        ("repeats", config.repeats, repeated),
        ("corrupt", config.corrupt, corrupted),
    ):
        if share:
            rng = Random(f"{config.seed}/{name}")  # noqa: S311  (a simulation, no secret)
            stream = _scatter(stream, rng, share, change)
    return stream


def _scatter(
    stream: Iterable[Stamped],
    rng: Random,
    share: float,
    change: Callable[[Random, int, bytes], Iterable[Stamped]],
) -> Iterator[Stamped]:
    """Put a share of the items through `change`, which yields what arrives in place of one, now or later."""
    held: list[tuple[int, int, bytes]] = []
    next_us = NEVER
    count = 0
    draw = rng.random
    for item in stream:
        arrival_us = item[0]
        while next_us <= arrival_us:
            ready_us, _, line = heappop(held)
            yield ready_us, line
            next_us = held[0][0] if held else NEVER
        if draw() >= share:
            yield item
            continue
        for moved_us, line in change(rng, *item):
            if moved_us <= arrival_us:
                yield moved_us, line
            else:
                count += 1
                heappush(held, (moved_us, count, line))
                next_us = held[0][0]
    while held:
        ready_us, _, line = heappop(held)
        yield ready_us, line


# -- lateness and repeats ------------------------------------------------------------------------------


def delayed(rng: Random, ts_us: int, line: bytes, late_us: int) -> Iterator[Stamped]:
    """The line alone, up to `late_us` later."""
    yield ts_us + 1 + int(late_us * rng.random()), line


def repeated(rng: Random, ts_us: int, line: bytes) -> Iterator[Stamped]:
    """The line, and once more within two minutes, mostly within seconds."""
    yield ts_us, line
    yield ts_us + 1 + int(2 * MINUTE_US * rng.random() ** 4), line


# -- corrections ---------------------------------------------------------------------------------------


def corrected(rng: Random, ts_us: int, line: bytes) -> Iterator[Stamped]:
    """The line, and if it is a bet or a deposit its void or replacement within a day."""
    yield ts_us, line
    event = msgspec.json.decode(line)
    if event["type"] not in ("bet", "deposit"):
        return
    later_us = ts_us + MINUTE_US + int((DAY_US - MINUTE_US) * rng.random() ** 2)
    later_us -= later_us % 1000
    carried = {key: value for key, value in event.items() if key not in _ENVELOPE}
    if rng.random() < 0.6:
        void = _correction(event, "v", "void", later_us)
        yield later_us, _encode(void | {"target": event["id"], "voided": carried})
        return
    # A balance would be that of the moment of the correction, which nobody knows here.
    fresh = {key: value for key, value in carried.items() if key not in ("type", "ts", "balance_after")}
    if event["type"] == "bet":
        fresh["payout"] = 0 if event["payout"] else event["stake"]
    else:
        fresh["amount"] = event["amount"] + 500
    replacement = _correction(event, "r", event["type"], later_us)
    yield later_us, _encode(replacement | {"replaces": event["id"], "replaced": carried} | fresh)


def _correction(event: dict[str, Any], suffix: str, kind: str, ts_us: int) -> dict[str, Any]:
    common = {key: event[key] for key in _ENVELOPE}
    return common | {"id": event["id"] + suffix, "type": kind, "ts": rfc3339_ms(ts_us)}


# -- broken lines --------------------------------------------------------------------------------------


def corrupted(rng: Random, ts_us: int, line: bytes) -> Iterator[Stamped]:
    """The line whole, and within half a minute after it a copy broken in one of the ways of `BREAKS`."""
    yield ts_us, line
    event = msgspec.json.decode(line)
    money = next((name for name in ("stake", "amount") if name in event), None)
    ways = _BREAKS_WITH_MONEY if money else _BREAKS_OF_ANY
    # Lines of 64 KiB are rare: they would soon be most of the file.
    reason = "too_large" if rng.random() < 0.002 else ways[int(rng.random() * len(ways))]
    yield ts_us + 1 + int(30 * SECOND_US * rng.random()), BREAKS[reason](line, event, money or "")


Break = Callable[[bytes, dict[str, Any], str], bytes]
"""Makes a broken line of (line, the same decoded, its first money field or "")."""


def _with(change: Callable[[dict[str, Any], str], dict[str, Any]]) -> Break:
    return lambda line, event, money: _encode(event | change(event, money))


BREAKS: Final[dict[str, Break]] = {
    "not_json": lambda line, event, money: line[: len(line) * 2 // 3],
    "duplicate_key": lambda line, event, money: line[:-1] + b',"player":"somebody-else"}',
    "unknown_type": _with(lambda event, money: {"type": "jackpot_party"}),
    "missing_field": lambda line, event, money: _encode(
        {key: event[key] for key in event if key != "player"}
    ),
    "wrong_field": _with(lambda event, money: {"player": 7}),
    "no_zone": _with(lambda event, money: {"ts": event["ts"].rstrip("Z")}),
    "negative_money": _with(lambda event, money: {money: -event[money] - 1}),
    "fractional_money": _with(lambda event, money: {money: event[money] + 0.5}),
    "huge_money": _with(lambda event, money: {money: 1 << 53}),
    "unknown_currency": _with(lambda event, money: {"currency": "ZZZ"}),
    "conflict": _with(lambda event, money: {money: event[money] + 100}),
    "too_large": _with(lambda event, money: {"padding": "x" * 70_000}),
}
"""Reason of the refusal → how to earn it. A conflict is well-formed: only its id has been seen before."""

_BREAKS_OF_ANY: Final = (
    "not_json",
    "duplicate_key",
    "unknown_type",
    "missing_field",
    "wrong_field",
    "no_zone",
)
_BREAKS_WITH_MONEY: Final = tuple(reason for reason in BREAKS if reason != "too_large")
