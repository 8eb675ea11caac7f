"""Who may ask what, written down by hand: the routes of the service against its roles.

A route that is missing here fails a test, so that nobody adds one without deciding.
"""

from __future__ import annotations

from collections.abc import Mapping

from api.access.roles import Role

ALLOWED: Mapping[str, frozenset[Role]] = {
    route: frozenset(roles)  # type: ignore[arg-type]
    for route, roles in {
        "POST /v1/events": ["platform"],
        "GET /v1/alerts": ["agent", "analyst", "compliance"],
        "GET /v1/interventions": ["platform", "agent", "compliance"],
        "GET /v1/interventions/{id}": ["platform", "agent", "compliance"],
        "POST /v1/interventions/{id}/acknowledge": ["platform"],
        "GET /v1/players/{player}/risk": ["agent", "compliance"],
        "GET /v1/keys": ["admin"],
        "POST /v1/keys": ["admin"],
        "POST /v1/keys/{id}/revoke": ["admin"],
    }.items()
}

OPEN = frozenset(("GET /healthz", "GET /readyz"))
"""Anybody may."""

SIGNED: frozenset[str] = frozenset()
"""A partner signs what it sends, which no key replaces."""
