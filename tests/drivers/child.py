"""A detector in a process of its own, to be killed: `python -m tests.drivers.child URL RULES BATCH [SECS]`.

SECS is how long ago an alert may have been opened to ask for interventions.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.drivers.small import detector

if __name__ == "__main__":
    url, rules, batch, *within = sys.argv[1:]
    options = {"intervene_within_s": float(within[0])} if within else {}
    detector(url, Path(rules), batch=int(batch), **options).run(threading.Event())
