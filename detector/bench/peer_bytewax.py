"""The rules written by hand, run by bytewax: one process, one worker, `stateful_flat_map` by player.

Bytewax is installed on its own (requirements/bench.txt); where it has no wheel, importing this fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import batched
