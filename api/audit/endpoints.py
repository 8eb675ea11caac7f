"""`/v1/audit`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.audit.reading import AuditReader
from api.audit.schemas import AuditPage, AuditQuery, Verification
from api.problems import INVALID_PARAMETER, STORE_UNAVAILABLE, documented

router = APIRouter(prefix="/v1", tags=["audit"])


def _reader(request: Request) -> AuditReader:
    reader: AuditReader = request.app.state.audit_reader
    return reader


Reader = Annotated[AuditReader, Depends(_reader)]
Who = Annotated[Principal, Depends(allowed("audit:read"))]


@router.get("/audit", responses=documented(INVALID_PARAMETER, *PROBLEMS, STORE_UNAVAILABLE))
async def list_entries(_: Who, query: Annotated[AuditQuery, Query()], reader: Reader) -> AuditPage:
    """Entries of the audit chain, newest first."""
    return await reader.find(query)


@router.get("/audit/verify", responses=documented(*PROBLEMS, STORE_UNAVAILABLE))
async def verify_chain(_: Who, reader: Reader) -> Verification:
    """Whether any entry was changed, removed, inserted or moved, and whether the archive is as it was sealed.

    It reads everything there is and may take a while.
    """
    return await reader.verify()
