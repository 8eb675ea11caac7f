"""A player's risk, told to whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from api.access.roles import Scope
from api.access.service import Principal
from api.audit.service import Audit
from api.keyring import Keyring
from api.players.known import since_when
from api.players.repository import PlayersRepository
from api.players.schemas import RiskQuery
from api.problems import FORBIDDEN, UNKNOWN_PLAYER, Problem
from api.store.database import Store
from detector.events.money import Currencies
from detector.language.pack import default_pack, load_pack
from detector.language.rule import Rule
from detector.score.case import make_case
from detector.score.explain import explain
from detector.score.load import SCORES
from detector.score.scoring import Scoring
from detector.score.standing import Risk


class Grounds:
    """The rules and the scoring that the detector works by, read when they are asked for.

    They are read again when the detector says that it runs others.
    """

    def __init__(self, folder: Path | None, currencies: Currencies) -> None:
        self._folder = folder or default_pack()
        self._currencies = currencies
        self._known: tuple[str | None, Mapping[str, Rule], Scoring] | None = None

    def read(self, running: str | None) -> tuple[Mapping[str, Rule], Scoring]:
        """Rules by id, and the scoring, given the id of the set that runs."""
        known = self._known
        if known is None or known[0] != running:
            rules = load_pack(self._folder, self._currencies).rules
            known = running, {rule.id: rule for rule in rules}, SCORES.of(self._folder)
            self._known = known
        return known[1], known[2]


class PlayersService:
    """Explains players' scores as of now."""

    def __init__(
        self,
        repository: PlayersRepository,
        grounds: Grounds,
        clock: Callable[[], int],
        store: Store,
        keyring: Keyring,
        audit: Audit,
        *,
        is_distributed: bool = False,
    ) -> None:
        self._is_distributed = is_distributed
        self._store = store
        self._keyring = keyring
        self._audit = audit
        self._repository = repository
        self._grounds = grounds
        self._clock = clock

    async def risk(self, player: str, query: RiskQuery, who: Principal) -> bytes:
        """The answer's JSON: the score now, as its reader needs it; that somebody looked is recorded.

        What the platform fetches for the player themself is no view of theirs by another.

        Raises
        ------
        Problem
            Nothing is known of the player, or who asks may not read what is meant for this reader.
        """
        needed: Scope = "players:tell" if query.reader == "player" else "players:read"
        if needed not in who.scopes:
            raise Problem(FORBIDDEN, f"It takes {needed}.")
        snapshot, running = await self._repository.risk(player)
        if snapshot is None and self._is_distributed:
            snapshot = await self._nothing_held(player)
        if snapshot is None:
            raise Problem(UNKNOWN_PLAYER, "No event of this player has been judged here.")
        # Reading the rules takes a while, once.
        rules, scoring = await asyncio.to_thread(self._grounds.read, running)
        # A clock behind the events must not make an episode younger than it was.
        now_us = max(self._clock(), snapshot.at_us)
        case = make_case(snapshot.standings, now_us, scoring, rules)
        answer = msgspec.json.encode(explain(case, query.reader, query.language))
        if query.reader != "player" or who.role != "platform":
            async with self._store.write() as session:
                subject = f"player:{self._keyring.pseudonym(player)}"
                self._audit.tell(session, who.actor, "player.viewed", subject, reader=query.reader)
        return answer

    async def _nothing_held(self, player: str) -> Risk | None:
        """A player of whom no rule has held yet; None: none that is known.

        Workers keep their players to themselves, so what is archived says who there is.
        """
        async with self._store.read() as session:
            return None if await since_when(session, player) is None else Risk(player, 0, [])
