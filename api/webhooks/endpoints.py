"""`/v1/endpoints` and `/v1/deliveries`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.idempotency.service import PROBLEMS as IDEMPOTENCY
from api.idempotency.service import Idempotent
from api.problems import (
    BODY_TOO_LARGE,
    CONTRADICTION,
    INVALID_PARAMETER,
    STORE_UNAVAILABLE,
    UNKNOWN_DELIVERY,
    UNKNOWN_ENDPOINT,
    documented,
)
from api.webhooks.deliveries_service import DeliveriesService
from api.webhooks.schemas import (
    Deliveries,
    DeliveryQuery,
    DeliveryShown,
    EndpointQuery,
    Endpoints,
    EndpointShown,
    EndpointWithSecret,
    NewEndpoint,
    Replayed,
    ReplayWanted,
    Rotation,
)
from api.webhooks.service import EndpointsService

router = APIRouter(prefix="/v1", tags=["webhooks"])


def _endpoints(request: Request) -> EndpointsService:
    service: EndpointsService = request.app.state.endpoints
    return service


def _deliveries(request: Request) -> DeliveriesService:
    service: DeliveriesService = request.app.state.deliveries
    return service


EndpointsOf = Annotated[EndpointsService, Depends(_endpoints)]
DeliveriesOf = Annotated[DeliveriesService, Depends(_deliveries)]
Manager = Annotated[Principal, Depends(allowed("endpoints:manage"))]
Reader = Annotated[Principal, Depends(allowed("deliveries:read"))]
Replayer = Annotated[Principal, Depends(allowed("deliveries:replay"))]
EndpointId = Annotated[str, Path(alias="id", pattern=r"^ep_[0-9a-f]{24}$")]
DeliveryId = Annotated[str, Path(alias="id", pattern=r"^msg_[0-9a-f]{32}$")]

_ASKED = (INVALID_PARAMETER, *PROBLEMS, STORE_UNAVAILABLE)
_DONE_ONCE = (*_ASKED, *IDEMPOTENCY, BODY_TOO_LARGE)


@router.get("/endpoints", responses=documented(*_ASKED))
async def list_endpoints(
    _: Manager, query: Annotated[EndpointQuery, Query()], request: Request, service: EndpointsOf
) -> Endpoints:
    """Where messages go: to partners, the platform and the desk."""
    async with request.app.state.store.read() as session:
        return await service.find(session, query)


@router.post(
    "/endpoints",
    status_code=201,
    response_model=EndpointWithSecret,
    responses=documented(*_DONE_ONCE),
)
async def open_endpoint(
    who: Manager, wanted: NewEndpoint, service: EndpointsOf, once: Idempotent
) -> Response:
    """Have messages sent to the platform or the desk. An HMAC secret is in this answer and nowhere else."""
    return await once.run(who, lambda session: service.create(session, wanted, who.actor))


@router.post(
    "/endpoints/{id}/test",
    status_code=202,
    response_model=DeliveryShown,
    responses=documented(*_DONE_ONCE, UNKNOWN_ENDPOINT, CONTRADICTION),
)
async def test_endpoint(
    who: Manager, endpoint_id: EndpointId, service: EndpointsOf, once: Idempotent
) -> Response:
    """Send an `endpoint.test`; the deliveries tell how it went."""
    return await once.run(who, lambda session: service.test(session, endpoint_id, who.actor), status=202)


@router.post(
    "/endpoints/{id}/rotate",
    status_code=201,
    response_model=EndpointWithSecret,
    responses=documented(*_DONE_ONCE, UNKNOWN_ENDPOINT, CONTRADICTION),
)
async def rotate_endpoint(
    who: Manager,
    endpoint_id: EndpointId,
    service: EndpointsOf,
    once: Idempotent,
    wanted: Annotated[Rotation | None, Body()] = None,
) -> Response:
    """Sign with new secrets; the ones there sign along for a while. Shows a new HMAC secret this once."""
    overlap_h = (wanted or Rotation()).overlap_h
    return await once.run(who, lambda session: service.rotate(session, endpoint_id, overlap_h, who.actor))


@router.post("/endpoints/{id}/disable", responses=documented(*_ASKED, UNKNOWN_ENDPOINT))
async def disable_endpoint(
    who: Manager, endpoint_id: EndpointId, request: Request, service: EndpointsOf
) -> EndpointShown:
    """Send nothing there; what waits is parked. What is under way still arrives."""
    async with request.app.state.store.write() as session:
        return await service.disable(session, endpoint_id, who.actor)


@router.post("/endpoints/{id}/enable", responses=documented(*_ASKED, UNKNOWN_ENDPOINT))
async def enable_endpoint(
    who: Manager, endpoint_id: EndpointId, request: Request, service: EndpointsOf
) -> EndpointShown:
    """Send there again, what was parked too."""
    async with request.app.state.store.write() as session:
        return await service.enable(session, endpoint_id, who.actor)


@router.post(
    "/endpoints/{id}/replay",
    status_code=202,
    response_model=Replayed,
    responses=documented(*_DONE_ONCE, UNKNOWN_ENDPOINT),
)
async def replay_endpoint(
    who: Replayer, endpoint_id: EndpointId, wanted: ReplayWanted, service: DeliveriesOf, once: Idempotent
) -> Response:
    """Send again what was given up there since a time, at most 500 messages at once."""
    return await once.run(
        who, lambda session: service.replay_all(session, endpoint_id, wanted, who.actor), status=202
    )


@router.get("/deliveries", responses=documented(*_ASKED))
async def list_deliveries(
    _: Reader, query: Annotated[DeliveryQuery, Query()], request: Request, service: DeliveriesOf
) -> Deliveries:
    """What was sent, waits or got stuck, newest first: neither what it says nor whom it is about."""
    async with request.app.state.store.read() as session:
        return await service.find(session, query)


@router.post(
    "/deliveries/{id}/replay",
    status_code=202,
    response_model=DeliveryShown,
    responses=documented(*_DONE_ONCE, UNKNOWN_DELIVERY, CONTRADICTION),
)
async def replay_delivery(
    who: Replayer, delivery_id: DeliveryId, service: DeliveriesOf, once: Idempotent
) -> Response:
    """Send a message that was given up again, under the same `webhook-id`."""
    return await once.run(who, lambda session: service.replay(session, delivery_id, who.actor), status=202)
