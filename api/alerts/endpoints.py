"""`/v1/alerts`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.alerts.schemas import AlertQuery
from api.alerts.service import AlertsService
from api.problems import COMPONENT, INVALID_PARAMETER, STORE_UNAVAILABLE, documented
from detector.engine.alerts import Alert, Note

router = APIRouter(prefix="/v1", tags=["alerts"])

(_ALERT, _NOTE), SCHEMAS = msgspec.json.schema_components([Alert, Note], ref_template=COMPONENT)

_PAGE: dict[str, Any] = {
    "type": "object",
    "required": ["items", "next_cursor"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "allOf": [
                    _ALERT,
                    {
                        "type": "object",
                        "required": ["notes"],
                        "properties": {"notes": {"type": "array", "items": _NOTE}},
                    },
                ]
            },
        },
        "next_cursor": {"type": ["string", "null"]},
    },
}


def _service(request: Request) -> AlertsService:
    service: AlertsService = request.app.state.alerts
    return service


@router.get(
    "/alerts",
    response_class=Response,
    responses={
        200: {"description": "A page of alerts.", "content": {"application/json": {"schema": _PAGE}}},
        **documented(INVALID_PARAMETER, STORE_UNAVAILABLE, *PROBLEMS),
    },
)
async def list_alerts(
    _: Annotated[Principal, Depends(allowed("alerts:read"))],
    query: Annotated[AlertQuery, Query()],
    service: Annotated[AlertsService, Depends(_service)],
) -> Response:
    """Alerts, newest first.

    `next_cursor` leads to older ones and is null at the end; a page may hold fewer than `limit`, even none,
    and still have one.
    """
    return Response(await service.find(query), media_type="application/json")
