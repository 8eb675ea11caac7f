"""Rounds that settle at once: one game session, from the first round to the last of one game."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from math import exp
from random import Random
from typing import Final

from detector.events.instants import MINUTE_US
from detector.simulator.account import Account
from detector.simulator.agenda import Agenda
from detector.simulator.fitted import committed
from detector.simulator.games import Product
from detector.simulator.habits import Habits
from detector.simulator.markers import Ways
from detector.simulator.writer import SECOND_US, EventWriter, Stamped

_MAX_ROUNDS: Final = 4000
_ENDS_BY_CHOICE: Final = 0.7
"""Part of the fitted chance to stop after a loss that is drawn as such: money that runs out is the rest."""
_CHANGES_BY_CHOICE: Final = 0.8
"""The same for changes of the stake after a loss: what is left of the money brings some about."""
_NEAR: Final = 256
"""Response times within a player, as so many equally likely multiples of the mean."""
_RESPONSE_SIGMA: Final = 0.55
"""Of the logarithm of response times within a player; from their standardised means in the data."""


class End(Enum):
    """Why a game session ended."""

    ENOUGH = "enough"
    DRY = "dry"
    LIMIT = "limit"
    AWAY = "away"


@dataclass(slots=True)
class Purse:
    """What a session carries from one game to the next.

    Attributes
    ----------
    lost
        Net loss so far, minor units.
    may_lose, until_us
        Where a limit of the player's own ends play.
    again
        Probability that the player deposits again when the money has run out.
    """

    lost: int
    may_lose: int
    until_us: int
    again: float


@cache
def _responses() -> tuple[float, ...]:
    """Multiples with a mean of 1, shuffled once for all: drawing one costs a quarter of a log-normal draw."""
    rng = Random("responses")  # noqa: S311  (a simulation, no secret)
    drawn = [exp(rng.gauss(0.0, _RESPONSE_SIGMA)) for _ in range(_NEAR)]
    return tuple(value * _NEAR / sum(drawn) for value in drawn)


class Rounds:
    """Plays one game session after another for one player."""

    def __init__(
        self, habits: Habits, ways: Ways, writer: EventWriter, agenda: Agenda, account: Account, rng: Random
    ) -> None:
        self._habits = habits
        self._ways = ways
        self._writer = writer
        self._agenda = agenda
        self._account = account
        self._rng = rng

    def play(
        self, ts_us: int, session: str, product: Product, game: str, ladder: tuple[int, ...], purse: Purse
    ) -> Generator[Stamped, None, tuple[int, End]]:
        """Play one game until the player has had enough, runs dry or meets a limit.

        Returns when the last round was, microseconds since the epoch, and why it was the last.
        """
        rng, writer, account, agenda, habits = (
            self._rng, self._writer, self._account, self._agenda, self._habits,
        )  # fmt: skip
        strength = self._ways.strength
        draw, bits, bet = rng.random, rng.getrandbits, writer.bet
        outcome, losing = product.outcome, product.losing
        responses, up_after = _responses(), committed().up_after

        # What the player is like in this game session; nothing below asks for the time again.
        tireless = strength("long_sessions", ts_us)
        hot = strength("stake_escalation", ts_us)
        erratic = strength("erratic_stakes", ts_us)
        clinging = strength("depletion", ts_us)
        stays = (1.0 - 0.5 * tireless) / product.stays
        stop_lost = habits.stop_after_loss * stays * _ENDS_BY_CHOICE
        stop_won = habits.stop_after_win * stays
        changes = habits.change_after_loss * _CHANGES_BY_CHOICE
        change_lost = stop_lost + changes + 0.04 * hot + 0.08 * erratic
        change_won = stop_won + habits.change_after_win + 0.08 * erratic
        up_lost = (up_after.loss * changes + 0.04 * hot + 0.04 * erratic) / max(1e-9, change_lost - stop_lost)
        pause = committed().pauses_to_stops
        spread_s = product.lasts_s[1] - product.lasts_s[0]
        # A slot's round takes its time, whoever plays it; only a demonstration is in more haste than that.
        tempo = habits.pace if spread_s else min(1.0, 1.25 * habits.pace)
        shortest_us = int(product.lasts_s[0] * tempo * SECOND_US)
        spread_us = int(spread_s * tempo * SECOND_US)
        haste = 1.0 - 0.6 * strength("speed_after_losses", ts_us)
        after_loss_us = habits.response_s * SECOND_US * haste
        after_win_us = habits.response_s * habits.win_response * SECOND_US
        top = len(ladder) - 1
        step = self._first_step(product, ladder, hot)
        stake = ladder[step]
        about = f'"currency":"{account.currency}","product":"{product.name}","game":"{game}"'
        response_us = after_loss_us
        for _ in range(_MAX_ROUNDS):
            ts_us += shortest_us + int(response_us * responses[bits(8)])
            if spread_us:
                ts_us += int(spread_us * draw() * (haste if response_us == after_loss_us else 1.0))
            if agenda.next_us <= ts_us:
                yield from agenda.due(ts_us)
                if ts_us < account.away_until_us:
                    return ts_us, End.AWAY
            if ts_us > purse.until_us or purse.lost >= purse.may_lose:
                return ts_us, End.LIMIT
            if account.balance < stake:
                while account.balance < stake and draw() < purse.again:
                    before = account.balance
                    yield from account.deposit(ts_us + int(25 * draw() * SECOND_US), session)
                    ts_us = max(ts_us, writer.last_us) + int((3 + 12 * draw()) * SECOND_US * habits.pace)
                    if account.balance == before:
                        return ts_us, End.DRY
                if account.balance < stake:
                    # What is left is not always worth another round.
                    if draw() >= 0.3 + 0.5 * clinging or account.balance < ladder[0]:
                        return ts_us, End.DRY
                    while ladder[step] > account.balance:
                        step -= 1
                    stake = ladder[step]
            chance = draw()
            payout = 0 if chance < losing else stake * outcome(chance) // 100
            purse.lost += stake - payout
            account.balance += payout - stake
            if account.bonus:
                bonus = min(stake, account.bonus)
                account.bonus -= bonus
                yield bet(
                    ts_us, session, stake, payout,
                    about.replace(",", f',"bonus_stake":{bonus},', 1), account.balance,
                )  # fmt: skip
            else:
                yield bet(ts_us, session, stake, payout, about, account.balance)
            mood = draw()
            if payout < stake:
                response_us = after_loss_us
                if mood >= change_lost:
                    continue
                stop, up = stop_lost, up_lost
            else:
                response_us = after_win_us
                if mood >= change_won:
                    continue
                stop, up = stop_won, up_after.win
            if mood >= stop:
                step = min(top, step + 1) if draw() < up else max(0, step - 1)
                stake = ladder[step]
            elif draw() < pause:
                ts_us += int((1 + 7 * draw()) * MINUTE_US * habits.pace)
            elif account.balance >= 10 * stake or draw() >= clinging:
                break
        return ts_us, End.ENOUGH

    def _first_step(self, product: Product, ladder: tuple[int, ...], hot: float) -> int:
        """Where among the stakes a game session begins."""
        draw, habits = self._rng.random, self._habits
        step = habits.step
        if draw() >= habits.steady:
            chance = draw()
            for by, share in committed().beside_main.items():
                chance -= share
                if chance < 0.0:
                    step += by
                    break
        step += (draw() < hot) + (draw() < 0.5 * hot)
        step = min(max(step, 0), len(ladder) - 1)
        if product.stakes > 1:
            # At dearer products people stake what lasts for a while.
            while step and ladder[step] * 8 > self._account.balance:
                step -= 1
        return step
