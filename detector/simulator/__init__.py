"""Simulated players: seeded and plain, for demonstrations, tests and measurements.

The same `Config` gives the same bytes, on one version of Python; the clock and any randomness but the seed's
are never consulted. What is simulated is plausible and not fitted to real players: a detector that does well
here has shown that it works, not how well it finds real harm.
"""

from detector.simulator.config import Config
from detector.simulator.log import arrivals, events, labels
from detector.simulator.population import Label

__all__ = ["Config", "Label", "arrivals", "events", "labels"]
