"""Roles and what each of them may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Role = Literal["platform", "agent", "analyst", "compliance", "partner", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

Scope = Literal[
    "events:write",
    "alerts:read",
    "alerts:work",
    "players:read",
    "players:tell",
    "players:help",
    "interventions:read",
    "interventions:acknowledge",
    "contests:open",
    "contests:decide",
    "partners:read",
    "partners:manage",
    "referrals:read",
    "referrals:record",
    "deliveries:read",
    "deliveries:replay",
    "endpoints:manage",
    "reports:read",
    "rules:read",
    "rules:activate",
    "audit:read",
    "metrics:read",
    "keys:manage",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)

MEANINGS: Mapping[Scope, str] = {
    "events:write": "send events",
    "alerts:read": "read alerts; analysts see a pseudonym in the player's place",
    "alerts:work": "take alerts, act on them, give verdicts",
    "players:read": "see a player's risk and timeline, which is recorded",
    "players:tell": "read what a player may be told, and whether marketing may reach them",
    "players:help": "ask for help on a player's behalf, show prompts, pass on answers and withdrawals",
    "interventions:read": "read what the platform is asked to do",
    "interventions:acknowledge": "say what became of it",
    "contests:open": "contest an intervention on a player's behalf",
    "contests:decide": "decide on what was contested",
    "partners:read": "read the register of aid organisations",
    "partners:manage": "change it",
    "referrals:read": "read referrals; a partner reads its own",
    "referrals:record": "record by hand what a partner without an API said",
    "deliveries:read": "see what was sent, and what could not be",
    "deliveries:replay": "send it again",
    "endpoints:manage": "say where webhooks go",
    "reports:read": "read reports",
    "rules:read": "read the rules in force",
    "rules:activate": "put rules in force",
    "audit:read": "read and verify the audit chain",
    "metrics:read": "read the service's metrics",
    "keys:manage": "issue and revoke keys",
}

GRANTS: Mapping[Role, frozenset[Scope]] = {
    "platform": frozenset(
        (
            "events:write",
            "players:tell",
            "players:help",
            "interventions:read",
            "interventions:acknowledge",
            "contests:open",
        )
    ),
    "agent": frozenset(
        (
            "alerts:read",
            "alerts:work",
            "players:read",
            "players:tell",
            "interventions:read",
            "contests:decide",
            "partners:read",
            "referrals:read",
            "referrals:record",
        )
    ),
    "analyst": frozenset(("alerts:read", "reports:read", "rules:read", "rules:activate", "metrics:read")),
    "compliance": frozenset(
        (
            "alerts:read",
            "players:read",
            "interventions:read",
            "contests:decide",
            "partners:read",
            "referrals:read",
            "deliveries:read",
            "reports:read",
            "rules:read",
            "audit:read",
            "metrics:read",
        )
    ),
    "partner": frozenset(("referrals:read",)),
    "admin": frozenset(
        (
            "partners:read",
            "partners:manage",
            "deliveries:read",
            "deliveries:replay",
            "endpoints:manage",
            "rules:read",
            "audit:read",
            "metrics:read",
            "keys:manage",
        )
    ),
}
"""Who administers does not see players, and who sees players does not administer."""

SEES_PLAYERS: frozenset[Role] = frozenset(("platform", "agent", "compliance"))
"""Everybody else gets a pseudonym, or nothing."""
