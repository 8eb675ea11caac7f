"""`/v1/players`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.players.schemas import RiskQuery
from api.players.service import PlayersService
from api.problems import COMPONENT, INVALID_PARAMETER, STORE_UNAVAILABLE, UNKNOWN_PLAYER, documented
from detector.score.for_agent import AgentReading
from detector.score.for_player import PlayerReading
from detector.score.for_regulator import RegulatorReading

router = APIRouter(prefix="/v1", tags=["players"])

_READINGS, SCHEMAS = msgspec.json.schema_components(
    [AgentReading, PlayerReading, RegulatorReading], ref_template=COMPONENT
)
_ANSWER: dict[str, Any] = {"oneOf": list(_READINGS), "discriminator": {"propertyName": "reader"}}


def _service(request: Request) -> PlayersService:
    service: PlayersService = request.app.state.players
    return service


@router.get(
    "/players/{player:path}/risk",
    response_class=Response,
    responses={
        200: {
            "description": "The score now, as its reader needs it.",
            "content": {"application/json": {"schema": _ANSWER}},
        },
        **documented(INVALID_PARAMETER, UNKNOWN_PLAYER, STORE_UNAVAILABLE, *PROBLEMS),
    },
)
async def read_risk(
    _: Annotated[Principal, Depends(allowed("players:read"))],
    player: Annotated[str, Path(min_length=1, max_length=128)],
    query: Annotated[RiskQuery, Query()],
    service: Annotated[PlayersService, Depends(_service)],
) -> Response:
    """A player's risk as of now: why it is what it is, and what would lower it, for one kind of reader.

    What is meant for a player holds no score and no numbers.
    """
    return Response(await service.risk(player, query), media_type="application/json")
