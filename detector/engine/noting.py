"""What an event leaves behind beside windows: times of the latest, ids to be shown, the profile in force."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter

from detector.engine.judging import RECENT
from detector.engine.kinds import Kind
from detector.events.vocabulary import PlayerProfile
from detector.players.player import NEVER, Player

RECENT_SLACK = 4  # so that not every event looks for what to drop

_at = itemgetter(0)


def note_latest(p: Player, kind: Kind, at: int) -> None:
    """Keep the time of the latest event of a type."""
    for slot in kind.latest_live:
        if p.slots[slot] is None or p.slots[slot] < at:
            p.slots[slot] = at


def note_shown(p: Player, kind: Kind, at: int, event: str, low_us: int) -> None:
    """Keep an id to be shown in alerts: the latest few, and all that an open moment may still show."""
    if p.recent is None:
        p.recent = []
    p.recent.append((at, kind.code, event, NEVER))
    if len(p.recent) <= RECENT + RECENT_SLACK:
        return
    low = min(p.clock, low_us)
    standing = sorted(known[0] for known in p.recent if known[0] <= low and known[3] == NEVER)
    if len(standing) > RECENT:
        oldest = standing[-RECENT]
        p.recent = [known for known in p.recent if known[0] >= oldest]


def note_profile(p: Player, event: PlayerProfile, at: int) -> None:
    """Keep where the player is from a time on."""
    if p.profile is None:
        p.profile = []
    place = bisect_right(p.profile, at, key=_at)
    p.profile.insert(place, (at, event.timezone, event.jurisdiction))
    p.here = None
    if event.birth_year is not None:
        p.birth_year = event.birth_year
    # Late bets look back at most a little: the last few profiles are enough.
    del p.profile[:-8]
