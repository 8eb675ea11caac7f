"""Saying how a referral goes: signed, and again until it is heard."""

from __future__ import annotations

import asyncio
import secrets

import aiohttp
import msgspec

from api.demo.aid.protocol import Callback
from api.demo.aid.signing import Signer

PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)


class Caller:
    """Calls back to one service, and to nothing else.

    Parameters
    ----------
    service
        Its address: what `reply_url` has to begin with. A message says where to answer, and is not trusted
        to choose any host.
    """

    def __init__(self, service: str, signer: Signer, session: aiohttp.ClientSession) -> None:
        self._service = service.rstrip("/") + "/"
        self._signer = signer
        self._session = session

    async def call(self, url: str, said: Callback) -> bool:
        """Say it; whether it was taken in."""
        if not url.startswith(self._service):
            return False
        message_id, body = f"cb_{secrets.token_hex(12)}", msgspec.json.encode(said)
        for pause_s in (*PAUSES_S, None):
            # Signed anew each time: the signature's time has to be that of the sending. The id stays.
            headers = self._signer.headers(message_id, body) | {"content-type": "application/json"}
            try:
                async with self._session.post(
                    url, data=body, headers=headers, allow_redirects=False
                ) as answer:
                    if answer.status < 500 and answer.status not in (409, 429):
                        return answer.status < 300
            except (aiohttp.ClientError, TimeoutError):
                pass
            if pause_s is not None:
                await asyncio.sleep(pause_s)
        return False
