"""Keys for everybody who takes part in a demonstration."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from api.access.roles import Role
from api.access.schemas import NewKey
from api.access.service import AccessService
from api.deployment import stored
from api.settings import Settings

ISSUER = "system:demo"
EVERYBODY: tuple[Role, ...] = ("platform", "agent", "analyst", "compliance", "admin")
"""All but partners, whose keys are each of one of them."""


async def issue_keys(settings: Settings, roles: Collection[Role] = EVERYBODY) -> Mapping[Role, str]:
    """A new key for each role, issued on the store itself."""
    async with stored(settings) as ground:
        access = AccessService(ground.store, ground.audit, ground.clock)
        async with ground.store.write() as session:
            issued = [
                await access.issue(session, NewKey(name=f"demo {role}", role=role), ISSUER) for role in roles
            ]
    return {each.role: each.key for each in issued}
