"""A detector in a process of its own, to be killed: `python -m tests.drivers.child URL RULES BATCH`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from tests.drivers.small import detector

if __name__ == "__main__":
    url, rules, batch = sys.argv[1:]
    detector(url, Path(rules), batch=int(batch)).run(threading.Event())
