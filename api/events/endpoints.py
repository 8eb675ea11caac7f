"""`/v1/events`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.events import bodies
from api.events.foreign import ForeignFeeds
from api.events.schemas import IntakeQuery, IntakeReport
from api.events.service import EventsService
from api.metrics.counting import Counts
from api.problems import (
    BACKLOG_FULL,
    BODY_TOO_LARGE,
    BROKERS_UNAVAILABLE,
    COMPONENT,
    INVALID_PARAMETER,
    MALFORMED_BODY,
    STORE_UNAVAILABLE,
    TOO_MANY_EVENTS,
    UNSUPPORTED_BODY,
    documented,
)
from detector.events.cloudevents import BATCH, STRUCTURED

router = APIRouter(prefix="/v1", tags=["events"])

(_REPORT,), SCHEMAS = msgspec.json.schema_components([IntakeReport], ref_template=COMPONENT)

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One event, an array of events, or one event a line; plain or as CloudEvents 1.0. A "
        "CloudEvent in binary mode has its attributes in `ce-` headers and its data, as JSON, for a body.",
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}],
                },
                "example": {
                    "type": "deposit",
                    "id": "dep-1",
                    "source": "payments",
                    "player": "p-1",
                    "ts": "2026-01-01T10:00:00Z",
                    "amount": 10000,
                    "currency": "CAD",
                },
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
            STRUCTURED: {"schema": {"type": "object"}},
            BATCH: {"schema": {"type": "array", "items": {"type": "object"}}},
        },
    }
}


def _service(request: Request) -> EventsService:
    service: EventsService = request.app.state.events
    return service


def _foreign(request: Request) -> ForeignFeeds:
    foreign: ForeignFeeds = request.app.state.foreign
    return foreign


@router.post(
    "/events",
    status_code=202,
    response_class=Response,
    openapi_extra=_BODY,
    responses={
        202: {
            "description": "What became of each event.",
            "content": {"application/json": {"schema": _REPORT}},
        },
        **documented(
            INVALID_PARAMETER,
            MALFORMED_BODY,
            BODY_TOO_LARGE,
            TOO_MANY_EVENTS,
            UNSUPPORTED_BODY,
            BACKLOG_FULL,
            BROKERS_UNAVAILABLE,
            STORE_UNAVAILABLE,
            *PROBLEMS,
        ),
    },
)
async def take_events(
    request: Request,
    _: Annotated[Principal, Depends(allowed("events:write"))],
    service: Annotated[EventsService, Depends(_service)],
    foreign: Annotated[ForeignFeeds, Depends(_foreign)],
    query: Annotated[IntakeQuery, Query()],
) -> Response:
    """Take events in.

    Each is accepted, repeated or rejected by itself; what is accepted is on disk before the answer. Sending
    the same events again is safe: they are told as repeats, or, in front of Kafka, recognised later on.
    """
    body = await bodies.read(request, request.app.state.settings.max_body_bytes)
    originals = bodies.split(body, request.headers)
    if query.mapping is None:
        report = await service.take(originals)
    else:
        report = await foreign.take(service, query.mapping, originals)
    counts: Counts = request.app.state.counts
    counts.intake(report)
    return Response(msgspec.json.encode(report), 202, media_type="application/json")
