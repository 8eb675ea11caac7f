"""`/v1/interventions`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import ValidationError

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.events.bodies import read
from api.interventions.schemas import Acknowledgement, InterventionQuery, Marketing, Progress
from api.interventions.service import InterventionsService
from api.problems import (
    BODY_TOO_LARGE,
    COMPONENT,
    CONTRADICTION,
    INVALID_PARAMETER,
    NOT_FOUND,
    STORE_UNAVAILABLE,
    UNKNOWN_INTERVENTION,
    UNSUPPORTED_BODY,
    Problem,
    documented,
    invalid,
)
from api.store.adding import storable
from detector.ladder.interventions import Intervention

router = APIRouter(prefix="/v1", tags=["interventions"])

MAX_ANSWER_BYTES = 4096

(_INTERVENTION, _PROGRESS), SCHEMAS = msgspec.json.schema_components(
    [Intervention, Progress], ref_template=COMPONENT
)
ITEM: dict[str, Any] = {"allOf": [_INTERVENTION, _PROGRESS]}
_PAGE: dict[str, Any] = {
    "type": "object",
    "required": ["items", "next_cursor"],
    "properties": {
        "items": {"type": "array", "items": ITEM},
        "next_cursor": {"type": ["string", "null"]},
    },
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": Acknowledgement.model_json_schema(),
                "example": {"outcome": "done", "at": "2026-01-01T10:02:00Z"},
            }
        },
    }
}

Id = Annotated[str, Path(alias="id", pattern=r"^[0-9a-f]{32}$")]


def _service(request: Request) -> InterventionsService:
    service: InterventionsService = request.app.state.interventions
    return service


Reader = Annotated[Principal, Depends(allowed("interventions:read"))]
Platform = Annotated[Principal, Depends(allowed("interventions:acknowledge"))]
Service = Annotated[InterventionsService, Depends(_service)]


def _answers(description: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": {"application/json": {"schema": schema}}}}


@router.get(
    "/interventions",
    response_class=Response,
    responses={
        **_answers("A page of interventions.", _PAGE),
        **documented(INVALID_PARAMETER, STORE_UNAVAILABLE, *PROBLEMS),
    },
)
async def list_interventions(
    who: Reader, query: Annotated[InterventionQuery, Query()], service: Service
) -> Response:
    """Interventions of one state, those due first.

    `next_cursor` leads to the ones due later and is null at the end. Whom anybody but the platform sees is
    recorded.
    """
    return Response(await service.find(query, who), media_type="application/json")


@router.get(
    "/interventions/{id}",
    response_class=Response,
    responses={
        **_answers("The intervention.", ITEM),
        **documented(INVALID_PARAMETER, UNKNOWN_INTERVENTION, STORE_UNAVAILABLE, *PROBLEMS),
    },
)
async def get_intervention(who: Reader, intervention_id: Id, service: Service) -> Response:
    """One intervention, with where it stands."""
    return Response(await service.get(intervention_id, who), media_type="application/json")


@router.post(
    "/interventions/{id}/acknowledge",
    response_class=Response,
    openapi_extra=_BODY,
    responses={
        **_answers("The intervention as it stands then.", ITEM),
        **documented(
            INVALID_PARAMETER,
            NOT_FOUND,
            UNKNOWN_INTERVENTION,
            CONTRADICTION,
            BODY_TOO_LARGE,
            UNSUPPORTED_BODY,
            STORE_UNAVAILABLE,
            *PROBLEMS,
        ),
    },
)
async def acknowledge_intervention(
    who: Platform, intervention_id: Id, request: Request, service: Service
) -> Response:
    """Say what became of an intervention.

    The same answer again changes nothing. What failed may be tried again, and be done in the end; what takes
    an earlier answer back is refused.
    """
    said = await _said(request)
    async with request.app.state.store.write() as session:
        answer = await service.acknowledge(session, intervention_id, said, who.actor)
    return Response(answer, media_type="application/json")


@router.get(
    "/players/{player:path}/marketing",
    responses=documented(INVALID_PARAMETER, NOT_FOUND, STORE_UNAVAILABLE, *PROBLEMS),
)
async def read_marketing(
    _: Annotated[Principal, Depends(allowed("players:tell"))],
    player: Annotated[str, Path(min_length=1, max_length=128)],
    request: Request,
    service: Service,
) -> Marketing:
    """Whether marketing and offers have to stay away from a player now, and until when."""
    async with request.app.state.store.read() as session:
        return await service.marketing(session, storable(player))


async def _said(request: Request) -> Acknowledgement:
    # Any other type could be sent by a web page of somebody else's without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(UNSUPPORTED_BODY, "Send application/json.")
    body = await read(request, MAX_ANSWER_BYTES)
    try:
        return Acknowledgement.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error.errors(include_input=False, include_url=False, include_context=False)) from None
