"""Every table there is: importing this module makes the schema complete."""

from __future__ import annotations

from api.access import tables as access
from api.audit import tables as audit
from api.backoffice import tables as backoffice
from api.idempotency import tables as idempotency
from api.store.tables import Table

__all__ = ["access", "audit", "backoffice", "idempotency"]

metadata = Table.metadata
