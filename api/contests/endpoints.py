"""`/v1/interventions/{id}/contest` and `/v1/contests`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.contests.schemas import Contest, ContestQuery, Contests, NewContest, NewDecision
from api.contests.service import ContestsService
from api.idempotency.service import PROBLEMS as IDEMPOTENCY
from api.idempotency.service import Idempotent
from api.problems import (
    ALREADY_CONTESTED,
    ALREADY_DECIDED,
    BODY_TOO_LARGE,
    INVALID_PARAMETER,
    NOT_CONTESTABLE,
    OWN_ORDER,
    STORE_UNAVAILABLE,
    UNKNOWN_CONTEST,
    UNKNOWN_INTERVENTION,
    documented,
)

router = APIRouter(prefix="/v1", tags=["contests"])


def _service(request: Request) -> ContestsService:
    service: ContestsService = request.app.state.contests
    return service


Service = Annotated[ContestsService, Depends(_service)]
Platform = Annotated[Principal, Depends(allowed("contests:open"))]
Reviewer = Annotated[Principal, Depends(allowed("contests:decide"))]


@router.post(
    "/interventions/{id}/contest",
    status_code=201,
    response_model=Contest,
    responses=documented(
        INVALID_PARAMETER,
        *PROBLEMS,
        UNKNOWN_INTERVENTION,
        NOT_CONTESTABLE,
        ALREADY_CONTESTED,
        *IDEMPOTENCY,
        BODY_TOO_LARGE,
        STORE_UNAVAILABLE,
    ),
)
async def contest_intervention(
    who: Platform,
    intervention_id: Annotated[str, Path(alias="id", pattern=r"^[0-9a-f]{32}$")],
    said: NewContest,
    once: Idempotent,
    service: Service,
) -> Response:
    """Contest an intervention on the player's behalf; somebody will decide on it by its `due_at`."""
    return await once.run(who, lambda session: service.open(session, intervention_id, said, who))


@router.get("/contests", responses=documented(INVALID_PARAMETER, *PROBLEMS, STORE_UNAVAILABLE))
async def list_contests(who: Reviewer, query: Annotated[ContestQuery, Query()], service: Service) -> Contests:
    """Contests of one state, those due first."""
    return await service.find(query, who)


@router.post(
    "/contests/{id}/decide",
    responses=documented(
        INVALID_PARAMETER,
        *PROBLEMS,
        UNKNOWN_CONTEST,
        ALREADY_DECIDED,
        OWN_ORDER,
        BODY_TOO_LARGE,
        STORE_UNAVAILABLE,
    ),
)
async def decide_contest(
    who: Reviewer,
    contest_id: Annotated[str, Path(alias="id", pattern=r"^ct_[0-9a-f]{32}$")],
    given: NewDecision,
    request: Request,
    service: Service,
) -> Contest:
    """Uphold or lift what was contested; whoever ordered it may not. The platform is told what is lifted."""
    async with request.app.state.store.write() as session:
        return await service.decide(session, contest_id, given, who)
