"""`/v1/alerts`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.alerts.acting import Acting
from api.alerts.schemas import (
    ActionTaken,
    AlertQuery,
    Assignment,
    Done,
    NewAction,
    NewVerdict,
    Snooze,
    Standing,
    VerdictGiven,
    Work,
)
from api.alerts.service import AlertsService
from api.alerts.working import Working
from api.idempotency.service import PROBLEMS as IDEMPOTENCY
from api.idempotency.service import Idempotent
from api.interventions.endpoints import ITEM
from api.problems import (
    ALREADY_ASSIGNED,
    ASKED_LATELY,
    BODY_TOO_LARGE,
    CANNOT_WAIT,
    COMPONENT,
    INVALID_PARAMETER,
    NO_REFERRAL,
    NOT_ON_THE_LADDER,
    NOTHING_DONE,
    STORE_UNAVAILABLE,
    UNKNOWN_ALERT,
    VERDICT_GIVEN,
    documented,
)
from detector.engine.alerts import Alert, Note

router = APIRouter(prefix="/v1", tags=["alerts"])

(_ALERT, _NOTE, _WORK, _DONE, _VERDICT), SCHEMAS = msgspec.json.schema_components(
    [Alert, Note, Work, Done, VerdictGiven], ref_template=COMPONENT
)


def _with(**more: dict[str, Any]) -> dict[str, Any]:
    """The schema of an alert and what stands beside it."""
    return {"allOf": [_ALERT, {"type": "object", "required": list(more), "properties": more}]}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _answers(description: str, schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": {"application/json": {"schema": schema}}}}


_PAGE: dict[str, Any] = {
    "type": "object",
    "required": ["items", "next_cursor"],
    "properties": {
        "items": _list(_with(notes=_list(_NOTE), work=_WORK)),
        "next_cursor": {"type": ["string", "null"]},
    },
}
_ONE = _with(
    notes=_list(_NOTE), work=_WORK, interventions=_list(ITEM), actions=_list(_DONE), verdicts=_list(_VERDICT)
)


def _service(request: Request) -> AlertsService:
    service: AlertsService = request.app.state.alerts
    return service


def _working(request: Request) -> Working:
    service: Working = request.app.state.working
    return service


def _acting(request: Request) -> Acting:
    service: Acting = request.app.state.acting
    return service


Service = Annotated[AlertsService, Depends(_service)]
Work_ = Annotated[Working, Depends(_working)]
Reader = Annotated[Principal, Depends(allowed("alerts:read"))]
Agent = Annotated[Principal, Depends(allowed("alerts:work"))]
Id = Annotated[str, Path(alias="id", pattern=r"^[0-9a-f]{32}$")]

_OF_ONE = (INVALID_PARAMETER, *PROBLEMS, UNKNOWN_ALERT, STORE_UNAVAILABLE)


@router.get(
    "/alerts",
    response_class=Response,
    responses={
        **_answers("A page of alerts.", _PAGE),
        **documented(INVALID_PARAMETER, STORE_UNAVAILABLE, *PROBLEMS),
    },
)
async def list_alerts(who: Reader, query: Annotated[AlertQuery, Query()], service: Service) -> Response:
    """Alerts, newest first, or in the order in which they should be worked on.

    `next_cursor` leads to the ones behind and is null at the end. Whoever sees no players reads a pseudonym
    in the player's place.
    """
    return Response(await service.find(query, who), media_type="application/json")


@router.get(
    "/alerts/{id}",
    response_class=Response,
    responses={**_answers("The alert.", _ONE), **documented(*_OF_ONE)},
)
async def get_alert(who: Reader, alert_id: Id, request: Request, service: Service) -> Response:
    """One alert with all that was asked, done and said about it. That its player was seen is recorded."""
    store = request.app.state.store
    async with store.write() if who.sees_players else store.read() as session:
        told = await service.get(session, alert_id, who)
    return Response(told, media_type="application/json")


@router.post("/alerts/{id}/assign", responses=documented(*_OF_ONE, ALREADY_ASSIGNED, BODY_TOO_LARGE))
async def assign_alert(
    who: Agent, alert_id: Id, wanted: Assignment, request: Request, working: Work_
) -> Standing:
    """Take an alert, give it to somebody, or put it back; of two at once the second is refused."""
    async with request.app.state.store.write() as session:
        return await working.assign(session, alert_id, wanted, who)


@router.post("/alerts/{id}/snooze", responses=documented(*_OF_ONE, CANNOT_WAIT, BODY_TOO_LARGE))
async def snooze_alert(
    who: Agent, alert_id: Id, wanted: Snooze, request: Request, working: Work_
) -> Standing:
    """Put work on an alert off, for a reason, until its deadline at most."""
    async with request.app.state.store.write() as session:
        return await working.snooze(session, alert_id, wanted, who)


@router.post(
    "/alerts/{id}/verdict",
    status_code=201,
    response_model=Standing,
    responses=documented(*_OF_ONE, VERDICT_GIVEN, NOTHING_DONE, *IDEMPOTENCY, BODY_TOO_LARGE),
)
async def judge_alert(
    who: Agent, alert_id: Id, given: NewVerdict, once: Idempotent, working: Work_
) -> Response:
    """Say what an alert came to, with reason codes.

    Confirming it takes an action done or ordered before: a flag without one is the breach. A verdict can be
    changed; every one is kept.
    """
    return await once.run(who, lambda session: working.judge(session, alert_id, given, who))


@router.post(
    "/alerts/{id}/actions",
    status_code=201,
    response_model=ActionTaken,
    responses=documented(
        *_OF_ONE, NOT_ON_THE_LADDER, NO_REFERRAL, ASKED_LATELY, *IDEMPOTENCY, BODY_TOO_LARGE
    ),
)
async def act_on_alert(
    who: Agent,
    alert_id: Id,
    wanted: NewAction,
    once: Idempotent,
    acting: Annotated[Acting, Depends(_acting)],
) -> Response:
    """Record what a person did about an alert, or order something of the platform, along the ladder."""
    return await once.run(who, lambda session: acting.act(session, alert_id, wanted, who))
