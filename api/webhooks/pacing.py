"""How fast an endpoint may be sent to, as the endpoint itself counts.

A receiver that admits `rate` a second and `burst` at once counts when requests arrive, which is some time
between our sending one and our knowing that it is done. So each of `burst` slots is taken from the one to the
other, and given back 1/rate later, one slot after another. Whatever the network does with our requests, no
window of T seconds then holds more than burst + rate·T arrivals:

Let x of the slots be held, when the window begins, by requests that arrived before it. What arrives in it is
in the other burst - x slots or in ones given back within it. If x = 0, the first of those is given back
1/rate after an arrival in the window, so they are at most rate·T; if not, they are at most rate·T + 1, and
burst - x + rate·T + 1 is no more than what is allowed.
"""

from __future__ import annotations


class Pace:
    """The slots of one endpoint.

    Parameters
    ----------
    freed_us
        When the last slot used so far is free again, as an earlier `Pace` had it.
    unknown
        Requests an earlier one sent of which nothing is known but that they are over by `now_us`.
    """

    def __init__(self, rate_per_s: int, burst: int, now_us: int, freed_us: int = 0, unknown: int = 0) -> None:
        self.rate_per_s, self.burst = rate_per_s, burst
        self.taken = 0
        # Never further off than it takes all slots to come free, whatever a clock did meanwhile.
        self.freed_us = min(freed_us, now_us + burst * self._step_us)
        if unknown:
            self.freed_us = max(self.freed_us, now_us) + unknown * self._step_us

    @property
    def _step_us(self) -> int:
        return -(-1_000_000 // self.rate_per_s)

    def free(self, now_us: int) -> int:
        """How many may be sent now."""
        waiting = max(0, -(-(self.freed_us - now_us) // self._step_us))
        return max(0, self.burst - self.taken - waiting)

    def next_us(self, now_us: int) -> int | None:
        """When the next slot comes free; None if that hangs on a request that is under way."""
        if self.taken >= self.burst:
            return None
        return max(now_us, self.freed_us - (self.burst - self.taken - 1) * self._step_us)

    def take(self) -> None:
        """One is being sent."""
        self.taken += 1

    def give_back(self, now_us: int) -> None:
        """One of those is over, however it ended."""
        self.taken -= 1
        self.freed_us = max(self.freed_us, now_us) + self._step_us

    def change(self, rate_per_s: int, burst: int) -> None:
        """Go on at another pace."""
        self.rate_per_s, self.burst = rate_per_s, burst
