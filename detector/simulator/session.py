"""One session: from login to logout, with its games, its wagers and the deposits between them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from random import Random
from typing import Final

from detector.events.instants import DAY_US, HOUR_US, rfc3339_ms
from detector.simulator.account import Account
from detector.simulator.agenda import Agenda
from detector.simulator.games import PRODUCTS, Product
from detector.simulator.habits import Habits, stakes_of
from detector.simulator.markers import Ways
from detector.simulator.places import Jurisdiction
from detector.simulator.rounds import End, Purse, Rounds
from detector.simulator.writer import SECOND_US, EventWriter, Stamped

Played = Generator[Stamped, None, tuple[int, int]]
"""Yields events; returns when play ended (microseconds since the epoch) and what it lost (minor units)."""

_AGAIN: Final = {0: 0.06, 3: 0.10, 4: 0.14, 5: 0.18}
"""Probability of another deposit when the money has run out, by the operator's level (start)."""


class Sessions:
    """Plays one session after another for one player.

    Attributes
    ----------
    lost
        Net loss of the latest session, minor units; wagers not yet settled count as lost.
    back_us
        When the player comes back for something left undone, microseconds since the epoch; None: nothing is.
    """

    def __init__(
        self,
        habits: Habits,
        ways: Ways,
        place: Jurisdiction,
        writer: EventWriter,
        agenda: Agenda,
        account: Account,
        rng: Random,
    ) -> None:
        self.lost = 0
        self.back_us: int | None = None
        self._habits = habits
        self._ways = ways
        self._place = place
        self._writer = writer
        self._agenda = agenda
        self._account = account
        self._rng = rng
        self._rounds = Rounds(habits, ways, writer, agenda, account, rng)
        self._count = 0
        self._roams_until_us = 0
        self._product = habits.products[0]

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
        product = self._product = self._choose(ts_us)
        stake = stakes_of(self._place, product.stakes)[habits.step]
        eager = rng.random() < 0.5 * self._ways.strength("frequent_deposits", ts_us)
        if eager or account.balance < max(5 * stake, 10 * habits.stake):
            yield from account.deposit(writer.last_us + pause_us, session)
        if product.settles_s is None:
            ended_us, self.lost = yield from self._games(writer.last_us, session, product)
        else:
            ended_us, self.lost = yield from self._wagers(writer.last_us, session, product, product.settles_s)
        account.played(ended_us, self.lost, ended_us - started_us)
        if writer.last_us < account.away_until_us:
            yield writer.write("session_end", 0, session, channel=channel, reason="closed")
            return
        asked_us = writer.last_us
        yield from account.cash_out(ended_us + pause_us, session)
        if writer.last_us > asked_us:
            self._regret(writer.last_us)
        # Phones lose the network and browsers are closed: such a session has no end of its own.
        if rng.random() >= 0.06:
            ended_us = max(ended_us, writer.last_us) + pause_us
            yield writer.write("session_end", ended_us, session, channel=channel, reason="logout")

    def _regret(self, ts_us: int) -> None:
        """Who will cancel the withdrawal comes back for it, often within hours."""
        if self._rng.random() < 0.8 * self._ways.strength("cancelled_withdrawals", ts_us):
            self.back_us = ts_us + int((0.2 + 5.0 * self._rng.random()) * HOUR_US)

    def _choose(self, ts_us: int) -> Product:
        """What to play: mostly the favourite, now and then another, with harm perhaps a riskier one."""
        rng, products = self._rng, self._habits.products
        # Weeks in which everything is tried come and go: a steady taste for many products is a habit.
        roaming = self._ways.strength("product_breadth", ts_us)
        if ts_us >= self._roams_until_us and roaming and rng.random() < 0.1 * roaming:
            self._roams_until_us = ts_us + int((4 + 5 * rng.random()) * DAY_US)
        if ts_us < self._roams_until_us and rng.random() < 0.8:
            others = list(PRODUCTS.values())
            if self.lost > 0 and rng.random() < 0.5:
                others = [each for each in others if each.risk > self._product.risk] or others
            return others[int(rng.random() * len(others))]
        return products[0 if rng.random() < 0.75 else int(rng.random() * len(products))]

    def _again(self, ts_us: int) -> float:
        """Probability of another deposit when the money has run out."""
        base = _AGAIN[self._habits.level]
        return base + (0.9 - base) * self._ways.strength("deposits_in_session", ts_us)

    def _games(self, ts_us: int, session: str, product: Product) -> Played:
        """One game after another."""
        rng, account = self._rng, self._account
        ladder = stakes_of(self._place, product.stakes)
        may_lose, until_us = account.room(ts_us)
        purse = Purse(0, may_lose, until_us, self._again(ts_us))
        tireless = self._ways.strength("long_sessions", ts_us)
        another = 1.0 - 1.0 / (self._habits.games_a_session * (1.0 + 1.5 * tireless))
        game = int(rng.random() * len(product.games))
        while True:
            ts_us, end = yield from self._rounds.play(
                ts_us, session, product, product.games[game], ladder, purse
            )
            if end is End.LIMIT:
                yield from account.stopped(ts_us, session)
            if end is not End.ENOUGH or rng.random() >= another:
                return ts_us, purse.lost
            # Always a different one, so that in the log two game sessions never look like one.
            game = (game + 1 + int(rng.random() * (len(product.games) - 1))) % len(product.games)
            ts_us += int((10 + 80 * rng.random()) * self._habits.pace * SECOND_US)

    def _wagers(self, ts_us: int, session: str, product: Product, settles_s: tuple[float, float]) -> Played:
        """Wagers placed now and settled later, maybe long after the session."""
        rng, account, agenda = self._rng, self._account, self._agenda
        habits = self._habits
        few, many = product.wagers or (1, 1)
        tireless = self._ways.strength("long_sessions", ts_us)
        wagers = few + int((many - few) * rng.random() ** 2 * (1.0 + tireless))
        ladder = stakes_of(self._place, product.stakes)
        step = habits.step
        hot = self._ways.strength("stake_escalation", ts_us)
        again = self._again(ts_us)
        may_lose, until_us = account.room(ts_us)
        placed = 0
        for _ in range(wagers):
            gap_s = product.lasts_s[0] + (product.lasts_s[1] - product.lasts_s[0]) * rng.random()
            ts_us += int(gap_s * habits.pace * SECOND_US)
            if agenda.next_us <= ts_us:
                yield from agenda.due(ts_us)
                if ts_us < account.away_until_us:
                    break
            if ts_us > until_us or placed >= may_lose:
                yield from account.stopped(ts_us, session)
                break
            if account.balance < ladder[step] and rng.random() < again:
                yield from account.deposit(ts_us, session)
                ts_us = max(ts_us, self._writer.last_us + SECOND_US)
            while step and account.balance < ladder[step]:
                step -= 1
            stake = ladder[step]
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
            if rng.random() < 0.1 + 0.3 * hot:
                step = min(len(ladder) - 1, step + 1)
        return ts_us, placed

    def _settle(
        self, session: str, placed_us: int, stake: int, bonus: int, product: Product, game: str, ts_us: int
    ) -> Iterator[Stamped]:
        """One wager is decided; it belongs to the session it was placed in."""
        payout = stake * product.outcome(self._rng.random()) // 100
        self._account.balance += payout
        bonus_stake = f'"bonus_stake":{bonus},' if bonus else ""
        about = (
            f'"currency":"{self._account.currency}",{bonus_stake}"product":"{product.name}","game":"{game}",'
            f'"placed_at":"{rfc3339_ms(placed_us)}"'
        )
        yield self._writer.bet(ts_us, session, stake, payout, about, self._account.balance)
