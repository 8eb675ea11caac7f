"""What `tiltwatch run` says when it is up, and who comes along with `--demo`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from api.access.roles import Role
from api.demo.aid.running import Plan
from api.demo.client import Client, client
from api.demo.feeding import Say, feed
from api.demo.helping import Helping
from api.demo.keys import issue_keys
from api.demo.neighbour import Neighbour, neighbour
from api.demo.partner import enter
from api.demo.platform import carry_out
from api.demo.receiver import Receiver, receiver
from api.demo.telling import tell
from api.embedded import Company, Embedded
from api.settings import Settings
from detector.errors import SettingsError
from detector.events.instants import micros, rfc3339_ms
from detector.simulator.demo import demo

LOOPBACK = ["127.0.0.0/8", "::1/128"]
PARTNER = "demo-aid"


def _say(text: str) -> None:
    # Flushed, for whoever reads through a pipe.
    print(text, flush=True)


def greet(settings: Settings) -> Company:
    """Say where everything is, once it is there."""

    async def said(address: str, _: Embedded) -> None:
        kept = "the Redis of TILTWATCH_REDIS_URL" if settings.redis_url else settings.data_dir.absolute()
        _say(
            f"tiltwatch is running.\n\n"
            f"  events   POST {address}/v1/events\n"
            f"  alerts   {address}/v1/alerts\n"
            f"  to do    {address}/v1/interventions\n"
            f"  API      {address}/docs\n"
            f"  data     {kept}\n"
            f"  rules    {settings.rules_dir or 'those that come with tiltwatch'}\n\n"
            f"Whoever asks needs a key. The first one, made here with the same settings, issues others:\n\n"
            f"  tiltwatch keys issue admin NAME\n"
        )

    return said


def demonstration(settings: Settings, folder: Path, *, quiet: bool) -> Settings:
    """Settings of a demonstration in a folder; whatever would touch a real deployment is refused or left out.

    Raises
    ------
    SettingsError
        A Redis or a database is named: simulated players must not mix with real ones.
    """
    if settings.redis_url is not None:
        raise SettingsError("--demo brings its own Redis: simulated players must not mix with real ones")
    if settings.database_url is not None:
        raise SettingsError("--demo brings its own database: simulated players must not mix with real ones")
    port = settings.port or _free_port(settings.host)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    own = {
        "data_dir": folder,
        "keyring_file": None,
        "checkpoints_file": None,
        "archive_dir": None,
        "smtp_url": None,
        "port": port,
        "public_url": f"http://{host}:{port}",
        "webhook_networks": LOOPBACK,
        "log_level": "warning" if quiet else settings.log_level,
    }
    return settings.model_copy(update=own)


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listening:
        port: int = listening.getsockname()[1]
        return port


def company(settings: Settings, say: Say = _say) -> Company:
    """Everybody who takes part in a demonstration."""

    async def come_along(address: str, running: Embedded) -> None:
        keys = await issue_keys(settings)
        async with (
            client(address, keys) as service,
            receiver() as platform,
            neighbour(Plan(service=address)) as aid,
        ):
            await enter(service, aid, PARTNER)
            await _connect(service, platform)
            await _perform(service, platform, aid, address, keys, running, say)

    return come_along


async def _connect(service: Client, platform: Receiver) -> None:
    """Have the platform told of what it is asked and of what becomes of referrals."""
    wanted = {"owner": "platform", "url": platform.url, "types": ["prompt.opened", "referral.changed"]}
    opened = await service.post("admin", "/v1/endpoints", wanted)
    platform.keys = [each["key"] for each in opened.body["public_keys"]]


async def _perform(
    service: Client,
    platform: Receiver,
    aid: Neighbour,
    address: str,
    keys: Mapping[Role, str],
    running: Embedded,
    say: Say,
) -> None:
    start = datetime.now(UTC)
    since = rfc3339_ms(micros(start))
    say(_opening(address, aid.where.page, keys))
    history_sent = asyncio.Event()
    beside = [
        asyncio.create_task(tell(running.redis_url, since, history_sent, say)),
        asyncio.create_task(carry_out(service, since, say)),
        asyncio.create_task(Helping(service, platform, since, say).run()),
    ]
    try:
        await feed(service, demo(start), micros(start), history_sent, say)
    finally:
        for each in beside:
            each.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


def _opening(address: str, page: str, keys: Mapping[Role, str]) -> str:
    agent = address.replace("://", f"://agent:{keys['agent']}@")
    compliance = address.replace("://", f"://compliance:{keys['compliance']}@")
    told = "\n".join(f"  {role:10}  {key}" for role, key in keys.items())
    return (
        f"tiltwatch is running; its players are simulated. Pages to open (the key stands in the link):\n\n"
        f"  the desk's queue    {agent}/v1/alerts?order=queue\n"
        f"  what nobody did     {compliance}/v1/reports/alerts-without-action\n"
        f"  what aid gets       {page}\n"
        f"  the API             {address}/docs\n\n"
        f"Keys, for Authorization: Bearer KEY\n\n{told}\n\n"
        f"Ctrl-C stops it; nothing of the demonstration is kept. Sending 45 days of history first …\n"
    )
