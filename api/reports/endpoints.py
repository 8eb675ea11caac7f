"""`/v1/reports`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.problems import INVALID_PARAMETER, STORE_UNAVAILABLE, documented
from api.reports.schemas import WithoutAction, WithoutActionQuery
from api.reports.service import ReportsService

router = APIRouter(prefix="/v1", tags=["reports"])


def _service(request: Request) -> ReportsService:
    service: ReportsService = request.app.state.reports
    return service


@router.get(
    "/reports/alerts-without-action", responses=documented(INVALID_PARAMETER, *PROBLEMS, STORE_UNAVAILABLE)
)
async def read_alerts_without_action(
    who: Annotated[Principal, Depends(allowed("reports:read"))],
    query: Annotated[WithoutActionQuery, Query()],
    service: Annotated[ReportsService, Depends(_service)],
) -> WithoutAction:
    """Alerts about which nobody has done anything: how many, and which, those overdue longest first.

    Whom a page shows to who sees players is recorded.
    """
    return await service.without_action(query, who)
