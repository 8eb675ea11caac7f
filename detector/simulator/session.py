"""One session: from login to logout, with its rounds, wagers and the deposits between them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from random import Random
from typing import Final

from detector.events.instants import rfc3339_ms
from detector.simulator.account import Account
from detector.simulator.agenda import Agenda
from detector.simulator.games import STAKES, Product
from detector.simulator.habits import Habits, lognormal, offered_stake
from detector.simulator.trouble import Trouble
from detector.simulator.writer import SECOND_US, EventWriter, Stamped

_MAX_ROUNDS: Final = 1500

Played = Generator[Stamped, None, tuple[int, int]]
"""Yields events; returns when play ended (microseconds since the epoch) and what it lost (minor units)."""


class Sessions:
    """Plays one session after another for one player.

    Attributes
    ----------
    away_until_us
        While this lies ahead (a break, an exclusion, a player who has left) a running session ends at once.
    lost
        Net loss of the latest session, minor units; wagers not yet settled count as lost.
    """

    def __init__(
        self,
        habits: Habits,
        trouble: Trouble,
        currency: str,
        writer: EventWriter,
        agenda: Agenda,
        account: Account,
        rng: Random,
    ) -> None:
        self.away_until_us = 0
        self.lost = 0
        self._habits = habits
        self._trouble = trouble
        self._currency = currency
        self._writer = writer
        self._agenda = agenda
        self._account = account
        self._rng = rng
        self._count = 0

    def play(self, ts_us: int) -> Iterator[Stamped]:
        """Play a session that starts at `ts_us`."""
        rng, writer, account, habits = self._rng, self._writer, self._account, self._habits
        self._count += 1
        session = f"s{self._count}"
        channel = "mobile" if rng.random() < habits.mobile else "web"
        yield writer.write("session_start", ts_us, session, channel=channel)
        started_us = writer.last_us
        pause_us = int(20 * SECOND_US * habits.pace)
        yield from account.reconsider(writer.last_us + pause_us, session)
        product = habits.products[0 if rng.random() < 0.75 else int(rng.random() * len(habits.products))]
        if account.balance < (10 if product.settles_s else 20) * habits.stake:
            yield from account.deposit(writer.last_us + pause_us, session)
        if product.settles_s is None:
            ended_us, self.lost = yield from self._rounds(writer.last_us, session, product)
        else:
            ended_us, self.lost = yield from self._wagers(writer.last_us, session, product, product.settles_s)
        account.played(ended_us, self.lost, ended_us - started_us)
        if writer.last_us < self.away_until_us:
            yield writer.write("session_end", 0, session, channel=channel, reason="closed")
            return
        yield from account.cash_out(ended_us + pause_us, session)
        # Phones lose the network and browsers are closed: such a session has no end of its own.
        if rng.random() >= 0.06:
            ended_us = max(ended_us, writer.last_us) + pause_us
            yield writer.write("session_end", ended_us, session, channel=channel, reason="logout")

    def _rounds(self, ts_us: int, session: str, product: Product) -> Played:
        """Rounds that settle at once, until the player has had enough, runs dry or meets a limit."""
        rng, writer, account, agenda, trouble = (
            self._rng,
            self._writer,
            self._account,
            self._agenda,
            self._trouble,
        )
        draw, bet, outcome = rng.random, self._bet, product.outcome
        game = product.games[int(draw() * len(product.games))]
        tireless = trouble.strength("long_sessions", ts_us)
        few, many = product.rounds
        rounds = min(
            _MAX_ROUNDS,
            int(lognormal(rng, self._habits.rounds, 0.6, few, many) * (1.0 + 5.0 * tireless)),
        )
        shortest_us = int(product.gap_s[0] * self._habits.pace * SECOND_US)
        spread_us = int(product.gap_s[1] * self._habits.pace * SECOND_US) - shortest_us
        usual = self._usual_stake(ts_us)
        highest = STAKES.index(offered_stake(usual * (3.0 + 5.0 * self._heat(ts_us))))
        lowest = STAKES.index(offered_stake(usual * 0.5))
        step = STAKES.index(usual)
        stake = usual
        deposits_left = self._more_deposits(ts_us)
        # After a loss the stake is raised now and then; players who chase do it far more often.
        rise, fall = 0.012 + 0.1 * self._heat(ts_us), 0.015
        may_lose, until_us = account.room(ts_us)
        lost = 0
        for _ in range(rounds):
            ts_us += shortest_us + int(spread_us * draw())
            if agenda.next_us <= ts_us:
                yield from agenda.due(ts_us)
                if ts_us < self.away_until_us:
                    break
            if ts_us > until_us or lost >= may_lose:
                yield from account.stopped(ts_us, session)
                break
            while account.balance < stake and deposits_left > 0:
                deposits_left -= 1
                yield from account.deposit(ts_us, session)
                ts_us = max(ts_us, writer.last_us + shortest_us)
            if account.balance < stake:
                # What is left is played at the highest stake it still allows.
                stake = offered_stake(account.balance)
                if account.balance < stake:
                    break
                step = STAKES.index(stake)
            payout = stake * outcome(draw()) // 100
            lost += stake - payout
            account.balance += payout - stake
            bonus = min(stake, account.bonus)
            account.bonus -= bonus
            yield bet(ts_us, session, stake, payout, bonus, product, game)
            mood = draw()
            if payout < stake:
                if mood < rise and step < highest:
                    step += 1
                    stake = STAKES[step]
            elif mood < fall and step > lowest:
                step -= 1
                stake = STAKES[step]
        return ts_us, lost

    def _wagers(self, ts_us: int, session: str, product: Product, settles_s: tuple[float, float]) -> Played:
        """Wagers placed now and settled later, maybe long after the session."""
        rng, account, agenda = self._rng, self._account, self._agenda
        habits = self._habits
        few, many = product.rounds
        wagers = few + int((many - few) * rng.random() ** 2)
        stake = offered_stake(self._usual_stake(ts_us) * 4)
        deposits_left = self._more_deposits(ts_us)
        may_lose, until_us = account.room(ts_us)
        placed = 0
        for _ in range(wagers):
            gap_s = product.gap_s[0] + (product.gap_s[1] - product.gap_s[0]) * rng.random()
            ts_us += int(gap_s * habits.pace * SECOND_US)
            if agenda.next_us <= ts_us:
                yield from agenda.due(ts_us)
                if ts_us < self.away_until_us:
                    break
            if ts_us > until_us or placed >= may_lose:
                yield from account.stopped(ts_us, session)
                break
            if account.balance < stake and deposits_left > 0:
                deposits_left -= 1
                yield from account.deposit(ts_us, session)
                ts_us = max(ts_us, self._writer.last_us + SECOND_US)
            if account.balance < stake:
                break
            placed += stake
            account.balance -= stake
            bonus = min(stake, account.bonus)
            account.bonus -= bonus
            game = product.games[int(rng.random() * len(product.games))]
            settled_us = ts_us + int(
                (settles_s[0] + (settles_s[1] - settles_s[0]) * rng.random()) * SECOND_US
            )
            agenda.add(settled_us, partial(self._settle, session, ts_us, stake, bonus, product, game))
        return ts_us, placed

    def _settle(
        self, session: str, placed_us: int, stake: int, bonus: int, product: Product, game: str, ts_us: int
    ) -> Iterator[Stamped]:
        """One wager is decided; it belongs to the session it was placed in."""
        payout = stake * product.outcome(self._rng.random()) // 100
        self._account.balance += payout
        yield self._bet(ts_us, session, stake, payout, bonus, product, game, placed_us)

    def _bet(
        self,
        ts_us: int,
        session: str,
        stake: int,
        payout: int,
        bonus: int,
        product: Product,
        game: str,
        placed_us: int | None = None,
    ) -> Stamped:
        fields: dict[str, object] = {"stake": stake, "payout": payout, "currency": self._currency}
        if bonus:
            fields["bonus_stake"] = bonus
        fields["product"] = product.name
        fields["game"] = game
        if placed_us is not None:
            fields["placed_at"] = rfc3339_ms(placed_us)
        fields["balance_after"] = self._account.balance
        return self._writer.write("bet", ts_us, session, **fields)

    def _heat(self, ts_us: int) -> float:
        """How much the player plays to win it all back, 0 to 1."""
        trouble = self._trouble
        return max(
            trouble.strength("deposits_in_session", ts_us), trouble.strength("losses_then_churn", ts_us)
        )

    def _usual_stake(self, ts_us: int) -> int:
        return offered_stake(
            self._habits.stake
            * (1.0 + 1.5 * self._trouble.strength("escalating_deposits", ts_us))
            * (1.0 + 2.0 * self._trouble.strength("losses_then_churn", ts_us))
        )

    def _more_deposits(self, ts_us: int) -> int:
        """How often the player will deposit again in this session when the money runs out."""
        rng = self._rng
        chasing = self._trouble.strength("deposits_in_session", ts_us)
        if rng.random() < chasing:
            return 2 + int(rng.random() * 5)
        draw = rng.random()
        if draw < self._trouble.strength("long_sessions", ts_us) * 0.5:
            return 2
        # A bad night happens to anybody.
        return 3 if draw > 0.985 else 1 if draw > 0.8 else 0
