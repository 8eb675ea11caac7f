"""The endpoints of the desk's mail, as the settings have them."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from sqlalchemy.exc import IntegrityError

from api.deployment import Ground
from api.notifications.mail import Mailing
from api.webhooks import repository
from api.webhooks.guard import read_networks
from api.webhooks.service import EndpointsService

ACTOR = "system:settings"
OURS, ONCE_OURS = "settings", "settings before"
"""Whose an address is that stands in the settings, and one that stood there."""

RATE_PER_S, BURST = 1, 5


async def follow_settings(ground: Ground) -> None:
    """Make an endpoint of each address that the settings name, and disable those that they name no more.

    What an administrator disabled stays so.

    Raises
    ------
    SettingsError
        The settings name a mail server that cannot be used.
    """
    settings = ground.settings
    networks = read_networks(settings.webhook_networks)
    Mailing(settings, networks, 0)  # says what is wrong with the settings now, not when the first mail is due
    service = EndpointsService(ground.keyring, ground.audit, ground.clock, networks)
    wanted = (
        {} if settings.smtp_url is None else {_id(each): each for each in dict.fromkeys(settings.mail_to)}
    )
    with suppress(IntegrityError):  # another process starts too, and was quicker
        async with ground.store.write() as session:
            known = {row.id: row for row in await repository.owned(session, "desk", (OURS, ONCE_OURS))}
            for endpoint_id, address in wanted.items():
                row = known.get(endpoint_id)
                if row is None:
                    await service.open_endpoint(
                        session,
                        owner="desk",
                        owner_id=OURS,
                        kind="mail",
                        url=f"mailto:{address}",
                        signing="v1a",
                        rate_per_s=RATE_PER_S,
                        burst=BURST,
                        types=None,
                        actor=ACTOR,
                        endpoint_id=endpoint_id,
                    )
                elif row.owner_id == ONCE_OURS:
                    row.owner_id = OURS
                    await service.enable(session, endpoint_id, ACTOR)
            for endpoint_id, row in known.items():
                if endpoint_id not in wanted and row.owner_id == OURS:
                    row.owner_id = ONCE_OURS
                    await service.disable(session, endpoint_id, ACTOR)


def _id(address: str) -> str:
    # Made of the address, so that two processes that start at once make one endpoint.
    return "ep_" + hashlib.sha256(f"mail {address}".encode()).hexdigest()[:24]
