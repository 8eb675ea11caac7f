"""Who may ask what, written down by hand: the routes of the service against its roles.

A route that is missing here fails a test, so that nobody adds one without deciding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.access.roles import Role

ALLOWED: Mapping[str, Sequence[Role]] = {
    "POST /v1/events": ["platform"],
    # Alerts, and the work on them
    "GET /v1/alerts": ["agent", "analyst", "compliance"],
    "GET /v1/alerts/{id}": ["agent", "analyst", "compliance"],
    "POST /v1/alerts/{id}/actions": ["agent"],
    "POST /v1/alerts/{id}/assign": ["agent"],
    "POST /v1/alerts/{id}/snooze": ["agent"],
    "POST /v1/alerts/{id}/verdict": ["agent"],
    "GET /v1/interventions": ["platform", "agent", "compliance"],
    "GET /v1/interventions/{id}": ["platform", "agent", "compliance"],
    "POST /v1/interventions/{id}/acknowledge": ["platform"],
    "POST /v1/interventions/{id}/contest": ["platform"],
    "GET /v1/contests": ["agent", "compliance"],
    "POST /v1/contests/{id}/decide": ["agent", "compliance"],
    # Players; a platform reads no more than what the player may be told, for which it has to ask
    "GET /v1/players/{player}/risk": ["agent", "compliance"],
    "GET /v1/players/{player}/timeline": ["agent", "compliance"],
    "GET /v1/players/{player}/marketing": ["platform", "agent"],
    "GET /v1/players/{player}/prompts": ["platform"],
    # Consent
    "POST /v1/help": ["platform"],
    "POST /v1/prompts/{id}/answer": ["platform"],
    "POST /v1/consents/{id}/withdraw": ["platform"],
    "GET /v1/consents/{id}/receipt": ["platform", "compliance", "admin"],
    # Aid organisations
    "GET /v1/partners": ["agent", "compliance", "admin"],
    "GET /v1/partners/{id}": ["agent", "compliance", "admin"],
    "POST /v1/partners": ["admin"],
    "POST /v1/partners/{id}/keys": ["admin"],
    "POST /v1/partners/{id}/resume": ["admin"],
    "POST /v1/partners/{id}/suspend": ["admin"],
    "POST /v1/partners/{id}/update": ["admin"],
    "GET /v1/referrals": ["agent", "compliance", "partner"],
    "GET /v1/referrals/{token}": ["agent", "compliance", "partner"],
    "GET /v1/referrals/{token}/slip": ["platform", "agent", "compliance", "partner"],
    "POST /v1/referrals/{token}/record": ["agent"],
    # Webhooks
    "GET /v1/endpoints": ["admin"],
    "POST /v1/endpoints": ["admin"],
    "POST /v1/endpoints/{id}/disable": ["admin"],
    "POST /v1/endpoints/{id}/enable": ["admin"],
    "POST /v1/endpoints/{id}/replay": ["admin"],
    "POST /v1/endpoints/{id}/rotate": ["admin"],
    "POST /v1/endpoints/{id}/test": ["admin"],
    "GET /v1/deliveries": ["compliance", "admin"],
    "POST /v1/deliveries/{id}/replay": ["admin"],
    # What is looked over
    "GET /v1/reports/alerts-without-action": ["analyst", "compliance"],
    "GET /v1/reports/outcomes": ["analyst", "compliance"],
    "GET /v1/rules": ["analyst", "compliance", "admin"],
    "POST /v1/rules/activate": ["analyst"],
    "GET /metrics": ["analyst", "compliance", "admin"],
    "GET /v1/audit": ["compliance", "admin"],
    "GET /v1/audit/verify": ["compliance", "admin"],
    "GET /v1/keys": ["admin"],
    "POST /v1/keys": ["admin"],
    "POST /v1/keys/{id}/revoke": ["admin"],
}

OPEN = frozenset(("GET /healthz", "GET /readyz"))
"""Anybody may."""

SIGNED = frozenset(("POST /v1/referrals/{token}/status",))
"""A partner signs what it sends, which no key replaces."""
