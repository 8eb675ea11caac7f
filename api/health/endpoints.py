"""`/healthz` and `/readyz`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from api.health.schemas import Alive, Checks
from api.health.service import HealthService
from api.problems import NOT_READY, Problem, documented

router = APIRouter(tags=["health"])


def _service(request: Request) -> HealthService:
    service: HealthService = request.app.state.health
    return service


@router.get("/healthz")
async def is_alive() -> Alive:
    """Whether the process answers; says nothing of what it depends on."""
    return Alive()


@router.get("/readyz", response_model_exclude_unset=True, responses=documented(NOT_READY))
async def is_ready(service: Annotated[HealthService, Depends(_service)]) -> Checks:
    """Whether events are taken in and judged."""
    checks = await service.checks()
    if checks.waiting:
        raise Problem(NOT_READY, "; ".join(checks.waiting), checks=checks.model_dump(exclude_unset=True))
    return checks
