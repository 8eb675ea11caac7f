"""`/v1/players`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.players.schemas import RiskQuery, TimelineQuery
from api.players.service import PlayersService
from api.players.timeline import TimelineService
from api.problems import COMPONENT, INVALID_PARAMETER, STORE_UNAVAILABLE, UNKNOWN_PLAYER, documented
from detector.score.for_agent import AgentReading
from detector.score.for_player import PlayerReading
from detector.score.for_regulator import RegulatorReading

router = APIRouter(prefix="/v1", tags=["players"])

_READINGS, SCHEMAS = msgspec.json.schema_components(
    [AgentReading, PlayerReading, RegulatorReading], ref_template=COMPONENT
)
_ANSWER: dict[str, Any] = {"oneOf": list(_READINGS), "discriminator": {"propertyName": "reader"}}


_TIMELINE: dict[str, Any] = {
    "type": "object",
    "required": ["items", "next_cursor", "unreadable"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["kind", "at"],
                "properties": {
                    "kind": {"enum": ["event", "alert"]},
                    "at": {"type": "string", "format": "date-time"},
                    "event": {"type": "object", "description": "The event as it came."},
                    "alert": {"type": "object", "description": "The alert as the detector wrote it."},
                },
            },
        },
        "next_cursor": {"type": ["string", "null"]},
        "unreadable": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Segments of the archive that are missing or damaged: their events are not told.",
        },
    },
}


def _timeline(request: Request) -> TimelineService:
    service: TimelineService = request.app.state.timeline
    return service


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
    who: Annotated[Principal, Depends(allowed("players:read", "players:tell"))],
    player: Annotated[str, Path(min_length=1, max_length=128)],
    query: Annotated[RiskQuery, Query()],
    service: Annotated[PlayersService, Depends(_service)],
) -> Response:
    """A player's risk as of now: why it is what it is, and what would lower it, for one kind of reader.

    What is meant for a player holds no score and no numbers, and takes `players:tell`; what is meant for
    others takes `players:read`.
    """
    return Response(await service.risk(player, query, who), media_type="application/json")


@router.get(
    "/players/{player:path}/timeline",
    response_class=Response,
    responses={
        200: {
            "description": "A page of the timeline.",
            "content": {"application/json": {"schema": _TIMELINE}},
        },
        **documented(INVALID_PARAMETER, UNKNOWN_PLAYER, STORE_UNAVAILABLE, *PROBLEMS),
    },
)
async def read_timeline(
    who: Annotated[Principal, Depends(allowed("players:read"))],
    player: Annotated[str, Path(min_length=1, max_length=128)],
    query: Annotated[TimelineQuery, Query()],
    service: Annotated[TimelineService, Depends(_timeline)],
) -> Response:
    """What happened to a player, newest first: their events as they came, and their alerts.

    An event is here some seconds after it was accepted. A page may hold fewer than `limit`, even none, and
    still have a `next_cursor`.
    """
    return Response(await service.view(player, query, who), media_type="application/json")
