"""Short logs, told by hand: a clock that starts on 2026-01-01 and one line an event."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.oracle import Rates, Zones, aggregates, run
from tests.oracle.history import DAY, HOUR, MINUTE, SECOND, instant
from tests.oracle.sample_rules import rule

DAY_1 = 1_767_225_600 * SECOND  # 2026-01-01 00:00 UTC
CAD = {"currency": "CAD"}


def at(text: str) -> int:
    """µs of "10:00", "10:00:00.000001" or "3 10:00" (day 3; without one it is day 1)."""
    day, _, time = text.rpartition(" ")
    hours, minutes, seconds = (*time.split(":"), "0")[:3]
    whole, _, fraction = seconds.partition(".")
    micros = int(whole) * SECOND + int(fraction.ljust(6, "0") or 0)
    return DAY_1 + (int(day or 1) - 1) * DAY + int(hours) * HOUR + int(minutes) * MINUTE + micros


@dataclass
class Story:
    """Events in order of arrival, of one player; `event` gives back the id."""

    lines: list[bytes] = field(default_factory=list)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def event(self, time: str, kind: str, **fields: Any) -> str:
        content = {
            "id": f"e{len(self.lines)}",
            "type": kind,
            "source": "s",
            "player": "p",
            "ts": instant(at(time)),
        }
        if kind != "limit_change" and ("amount" in fields or "stake" in fields):
            content |= CAD
        content |= fields
        self.lines.append(json.dumps(content).encode())
        self.told[content["id"]] = content
        return content["id"]

    def deposit(self, time: str, dollars: float = 100, **fields: Any) -> str:
        return self.event(time, "deposit", amount=round(dollars * 100), **fields)

    def bet(self, time: str, dollars: float = 1, **fields: Any) -> str:
        return self.event(time, "bet", stake=round(dollars * 100), **({"payout": 0} | fields))

    def void(self, time: str, target: str, **fields: Any) -> str:
        return self.event(time, "void", target=target, voided=self.carried(target), **fields)

    def void_ahead(self, time: str, target: str, kind: str, of: str, **fields: Any) -> str:
        """Void an event that is yet to come: `target` will be its id, `of` its time."""
        return self.event(time, "void", target=target, voided={"type": kind, "ts": instant(at(of)), **fields})

    def carried(self, target: str) -> dict[str, Any]:
        return {k: v for k, v in self.told[target].items() if k not in ("id", "source", "player")}

    def tick(self, time: str) -> None:
        self.lines.append(json.dumps({"type": "tick", "ts": instant(at(time))}).encode())

    def values(self, quantity: str, **known: Any) -> list[Any]:
        """The quantity's bare amount after each accepted event, None where unknown."""
        read = aggregates(self.lines, [quantity], **known)
        values = [reading.values[quantity] for reading in read]
        return [None if value is None else value.amount for value in values]

    def last(self, quantity: str, **known: Any) -> Any:
        return self.values(quantity, **known)[-1]

    def alerts(
        self, trigger: Any, when: str, *, zones: Zones | None = None, rates: Rates | None = None, **more: Any
    ) -> list[str]:
        """What one rule alerts, each as "open low 10:00"."""
        found = run([rule("steps", trigger, when, **more)], self.lines, zones=zones, rates=rates)
        return [f"{alert['kind']} {alert['severity']} {shown(alert['opened_at'])}" for alert in found]


def shown(us: int) -> str:
    """The other way round from `at`."""
    day, rest = divmod(us - DAY_1, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds = "" if rest == 0 else f":{rest // SECOND:02}" + (f".{rest % SECOND:06}" if rest % SECOND else "")
    return (f"{day + 1} " if day else "") + f"{hours:02}:{minutes:02}{seconds}"


def times(alerts: Sequence[str]) -> list[str]:
    return [alert.split(" ", 2)[2] for alert in alerts]
