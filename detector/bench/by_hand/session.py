"""One session: what belongs to it, and what it was like once it is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from detector.bench.by_hand.terms import MINUTE_US, NEVER

if TYPE_CHECKING:
    from detector.events.vocabulary import Bet, Deposit

GAP_US = 30 * MINUTE_US


@dataclass(slots=True)
class Session:
    """A session; `minute` is the next moment at which it may be a long one.

    Figures are of what came while it was open; `bets` and `deposits` count what names it later, too.
    """

    start: int
    last: int
    minute: int
    channel: str | None = None
    open: bool = True
    ended: int = NEVER  # by an end of its own, or by the next one's start
    until: int = NEVER  # its own end
    bets: int = 0
    deposits: int = 0
    bets_in: int = 0
    deposits_in: int = 0
    staked: int = 0
    lost: int = 0
    squares: int = 0
    times: int = 0  # of bets, since the start
    weighted: int = 0  # times × stakes
    stake: int = 0  # the latest bet's, as are the next two
    outcome: int = 0
    bet_at: int = 0
    stake_first: int = 0
    stake_max: int = 0
    balance: int | None = None
    gaps_lost: list[int] = field(default_factory=list)
    gaps_won: list[int] = field(default_factory=list)

    @property
    def closes(self) -> int:
        """When it is over, if nothing more comes."""
        return min(self.ended, self.last + GAP_US)

    def bet(self, event: Bet, at: int) -> None:
        """Take a bet in."""
        self.bets += 1
        if not self.open:
            return
        stake = event.stake
        if self.bets_in:
            if self.outcome > 0:
                self.gaps_lost.append(at - self.bet_at)
            elif self.outcome < 0:
                self.gaps_won.append(at - self.bet_at)
            if stake > self.stake_max:
                self.stake_max = stake
        else:
            self.stake_first = self.stake_max = stake
        self.bets_in += 1
        self.outcome = outcome = stake - event.payout
        self.staked += stake
        self.lost += outcome
        self.squares += stake * stake
        since = at - self.start
        self.times += since
        self.weighted += since * stake
        self.stake, self.bet_at = stake, at
        if event.balance_after is not None:
            self.balance = event.balance_after

    def deposit(self, event: Deposit) -> None:
        """Take a deposit in."""
        self.deposits += 1
        if self.open:
            self.deposits_in += 1
            if event.balance_after is not None:
                self.balance = event.balance_after
