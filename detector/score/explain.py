"""Why this score, and what would lower it, for whoever asks: agent, player or regulator.

All are told of one `Case`, the same episodes and the same outlook. What differs is what helps the reader.
"""

from __future__ import annotations

from detector.language.load import LANGUAGES
from detector.score.case import Case
from detector.score.for_agent import AgentReading, for_agent
from detector.score.for_player import PlayerReading, for_player
from detector.score.for_regulator import RegulatorReading, for_regulator

READERS = ("agent", "player", "regulator")

Reading = AgentReading | PlayerReading | RegulatorReading


def explain(case: Case, reader: str, language: str = "en") -> Reading:
    """Return the case as one of READERS needs it, in one of LANGUAGES; a regulator always reads English.

    Raises
    ------
    ValueError
        For another reader or language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"explanations are in {' and '.join(LANGUAGES)}")
    if reader == "agent":
        return for_agent(case, language)
    if reader == "player":
        return for_player(case, language)
    if reader == "regulator":
        return for_regulator(case)
    raise ValueError(f"the readers are {', '.join(READERS)}")
