"""A player's money: deposits, withdrawals, bonuses and the limit the player has set.

The platform holds deposits to a deposit limit, and ends play at a loss or time limit. A `deposit_count`
limit only warns: players in trouble go past it. A limit that is raised counts at once, without the day's
wait that regulators ask for, and a month is 30 days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Final

from detector.events.instants import DAY_US, HOUR_US, MINUTE_US
from detector.simulator.agenda import NEVER, Agenda
from detector.simulator.habits import Habits, Limit, LimitKind, draw_limit
from detector.simulator.markers import Ways
from detector.simulator.writer import SECOND_US, EventWriter, Stamped

_PERIOD_US: Final = {"24h": DAY_US, "7d": 7 * DAY_US, "month": 30 * DAY_US}
_LIMIT_UNIT: Final = {"deposit": 1000, "deposit_count": 1, "loss": 1000, "time": 30}
_DECLINES: Final = ("insufficient_funds", "insufficient_funds", "do_not_honour", "expired_card")


class Account:
    """One player's balance and everything that moves money in or out of it, bets apart.

    Attributes
    ----------
    balance
        Real and bonus money together, minor units; never negative.
    bonus
        The part of it that is bonus money; it is staked first and cannot be withdrawn.
    currency
        Of all of it, ISO 4217.
    away_until_us
        While this lies ahead (a break, an exclusion, a player who has left) a running session ends at once.
    """

    def __init__(
        self,
        habits: Habits,
        ways: Ways,
        currency: str,
        writer: EventWriter,
        agenda: Agenda,
        rng: Random,
    ) -> None:
        self.balance = 0
        self.bonus = 0
        self.currency = currency
        self.away_until_us = 0
        self._habits = habits
        self._ways = ways
        self._writer = writer
        self._agenda = agenda
        self._rng = rng
        self._limit: Limit | None = None
        self._payments = 0
        self._deposits: list[tuple[int, int]] = []
        self._sessions: list[tuple[int, int, int]] = []
        self._withdrawals: dict[str, tuple[int, str]] = {}

    # -- deposits ----------------------------------------------------------------------------------

    def deposit(self, ts_us: int, session: str | None) -> Iterator[Stamped]:
        """Try to deposit, perhaps several times; the balance tells whether it worked."""
        rng, strength = self._rng, self._ways.strength
        amount = self._wish(ts_us)
        limit = self._limit
        if limit is not None and limit.kind == "deposit":
            amount = min(amount, (limit.value - self._deposited(ts_us, limit)) // 100 * 100)
            if amount < 500:
                yield self._reached(ts_us, session, limit, 1.0)
                return
        elif limit is not None and limit.kind == "deposit_count":
            since = ts_us - _PERIOD_US[limit.period]
            if sum(ts > since for ts, _ in self._deposits) >= limit.value:
                yield self._reached(ts_us, session, limit, 1.0)
                if rng.random() >= 0.15 + 0.7 * strength("frequent_deposits", ts_us):
                    return
        # A card that has expired declines for anybody, time after time.
        strain = 0.8 if rng.random() < 0.004 else strength("failed_deposits", ts_us)
        other = strength("payment_methods", ts_us)
        pace = self._habits.pace
        methods = self._habits.methods
        usual = rng.random() >= 0.02 + 0.4 * other
        method = methods[0 if usual else int(rng.random() * len(methods))]
        while rng.random() < 0.03 + 0.5 * strain:
            yield self._pay("deposit_failed", ts_us, session, amount, method, reason=self._decline())
            if rng.random() < 0.4 - 0.25 * strain:
                return
            if rng.random() < 0.25 + 0.4 * other:
                method = methods[int(rng.random() * len(methods))]
            ts_us += int((8 + 30 * rng.random()) * pace * SECOND_US)
        self.balance += amount
        yield self._pay("deposit", ts_us, session, amount, method, balance_after=self.balance)
        month_ago = ts_us - 30 * DAY_US
        self._deposits = [seen for seen in self._deposits if seen[0] > month_ago]
        if limit is not None and limit.kind == "deposit":
            before = self._deposited(ts_us, limit) / limit.value
            after = before + amount / limit.value
            if before < 0.8 <= after:
                yield self._reached(self._writer.last_us, session, limit, round(after, 2))
        self._deposits.append((ts_us, amount))

    def _wish(self, ts_us: int) -> int:
        """The amount the player wants to deposit now, minor units."""
        strength = self._ways.strength
        factor = (
            (0.5, 1.0, 1.0, 1.0, 2.0)[int(self._rng.random() * 5)]
            * (1.0 + 2.0 * strength("escalating_deposits", ts_us))
            * (1.0 - 0.5 * strength("frequent_deposits", ts_us))
        )
        return max(500, int(self._habits.deposit * factor) // 500 * 500)

    def _deposited(self, ts_us: int, limit: Limit) -> int:
        since = ts_us - _PERIOD_US[limit.period]
        return sum(amount for ts, amount in self._deposits if ts > since)

    def _decline(self) -> str:
        return _DECLINES[int(self._rng.random() * len(_DECLINES))]

    def _pay(
        self, kind: str, ts_us: int, session: str | None, amount: int, method: str, **more: object
    ) -> Stamped:
        return self._writer.write(
            kind,
            ts_us,
            session,
            amount=amount,
            currency=self.currency,
            method=method,
            payment=self._payment(),
            **more,
        )

    def _payment(self) -> str:
        self._payments += 1
        return f"t{self._payments}"

    # -- withdrawals -------------------------------------------------------------------------------

    def cash_out(self, ts_us: int, session: str | None) -> Iterator[Stamped]:
        """Perhaps ask for a withdrawal after play: of a win, or (cancelling players) of what is left."""
        rng, habits = self._rng, self._habits
        free = self.balance - self.bonus
        wavering = self._ways.strength("cancelled_withdrawals", ts_us)
        clinging = self._ways.strength("depletion", ts_us)
        if free >= 2 * habits.deposit:
            chance = 0.5 * (1.0 - 0.6 * clinging)
        elif free >= 5 * habits.stake and free >= 1000:
            chance = 0.04 + 0.6 * wavering
        else:
            return
        if rng.random() >= chance:
            return
        amount = max(1000, int(free * (0.5 + 0.5 * rng.random())) // 100 * 100)
        method, payment = habits.methods[0], self._payment()
        self.balance -= amount
        self._withdrawals[payment] = (amount, method)
        yield self._withdraw("withdrawal_request", ts_us, session, payment, amount, method)
        self._agenda.add(ts_us + int((6 + 54 * rng.random()) * HOUR_US), partial(self._paid_out, payment))

    def reconsider(self, ts_us: int, session: str | None) -> Iterator[Stamped]:
        """Perhaps cancel the withdrawals that are still on their way, to play with the money."""
        chance = 0.03 + 0.7 * self._ways.strength("cancelled_withdrawals", ts_us)
        for payment, (amount, method) in list(self._withdrawals.items()):
            if self._rng.random() < chance:
                del self._withdrawals[payment]
                self.balance += amount
                yield self._withdraw("withdrawal_cancel", ts_us, session, payment, amount, method)

    def _paid_out(self, payment: str, ts_us: int) -> Iterator[Stamped]:
        if payment in self._withdrawals:
            amount, method = self._withdrawals.pop(payment)
            yield self._withdraw("withdrawal", ts_us, None, payment, amount, method)

    def _withdraw(
        self, kind: str, ts_us: int, session: str | None, payment: str, amount: int, method: str
    ) -> Stamped:
        return self._writer.write(
            kind, ts_us, session, amount=amount, currency=self.currency, method=method, payment=payment
        )

    # -- gifts -------------------------------------------------------------------------------------

    def grant_bonus(self, ts_us: int) -> Iterator[Stamped]:
        """The platform gives a bonus of half a usual deposit."""
        amount = self._habits.deposit // 200 * 100
        self.balance += amount
        self.bonus += amount
        yield self._writer.write(
            "bonus", ts_us, None, amount=amount, currency=self.currency, wagering_required=20 * amount
        )

    def refund(self, ts_us: int) -> Iterator[Stamped]:
        """The platform gives back a stake of a round that failed."""
        self.balance += self._habits.stake
        yield self._writer.write(
            "refund",
            ts_us,
            None,
            amount=self._habits.stake,
            currency=self.currency,
            payment=self._payment(),
        )

    # -- the own limit -----------------------------------------------------------------------------

    def set_limit(self, new: Limit | None, ts_us: int) -> Iterator[Stamped]:
        """Set, change or (None) remove the limit."""
        old, self._limit = self._limit, new
        shape = new or old
        if shape is None:
            return
        fields: dict[str, object] = {
            "limit": shape.kind,
            "period": shape.period,
            "old": None if old is None else old.value,
            "new": None if new is None else new.value,
        }
        if shape.kind in ("deposit", "loss"):
            fields["currency"] = self.currency
        yield self._writer.write("limit_change", ts_us, None, **fields)

    def loosen_limit(self, ts_us: int) -> Iterator[Stamped]:
        """Raise the limit by a half to three times, or remove it; who has none sets one."""
        limit = self._limit
        if limit is None:
            habits = self._habits
            kind: LimitKind = ("deposit", "deposit", "loss", "time")[int(self._rng.random() * 4)]
            yield from self.set_limit(
                draw_limit(self._rng, habits.deposit, kind, habits.sessions_a_day), ts_us
            )
        else:
            unit = _LIMIT_UNIT[limit.kind]
            more = (int(limit.value * (1.5 + 1.5 * self._rng.random())) // unit + 1) * unit
            remove = self._rng.random() < 0.25
            yield from self.set_limit(None if remove else replace(limit, value=more), ts_us)

    def tighten_limit(self, ts_us: int) -> Iterator[Stamped]:
        """Lower the limit by about a quarter."""
        limit = self._limit
        if limit is not None:
            unit = _LIMIT_UNIT[limit.kind]
            less = limit.value * 3 // 4 // unit * unit
            if less:
                yield from self.set_limit(replace(limit, value=less), ts_us)

    def room(self, ts_us: int) -> tuple[int, int]:
        """How much a session that starts now may lose (minor units) and when it must end at the latest."""
        limit = self._limit
        if limit is None or limit.kind not in ("loss", "time"):
            return NEVER, NEVER
        since = ts_us - _PERIOD_US[limit.period]
        self._sessions = [seen for seen in self._sessions if seen[0] > since]
        if limit.kind == "loss":
            return limit.value - sum(lost for _, lost, _ in self._sessions), NEVER
        return NEVER, ts_us + limit.value * MINUTE_US - sum(played_us for _, _, played_us in self._sessions)

    def played(self, end_us: int, lost: int, played_us: int) -> None:
        """Keep a session for loss and time limits."""
        if self._limit is not None and self._limit.kind in ("loss", "time"):
            self._sessions.append((end_us, lost, played_us))

    def stopped(self, ts_us: int, session: str) -> Iterator[Stamped]:
        """The platform says that a loss or time limit has been reached."""
        if self._limit is not None:
            yield self._reached(ts_us, session, self._limit, 1.0)

    def _reached(self, ts_us: int, session: str | None, limit: Limit, share: float) -> Stamped:
        fields: dict[str, object] = {"limit": limit.kind, "period": limit.period, "share": share}
        if limit.kind in ("deposit", "loss"):
            fields["currency"] = self.currency
        return self._writer.write("limit_reached", ts_us, session, **fields)
