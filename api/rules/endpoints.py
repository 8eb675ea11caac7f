"""`/v1/rules`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.idempotency.service import PROBLEMS as IDEMPOTENCY
from api.idempotency.service import REPLAYED, Idempotent
from api.problems import (
    BODY_TOO_LARGE,
    BROKERS_UNAVAILABLE,
    INVALID_PARAMETER,
    RULES_CHANGED,
    RULES_UNFIT,
    STORE_UNAVAILABLE,
    documented,
)
from api.rules.schemas import Activated, ActivatedOnWorkers, Activation, RulesInForce
from api.rules.service import RulesService

router = APIRouter(prefix="/v1", tags=["rules"])


def _service(request: Request) -> RulesService:
    service: RulesService = request.app.state.rules
    return service


Service = Annotated[RulesService, Depends(_service)]


@router.get("/rules", response_model_exclude_unset=True, responses=documented(*PROBLEMS, STORE_UNAVAILABLE))
async def read_rules(
    _: Annotated[Principal, Depends(allowed("rules:read"))], service: Service
) -> RulesInForce:
    """The rules in force, as the detector reports them, and the set that lies in the folder."""
    return await service.in_force()


@router.post(
    "/rules/activate",
    status_code=202,
    response_model=Activated | ActivatedOnWorkers,
    responses=documented(
        INVALID_PARAMETER,
        *PROBLEMS,
        RULES_CHANGED,
        RULES_UNFIT,
        *IDEMPOTENCY,
        BODY_TOO_LARGE,
        BROKERS_UNAVAILABLE,
        STORE_UNAVAILABLE,
    ),
)
async def activate_rules(
    who: Annotated[Principal, Depends(allowed("rules:activate"))],
    wanted: Activation,
    service: Service,
    once: Idempotent,
) -> Response:
    """Put the rules of the folder in force, between two batches, without a restart.

    They are checked and their tests are run first; what is found is answered as `findings`. The detector then
    reads them again and refuses a set that was changed meanwhile; `GET /v1/rules` says what came of it.

    In front of Kafka the rules are sent to all workers, who change over at one event time some seconds ahead;
    the answer comes when they have, or after 10 s with who has not.
    """
    checked = ""

    async def check() -> None:
        nonlocal checked
        checked = await service.check(wanted)

    async def work(session: AsyncSession) -> Activated:
        return await service.activate(session, checked, who.actor)

    answer = await once.run(who, work, status=202, first=check)
    if not service.is_distributed:
        return answer
    settled = await service.settled(ActivatedOnWorkers.model_validate_json(bytes(answer.body)))
    return Response(
        settled.model_dump_json(),
        answer.status_code,
        headers={name: answer.headers[name] for name in (REPLAYED,) if name in answer.headers},
        media_type="application/json",
    )
