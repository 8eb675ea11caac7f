"""Every table there is: importing this module makes the schema complete."""

from __future__ import annotations

from api.access import tables as access
from api.alerts import tables as alerts
from api.archive import tables as archive
from api.audit import tables as audit
from api.backoffice import tables as backoffice
from api.consent import tables as consent
from api.contests import tables as contests
from api.idempotency import tables as idempotency
from api.interventions import tables as interventions
from api.partners import tables as partners
from api.players import tables as players
from api.referrals import tables as referrals
from api.store.tables import Table
from api.webhooks import tables as webhooks

__all__ = [
    "access",
    "alerts",
    "archive",
    "audit",
    "backoffice",
    "consent",
    "contests",
    "idempotency",
    "interventions",
    "partners",
    "players",
    "referrals",
    "webhooks",
]

metadata = Table.metadata
