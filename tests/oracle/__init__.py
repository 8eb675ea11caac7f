"""The reference that the detector is held against: brute force, slow, sharing no code with it.

`run` replays a log through rules and gives the alerts; `aggregates` gives the value of any quantity after
each arrival. Both keep every event for ever and start from nothing at every judgement.

Where the design leaves room, the reading taken here is this:

- Times. A moment T (the end of a silence, a whole minute of a session) is judged on the events with ts <= T,
  all arrivals of the log considered, corrections among them by their own ts. It is due when the last
  watermark has reached it. Rules on silences, sessions and closed sessions therefore presume that no event
  comes a full grace or more behind the high mark.
- Sessions. Membership is settled when an event arrives. A session starts at its earliest event, and is cut
  by the first stretch of more than 30 min between two of its events in order of time.
- Closings. A summary is made as of its closing, on the events that have arrived, by whoever looks: a late
  event takes a closing back that a rule has seen. Silences and minutes of an instant come before its
  closings; of these the one whose session began first comes first, and each sees those before it.
- Scores. An alert bears the score after all rules of its event, or of its moment, have been judged.
- Corrections. The event that arrived is undone wherever it was counted, whatever its carrier says of it.
"""

from tests.oracle.history import GRACE, Zones
from tests.oracle.judge import Books, run
from tests.oracle.rates import Rates
from tests.oracle.readings import Reading, aggregates

__all__ = ["GRACE", "Books", "Rates", "Reading", "Zones", "aggregates", "run"]
