"""Simulated players: seeded, calibrated on real ones where there are figures, and plain about where not.

The same `Config` gives the same bytes, on one version of Python; the clock and any randomness but the seed's
are never consulted. What rests on data and what does not is said in `docs/simulator.md`: a detector that does
well here has shown that it works, not how well it finds real harm.
"""

from detector.simulator.config import Config
from detector.simulator.log import arrivals, events
from detector.simulator.truth import Truth, truths

__all__ = ["Config", "Truth", "arrivals", "events", "truths"]
