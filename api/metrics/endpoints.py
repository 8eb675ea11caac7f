"""`/metrics`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.metrics.service import MetricsService
from api.problems import STORE_UNAVAILABLE, documented

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Numbers as Prometheus reads them.", "content": {"text/plain": {}}},
        **documented(*PROBLEMS, STORE_UNAVAILABLE),
    },
)
async def read_metrics(
    _: Annotated[Principal, Depends(allowed("metrics:read"))], request: Request
) -> Response:
    """How the service fares, in numbers. Nothing in it is of a single player."""
    service: MetricsService = request.app.state.metrics
    return Response(await service.page(), headers={"content-type": CONTENT_TYPE_LATEST})
