"""Every table there is: importing this module makes the schema complete."""

from __future__ import annotations

from api.access import tables as access
from api.archive import tables as archive
from api.audit import tables as audit
from api.backoffice import tables as backoffice
from api.consent import tables as consent
from api.idempotency import tables as idempotency
from api.partners import tables as partners
from api.players import tables as players
from api.referrals import tables as referrals
from api.store.tables import Table

__all__ = [
    "access",
    "archive",
    "audit",
    "backoffice",
    "consent",
    "idempotency",
    "partners",
    "players",
    "referrals",
]

metadata = Table.metadata
