"""`/v1/partners`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.idempotency.service import PROBLEMS as IDEMPOTENCY
from api.idempotency.service import Idempotent
from api.partners.schemas import (
    PARTNER_ID,
    KeyChanges,
    KeysChanged,
    NewPartner,
    PartnerChanges,
    PartnerEntered,
    Partners,
    PartnerShown,
)
from api.partners.service import PartnersService
from api.problems import (
    BODY_TOO_LARGE,
    CONTRADICTION,
    INVALID_PARAMETER,
    STORE_UNAVAILABLE,
    UNKNOWN_PARTNER,
    documented,
)

router = APIRouter(prefix="/v1", tags=["partners"])


def _service(request: Request) -> PartnersService:
    service: PartnersService = request.app.state.partners
    return service


Service = Annotated[PartnersService, Depends(_service)]
Reader = Annotated[Principal, Depends(allowed("partners:read"))]
Manager = Annotated[Principal, Depends(allowed("partners:manage"))]
Id = Annotated[str, Path(alias="id", pattern=PARTNER_ID)]

_OF_ONE = (INVALID_PARAMETER, *PROBLEMS, UNKNOWN_PARTNER, STORE_UNAVAILABLE)


@router.get("/partners", responses=documented(*PROBLEMS, STORE_UNAVAILABLE))
async def list_partners(_: Reader, service: Service) -> Partners:
    """The register of aid organisations, without secrets."""
    return await service.all()


@router.get("/partners/{id}", responses=documented(*_OF_ONE))
async def get_partner(_: Reader, partner_id: Id, service: Service) -> PartnerShown:
    """One organisation."""
    return await service.get(partner_id)


@router.post(
    "/partners",
    status_code=201,
    response_model=PartnerEntered,
    responses=documented(
        INVALID_PARAMETER, *PROBLEMS, CONTRADICTION, *IDEMPOTENCY, BODY_TOO_LARGE, STORE_UNAVAILABLE
    ),
)
async def enter_partner(who: Manager, wanted: NewPartner, service: Service, once: Idempotent) -> Response:
    """Enter an organisation. Where it is reached by webhook, its endpoint is opened too."""
    return await once.run(who, lambda session: service.enter(session, wanted, who.actor))


@router.post("/partners/{id}/update", responses=documented(*_OF_ONE, BODY_TOO_LARGE))
async def update_partner(
    who: Manager, partner_id: Id, wanted: PartnerChanges, request: Request, service: Service
) -> PartnerEntered:
    """Change what stands there. Open prompts and referrals stay as they are."""
    async with request.app.state.store.write() as session:
        return await service.change(session, partner_id, wanted, who.actor)


@router.post("/partners/{id}/suspend", responses=documented(*_OF_ONE))
async def suspend_partner(who: Manager, partner_id: Id, request: Request, service: Service) -> PartnerShown:
    """Have it get no new referrals. It still hears of withdrawals, and may report on those it has."""
    async with request.app.state.store.write() as session:
        return await service.suspend(session, partner_id, who.actor)


@router.post("/partners/{id}/resume", responses=documented(*_OF_ONE))
async def resume_partner(who: Manager, partner_id: Id, request: Request, service: Service) -> PartnerShown:
    """Have it get referrals again."""
    async with request.app.state.store.write() as session:
        return await service.resume(session, partner_id, who.actor)


@router.post(
    "/partners/{id}/keys",
    response_model=KeysChanged,
    responses=documented(*_OF_ONE, *IDEMPOTENCY, BODY_TOO_LARGE),
)
async def change_partner_keys(
    who: Manager, partner_id: Id, wanted: KeyChanges, service: Service, once: Idempotent
) -> Response:
    """Add and retire the keys its callbacks are verified with, and set the one contacts are sealed to.

    A shared secret that was made here is in this answer and never shown again.
    """
    return await once.run(
        who, lambda session: service.change_keys(session, partner_id, wanted, who.actor), status=200
    )
