"""Taking messages to URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

import aiohttp
from aiohttp.abc import AbstractResolver

from api.webhooks import signatures
from api.webhooks.carrying import BODY_CAP, Answer, Job, Target
from api.webhooks.guard import Network, NotAllowed, guarded
from api.webhooks.schemas import Outcome

CONNECT_S = 10


class Posting:
    """HTTP as Standard Webhooks has it: no redirects, no proxies, no cookies, no private address.

    Parameters
    ----------
    networks
        Private networks that may be reached all the same, over plain http too.
    timeout_s
        For a request as a whole.
    clock
        Tells the wall clock, in µs since the epoch.
    resolver
        Turns names into addresses; the system's if None.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        timeout_s: float,
        clock: Callable[[], int],
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._networks = networks
        self._timeout_s = timeout_s
        self._clock = clock
        self._resolver = resolver
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def carry(self, target: Target, job: Job) -> Answer:
        """Post a message once."""
        timestamp_s = self._clock() // 1_000_000
        headers = {
            "content-type": "application/json",
            "accept-encoding": "identity",
            signatures.ID: job.message,
            signatures.TIMESTAMP: str(timestamp_s),
            signatures.SIGNATURE: signatures.sign(target.secrets, job.message, timestamp_s, job.body),
        }
        session = self._session(https=target.url.lower().startswith("https:"))
        status = None
        try:
            async with session.post(
                target.url, data=job.body, headers=headers, allow_redirects=False
            ) as response:
                status = response.status
                outcome = _outcome(status)
                body = await _beginning(response) if outcome == "delivered" else b""
                return Answer(outcome, status, body, response.headers.get("retry-after"))
        except TimeoutError:
            failed: Outcome = "timeout"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            refused = any(isinstance(each, NotAllowed) for each in _causes(error))
            failed = "not_allowed" if refused else "unreachable"
        if status is not None and _outcome(status) == "delivered":
            # Whoever said 2xx has it, even if the rest of the answer got lost.
            return Answer("delivered", status)
        return Answer(failed, status)

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, *, https: bool) -> aiohttp.ClientSession:
        if https not in self._sessions:
            connector = aiohttp.TCPConnector(
                limit=0,  # each endpoint has its own limit, which must not hang on others'
                resolver=self._resolver,
                socket_factory=guarded(self._networks, public=https),
            )
            self._sessions[https] = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=CONNECT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,  # a small answer must not become a large one
                headers={"user-agent": f"tiltwatch/{version('tiltwatch')}"},
            )
        return self._sessions[https]


def _outcome(status: int) -> Outcome:
    if 200 <= status < 300:
        return "delivered"
    if status == 410:
        return "gone"
    return "redirected" if 300 <= status < 400 else "refused"


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The body, or nothing of one that is too long; its connection is then not used again."""
    body = b""
    while len(body) <= BODY_CAP:
        chunk = await response.content.read(BODY_CAP + 1 - len(body))
        if not chunk:
            return body
        body += chunk
    response.close()
    return b""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for each in error.exceptions:
                yield from _causes(each)
        if isinstance(error, aiohttp.ClientConnectorError):
            yield error.os_error
        error = error.__cause__ or error.__context__
