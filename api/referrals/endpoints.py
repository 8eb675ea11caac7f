"""`/v1/referrals`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api.access.asking import PROBLEMS, allowed
from api.access.limits import RequestLimits
from api.access.service import Principal
from api.idempotency.service import PROBLEMS as IDEMPOTENCY
from api.idempotency.service import Idempotent
from api.problems import (
    BAD_SIGNATURE,
    BODY_TOO_LARGE,
    COMPONENT,
    CONTRADICTION,
    INVALID_PARAMETER,
    MALFORMED_BODY,
    MESSAGE_REUSED,
    RATE_LIMITED,
    REPORTS_ITSELF,
    STORE_UNAVAILABLE,
    UNKNOWN_REFERRAL,
    Problem,
    documented,
)
from api.referrals.callbacks import CallbacksService, read
from api.referrals.outcomes import OutcomesService
from api.referrals.protocol import REFERRAL_ID, Callback, CallbackAnswer, Language
from api.referrals.reading import ReadingReferrals
from api.referrals.schemas import Outcomes, OutcomesQuery, ReferralQuery, Referrals, ReferralShown, Slip
from api.referrals.service import ReferralsService

router = APIRouter(prefix="/v1", tags=["referrals"])

(_CALLBACK, _ANSWER), SCHEMAS = msgspec.json.schema_components(
    [Callback, CallbackAnswer], ref_template=COMPONENT
)
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _CALLBACK,
                "example": {"status": "acknowledged", "at": "2026-01-01T10:02:00Z"},
            }
        },
    }
}
_SIGNED: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": True,
            "schema": {"type": "string", "maxLength": 4096},
            "description": told,
        }
        for name, told in (
            ("webhook-id", "New with each new message; the same when it is sent again."),
            ("webhook-timestamp", "When it is sent, in seconds since 1970."),
            ("webhook-signature", "v1a or v1, as Standard Webhooks has it."),
        )
    ],
    "security": [],
}


def _reading(request: Request) -> ReadingReferrals:
    service: ReadingReferrals = request.app.state.reading_referrals
    return service


def _callbacks(request: Request) -> CallbacksService:
    service: CallbacksService = request.app.state.callbacks
    return service


def _referrals(request: Request) -> ReferralsService:
    service: ReferralsService = request.app.state.referrals
    return service


def _outcomes(request: Request) -> OutcomesService:
    service: OutcomesService = request.app.state.outcomes
    return service


Reading = Annotated[ReadingReferrals, Depends(_reading)]
Reader = Annotated[Principal, Depends(allowed("referrals:read"))]
Token = Annotated[str, Path(pattern=REFERRAL_ID)]

_OF_ONE = (INVALID_PARAMETER, *PROBLEMS, UNKNOWN_REFERRAL, STORE_UNAVAILABLE)


@router.get("/referrals", responses=documented(INVALID_PARAMETER, *PROBLEMS, STORE_UNAVAILABLE))
async def list_referrals(
    who: Reader, query: Annotated[ReferralQuery, Query()], service: Reading
) -> Referrals:
    """Referrals, the newest first; an organisation reads its own, without the player."""
    return await service.find(query, who)


@router.get("/referrals/{token}", responses=documented(*_OF_ONE))
async def get_referral(who: Reader, token: Token, service: Reading) -> ReferralShown:
    """One referral."""
    return await service.get(token, who)


@router.get(
    "/referrals/{token}/slip",
    response_model=Slip,
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **documented(*_OF_ONE),
    },
)
async def read_slip(
    who: Annotated[Principal, Depends(allowed("players:help", "referrals:read"))],
    token: Token,
    request: Request,
    service: Reading,
    language: Annotated[Language, Query()] = "en",
) -> Response:
    """What a player needs to get in touch by themselves: the organisation, its telephone, a code.

    As JSON, or as text where `Accept` asks for text/plain.
    """
    found = await service.slip(token, language, who)
    if request.headers.get("accept", "").startswith("text/plain"):
        return Response(found.text, media_type="text/plain")
    return Response(found.model_dump_json(), media_type="application/json")


@router.post(
    "/referrals/{token}/status",
    response_class=Response,
    openapi_extra=_BODY | _SIGNED,
    responses={
        200: {
            "description": "It was taken in.",
            "content": {"application/json": {"schema": _ANSWER}},
        },
        **documented(
            MALFORMED_BODY,
            INVALID_PARAMETER,
            BAD_SIGNATURE,
            UNKNOWN_REFERRAL,
            CONTRADICTION,
            BODY_TOO_LARGE,
            MESSAGE_REUSED,
            RATE_LIMITED,
            STORE_UNAVAILABLE,
        ),
    },
)
async def report_status(
    token: Token, request: Request, service: Annotated[CallbacksService, Depends(_callbacks)]
) -> Response:
    """An organisation says what became of a referral, signed as docs/partner-protocol.md has it.

    The same message again is answered as before. One that comes late moves nothing back.
    """
    limits: RequestLimits = request.app.state.limits
    body = await request.body()
    try:
        partner, message = await service.who(request.headers, body)
    except Problem:
        await limits.count_stranger(request.client.host if request.client else "-")
        raise
    await limits.count(Principal(f"partner:{partner}", partner, "partner", frozenset(), partner))
    return Response(await service.take(token, partner, message, body), media_type="application/json")


@router.post(
    "/referrals/{token}/record",
    response_model=ReferralShown,
    openapi_extra=_BODY,
    responses=documented(
        *_OF_ONE, MALFORMED_BODY, CONTRADICTION, REPORTS_ITSELF, *IDEMPOTENCY, BODY_TOO_LARGE
    ),
)
async def record_status(
    who: Annotated[Principal, Depends(allowed("referrals:record"))],
    token: Token,
    request: Request,
    service: Annotated[ReferralsService, Depends(_referrals)],
    reading: Reading,
    once: Idempotent,
) -> Response:
    """Record by hand what an organisation without an API said of a referral."""
    said = read(await request.body())

    async def work(session: AsyncSession) -> ReferralShown:
        return reading.shown(session, await service.record(session, token, said, who.actor), who)

    return await once.run(who, work, status=200)


@router.get("/reports/outcomes", responses=documented(INVALID_PARAMETER, *PROBLEMS, STORE_UNAVAILABLE))
async def read_outcomes(
    _: Annotated[Principal, Depends(allowed("reports:read"))],
    query: Annotated[OutcomesQuery, Query()],
    service: Annotated[OutcomesService, Depends(_outcomes)],
) -> Outcomes:
    """What became of referrals, by month and organisation; no player is in it."""
    return await service.report(query)
