"""Which session an event belongs to, as events arrive."""

from __future__ import annotations

from detector.events.vocabulary import AnyEvent, SessionEnd, SessionStart
from detector.players.player import NEVER, SESSION_GAP_US, SESSION_MEMORY_US, Player, Session


def session_of(p: Player, event: AnyEvent, at: int) -> Session | None:
    """The session an event belongs to, without changing anything: the one it names, else the latest open."""
    if event.session is not None:
        return _named(p, event.session)
    best = None
    forgotten = p.clock - SESSION_MEMORY_US
    for session in p.sessions.values():
        if session.closed_at < NEVER or at - session.last > SESSION_GAP_US or session.last <= forgotten:
            continue
        if best is None or session.start >= best.start:
            best = session
    return best


def session_went_to(p: Player, target: AnyEvent, at: int) -> Session | None:
    """The session that a target went to: the one it names, else the latest that was on at its time."""
    if target.session is not None:
        session = _named(p, target.session)
        # One that began later is another, of the same name.
        return session if session is not None and session.start <= at else None
    on = [s for s in p.sessions.values() if s.start <= at <= min(s.last, s.closed_at)]
    return max(on, key=lambda session: session.start, default=None)


def session_joined(p: Player, event: AnyEvent, at: int) -> Session | None:
    """The session an arriving event belongs to, opened, prolonged or ended by it if need be."""
    key = event.session
    if key is None and isinstance(event, SessionStart):
        # It opens one of its own; no platform's session can have this name.
        key = f"\0{event.id}"
    session = _named(p, key) if key is not None else session_of(p, event, at)
    if session is None:
        if key is None:
            return None
        session = _opened(p, key, at)
    elif at > session.last:
        if at - session.last > SESSION_GAP_US:
            session.closed_at = min(session.closed_at, session.last)
        session.last = at
    elif at < session.start:
        session.start = at
    if isinstance(event, SessionStart):
        session.channel = event.channel
        for other in p.sessions.values():
            if other is not session and other.channel == session.channel and other.start <= at:
                other.closed_at = min(other.closed_at, at)
    elif isinstance(event, SessionEnd):
        session.closed_at = min(session.closed_at, at)
    return session


def _named(p: Player, key: str) -> Session | None:
    session = p.sessions.get(key)
    return None if session is None or session.last <= p.clock - SESSION_MEMORY_US else session


def _opened(p: Player, key: str, at: int) -> Session:
    forgotten = p.clock - SESSION_MEMORY_US
    for old in [s for s in p.sessions.values() if s.last <= forgotten and s not in p.running]:
        del p.sessions[old.key]
    # The latest opened stands last, whether or not one of the same name was still here.
    p.sessions.pop(key, None)
    session = p.sessions[key] = Session(key, None, at)
    return session
