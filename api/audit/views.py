"""That somebody saw players in a list is on record, once a page."""

from __future__ import annotations

from collections.abc import Collection

from api.access.service import Principal
from api.audit.service import Audit
from api.store.database import Store


async def listed(store: Store, who: Principal, route: str, pseudonyms: Collection[str]) -> None:
    """Have it in the audit chain whom a page showed; one that shows nobody leaves nothing.

    Parameters
    ----------
    route
        The page's path, with its parameters by name.
    """
    if pseudonyms:
        async with store.write() as session:
            players = sorted(set(pseudonyms))
            Audit.tell(session, who.actor, "players.listed", f"page:{route}", players=players)
