"""`/v1/keys`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from api.access.asking import PROBLEMS, allowed
from api.access.roles import GRANTS
from api.access.schemas import IssuedKey, Key, Keys, NewKey
from api.access.service import AccessService, Principal
from api.idempotency.service import PROBLEMS as IDEMPOTENCY
from api.idempotency.service import Idempotent
from api.problems import (
    BODY_TOO_LARGE,
    FORBIDDEN,
    INVALID_PARAMETER,
    STORE_UNAVAILABLE,
    UNKNOWN_KEY,
    Problem,
    documented,
)

router = APIRouter(prefix="/v1", tags=["keys"])


def _service(request: Request) -> AccessService:
    service: AccessService = request.app.state.access
    return service


Service = Annotated[AccessService, Depends(_service)]
Who = Annotated[Principal, Depends(allowed("keys:manage"))]
KeyId = Annotated[str, Path(alias="id", pattern=r"^[0-9a-f]{12}$")]


@router.get("/keys", responses=documented(*PROBLEMS, STORE_UNAVAILABLE))
async def list_keys(_: Who, service: Service) -> Keys:
    """Every key there ever was, without secrets."""
    return await service.all()


@router.post(
    "/keys",
    status_code=201,
    response_model=IssuedKey,
    responses=documented(INVALID_PARAMETER, *PROBLEMS, *IDEMPOTENCY, BODY_TOO_LARGE, STORE_UNAVAILABLE),
)
async def issue_key(who: Who, wanted: NewKey, service: Service, once: Idempotent) -> Response:
    """Issue a key. Its secret is in this answer and nowhere else.

    Whose own key has fewer scopes than its role cannot issue one of the role with more.
    """
    beyond = set(GRANTS[who.role] if wanted.scopes is None else wanted.scopes) - who.scopes
    if wanted.role == who.role and beyond:
        raise Problem(FORBIDDEN, "No key of one's own role with more scopes than one's own.")
    return await once.run(who, lambda session: service.issue(session, wanted, who.actor))


@router.post(
    "/keys/{id}/revoke",
    responses=documented(INVALID_PARAMETER, *PROBLEMS, UNKNOWN_KEY, STORE_UNAVAILABLE),
)
async def revoke_key(who: Who, key_id: KeyId, request: Request, service: Service) -> Key:
    """Have a key open nothing any more; it may still be known for two seconds."""
    async with request.app.state.store.write() as session:
        return await service.revoke(session, key_id, who.actor)
