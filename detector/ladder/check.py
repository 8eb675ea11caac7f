"""What keeps a ladder.yml from going live, and what the lock remembers of it."""

from __future__ import annotations

from detector.ladder.ladder import LADDER_FILE
from detector.ladder.load import read
from detector.language.beside import Beside

LADDERS = Beside(LADDER_FILE, "ladder", read)
