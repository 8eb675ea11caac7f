"""`/v1/help`, `/v1/prompts`, `/v1/consents`, and what there is to show a player."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.access.asking import PROBLEMS, allowed
from api.access.service import Principal
from api.consent.answering import AnsweringService
from api.consent.receipts import Receipt
from api.consent.schemas import (
    PROMPT_ID,
    AnswerTaken,
    ConsentEnded,
    HelpAsked,
    HelpWanted,
    PlayerPrompts,
    PromptAnswer,
)
from api.consent.service import ConsentService
from api.idempotency.service import PROBLEMS as IDEMPOTENCY
from api.idempotency.service import Idempotent
from api.problems import (
    BODY_TOO_LARGE,
    COMPONENT,
    CONTRADICTION,
    INVALID_PARAMETER,
    NO_SEALING_KEY,
    NOT_FOUND,
    PROMPT_CLOSED,
    STORE_UNAVAILABLE,
    TEXT_CHANGED,
    UNKNOWN_CONSENT,
    UNKNOWN_PROMPT,
    documented,
)
from api.referrals.protocol import CONSENT_ID, Language

router = APIRouter(prefix="/v1", tags=["consent"])

(_RECEIPT,), SCHEMAS = msgspec.json.schema_components([Receipt], ref_template=COMPONENT)
_RECEIPT_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "The receipt.", "content": {"application/json": {"schema": _RECEIPT}}}
}


def _service(request: Request) -> ConsentService:
    service: ConsentService = request.app.state.consent
    return service


def _answering(request: Request) -> AnsweringService:
    service: AnsweringService = request.app.state.answering
    return service


Service = Annotated[ConsentService, Depends(_service)]
Answering = Annotated[AnsweringService, Depends(_answering)]
Platform = Annotated[Principal, Depends(allowed("players:help"))]
Player = Annotated[str, Path(min_length=1, max_length=128)]
PromptId = Annotated[str, Path(alias="id", pattern=PROMPT_ID)]
ConsentId = Annotated[str, Path(alias="id", pattern=CONSENT_ID)]
Wanted = Annotated[
    Language | None, Query(description="None: the player's own, as far as it is known, else English.")
]


@router.post(
    "/help",
    status_code=201,
    response_model=HelpAsked,
    responses=documented(INVALID_PARAMETER, *PROBLEMS, *IDEMPOTENCY, BODY_TOO_LARGE, STORE_UNAVAILABLE),
)
async def ask_for_help(who: Platform, wanted: HelpWanted, service: Service, once: Idempotent) -> Response:
    """A player asks for help, or to give: what to ask them, or where to turn and why there is no more.

    Nothing is sent to anybody by this. While a prompt is open, asking again brings the same one.
    """
    return await once.run(who, lambda session: service.ask_help(session, wanted, who.actor))


@router.get(
    "/players/{player:path}/prompts",
    # A path with a line break in it leads nowhere.
    responses=documented(INVALID_PARAMETER, NOT_FOUND, *PROBLEMS, STORE_UNAVAILABLE),
)
async def list_prompts(
    _: Platform, player: Player, service: Service, language: Wanted = None
) -> PlayerPrompts:
    """Everything there is to show a player about help: open prompts, referrals, and where else to turn."""
    return await service.shown_to(player, language)


@router.post(
    "/prompts/{id}/answer",
    responses=documented(
        INVALID_PARAMETER,
        *PROBLEMS,
        UNKNOWN_PROMPT,
        CONTRADICTION,
        PROMPT_CLOSED,
        TEXT_CHANGED,
        NO_SEALING_KEY,
        BODY_TOO_LARGE,
        STORE_UNAVAILABLE,
    ),
)
async def answer_prompt(
    who: Platform, prompt_id: PromptId, given: PromptAnswer, service: Answering
) -> AnswerTaken:
    """Pass a player's answer on. The same answer again is answered the same; it needs no Idempotency-Key.

    With a yes the referral is on its way when this is answered. Contact details are encrypted to the
    organisation and kept nowhere else.
    """
    return await service.answer(prompt_id, given, who.actor)


@router.post(
    "/consents/{id}/withdraw",
    responses=documented(INVALID_PARAMETER, *PROBLEMS, UNKNOWN_CONSENT, STORE_UNAVAILABLE),
)
async def withdraw_consent(
    who: Platform, consent_id: ConsentId, request: Request, service: Service
) -> ConsentEnded:
    """Take a consent back, at any time and without a reason.

    What waits is not sent; an organisation that may hold something is told. Taking back the second consent
    leaves the referral as it is, and what was heard of its outcome is dropped.
    """
    async with request.app.state.store.write() as session:
        return await service.withdraw(session, consent_id, who.actor)


@router.get(
    "/consents/{id}/receipt",
    response_class=Response,
    responses={
        **_RECEIPT_ANSWER,
        **documented(INVALID_PARAMETER, *PROBLEMS, UNKNOWN_CONSENT, STORE_UNAVAILABLE),
    },
)
async def read_receipt(
    _: Annotated[Principal, Depends(allowed("players:help", "audit:read"))],
    consent_id: ConsentId,
    service: Service,
) -> Response:
    """The receipt of a consent, with the fields of ISO/IEC TS 27560. The player has a pseudonym there."""
    return Response(await service.receipt(consent_id), media_type="application/json")
