"""Agents are told by mail, over a real mail server, and nothing in it is a player's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage as Mail
from email.policy import default
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from api.notifications.mail import Mailing, compose, read_smtp_url
from api.notifications.service import follow_settings
from api.settings import Settings
from api.webhooks import repository
from api.webhooks.carrying import Job, Target
from detector.errors import SettingsError
from tests.api.webhooks.receiving import House, delivering, housing

BODY = b'{"data":{"alert":"al_1","level":"L3"},"timestamp":"2026-01-01T12:00:00.000Z","type":"alert.opened"}'
JOB = Job("msg_1", "ep_1", "alert.opened", BODY, 1)
TO = Target("mailto:desk@casino.example", ())


@dataclass
class Box:
    """What a mail server took, and what it answers."""

    port: int = 0
    taken: list[tuple[list[str], bool, Mail]] = field(default_factory=list)
    answer: str = "250 OK"
    to_recipients: str = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, _: Any) -> str:  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.to_recipients

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=default)
        self.taken.append((envelope.rcpt_tos, session.ssl is not None, mail))
        return self.answer


def _certificate(folder: Path) -> ssl.SSLContext:
    """One that nobody vouches for."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.casino.example")])
    begun = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begun)
        .not_valid_after(begun + timedelta(days=36_500))
        .sign(key, SHA256())
    )
    path = folder / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(secret + made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@asynccontextmanager
async def mail_server(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, password: str | None = None
) -> AsyncIterator[Box]:
    """A mail server on loopback."""
    box = Box()

    def check(server: Any, session: Any, envelope: Any, mechanism: Any, told: Any) -> AuthResult:
        return AuthResult(success=told.password == (password or "").encode(), handled=False)

    connections: list[SMTP] = []

    def make() -> SMTP:
        made = SMTP(
            box,
            hostname="mail.casino.example",
            tls_context=None if implicit else tls,
            authenticator=check if password else None,
            auth_require_tls=tls is not None and not implicit,
        )
        connections.append(made)
        return made

    server = await asyncio.get_running_loop().create_server(
        make, "127.0.0.1", 0, ssl=tls if implicit else None
    )
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()
        for each in connections:  # the last words of a connection are still on their way
            if each._handler_coroutine is not None:
                await asyncio.wait({each._handler_coroutine}, timeout=5)


def mailing(port: int, *, scheme: str = "smtp", login: str = "", **other: Any) -> Mailing:
    """A sender to a server on loopback."""
    told = {
        "smtp_url": f"{scheme}://{login}127.0.0.1:{port}",
        "mail_from": "tiltwatch@casino.example",
    } | other
    return Mailing(Settings.model_validate(told), [], 2)


async def test_a_mail_says_what_happened_and_where_to_look() -> None:
    async with mail_server() as box:
        answer = await mailing(box.port).carry(TO, JOB)
    assert (answer.outcome, answer.status) == ("delivered", 250)
    ((recipients, _, mail),) = box.taken
    assert recipients == ["desk@casino.example"]
    assert mail["Subject"] == "[tiltwatch] An alert waits"
    assert mail["To"] == "desk@casino.example"
    assert mail["From"] == "tiltwatch@casino.example"
    assert mail["Message-ID"] == "<msg_1@casino.example>"
    assert mail["Date"] == "Thu, 01 Jan 2026 12:00:00 +0000"
    text = mail.get_content()
    assert "alert: al_1" in text
    assert "level: L3" in text


async def test_starttls_and_a_login_are_used_where_they_are_there(tmp_path: Path) -> None:
    async with mail_server(_certificate(tmp_path), password="pass@word") as box:
        assert (await mailing(box.port, login="desk:pass%40word@").carry(TO, JOB)).outcome == "delivered"
        assert (await mailing(box.port, login="desk:wrong@").carry(TO, JOB)).outcome == "refused"
    assert [encrypted for _, encrypted, _ in box.taken] == [True]


async def test_a_certificate_nobody_vouches_for_is_none(tmp_path: Path) -> None:
    async with mail_server(_certificate(tmp_path), implicit=True) as box:
        assert (await mailing(box.port, scheme="smtps").carry(TO, JOB)).outcome == "unreachable"
    assert box.taken == []


async def test_a_refusal_and_a_server_that_is_down_are_failures() -> None:
    async with mail_server() as box:
        box.answer = "451 later"
        answer = await mailing(box.port).carry(TO, JOB)
        assert (answer.outcome, answer.status) == ("refused", 451)
        box.to_recipients = "550 nobody"
        answer = await mailing(box.port).carry(TO, JOB)
        assert (answer.outcome, answer.status) == ("refused", 550)
    assert (await mailing(1).carry(TO, JOB)).outcome == "unreachable"


async def test_a_server_that_says_nothing_times_out() -> None:
    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    settings = Settings.model_validate(
        {"smtp_url": f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}", "mail_from": "a@b.example"}
    )
    assert (await Mailing(settings, [], 0.2).carry(TO, JOB)).outcome == "timeout"
    for each in held:
        each.close()
        await each.wait_closed()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "nasty",
    ["x\r\nBcc: everybody@elsewhere.example", "x\n.\nMAIL FROM:<a>", "x\x00y", "é\u2028z", "=?utf-8?q?x?="],
)
async def test_nothing_in_a_message_makes_a_header_or_a_command(nasty: str) -> None:
    body = msgspec.json.encode(
        {"type": f"alert.opened{nasty}", "timestamp": "2026-01-01T12:00:00.000Z", "data": {nasty: nasty}}
    )
    async with mail_server() as box:
        job = Job("msg_1", "ep_1", "alert.opened", body, 1)
        assert (await mailing(box.port).carry(TO, job)).outcome == "delivered"
    ((recipients, _, mail),) = box.taken
    assert recipients == ["desk@casino.example"]
    assert set(mail.keys()) == {
        "From",
        "To",
        "Subject",
        "Message-ID",
        "Date",
        "Auto-Submitted",
        "Content-Type",
        "Content-Transfer-Encoding",
        "MIME-Version",
    }
    assert mail["Subject"] == "[tiltwatch] News for the desk"


def test_the_same_message_is_the_same_mail() -> None:
    assert compose("a@b.example", "c@d.example", "msg_1", BODY).as_bytes() == (
        compose("a@b.example", "c@d.example", "msg_1", BODY).as_bytes()
    )


@pytest.mark.parametrize(
    "url", ["http://h", "smtp://", "smtp://h:x", "smtp://h/path", "smtp://h?x", "h:25", "smtp://[h"]
)
def test_a_url_of_no_mail_server_is_said_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError, match="smtp_url") as told:
        read_smtp_url(url)
    assert str(told.value) == "smtp_url is smtp://USER:PASSWORD@HOST:PORT or smtps://…"


def test_a_mail_server_without_a_sender_is_said() -> None:
    with pytest.raises(SettingsError, match="mail_from"):
        Mailing(Settings.model_validate({"smtp_url": "smtp://h"}), [], 1)


async def desk_of(house: House) -> dict[str, str]:
    """Addresses of the desk, and whether mail goes there."""
    async with house.ground.store.read() as session:
        rows = await repository.endpoints(session, (-1, ""), 100)
    return {row.url: row.state for row in rows}


async def test_the_desks_addresses_follow_the_settings(store_url: str, tmp_path: Path) -> None:
    def with_mail_to(*addresses: str) -> dict[str, Any]:
        return {"smtp_url": "smtp://127.0.0.1:1", "mail_from": "a@b.example", "mail_to": list(addresses)}

    def states(a: str | None, b: str | None) -> dict[str, str | None]:
        return {"mailto:a@x.example": a, "mailto:b@x.example": b}

    steps: list[tuple[dict[str, Any], dict[str, str | None]]] = [
        (with_mail_to("a@x.example", "b@x.example"), states("enabled", "enabled")),
        (with_mail_to("b@x.example"), states("disabled", "enabled")),
        (with_mail_to("a@x.example"), states("enabled", "disabled")),
        ({}, states("disabled", "disabled")),
    ]
    for settings, expected in steps:
        async with housing(store_url, tmp_path, **settings) as house:
            await follow_settings(house.ground)
            await follow_settings(house.ground)
            assert await desk_of(house) == expected


async def test_what_an_administrator_disabled_stays_so(store_url: str, tmp_path: Path) -> None:
    settings = {"smtp_url": "smtp://127.0.0.1:1", "mail_from": "a@b.example", "mail_to": ["a@x.example"]}
    async with housing(store_url, tmp_path, **settings) as house:
        await follow_settings(house.ground)
        async with house.ground.store.write() as session:
            (endpoint_id,) = await _ids(session)
            await house.endpoints.disable(session, endpoint_id, "key:1")
        await follow_settings(house.ground)
        assert await desk_of(house) == {"mailto:a@x.example": "disabled"}


async def _ids(session: Any) -> list[str]:
    return await repository.subscribed(session, "desk", "alert.opened")


async def test_the_desk_is_told_by_mail_and_by_webhook_of_what_it_subscribes_to(
    store_url: str, tmp_path: Path
) -> None:
    async with mail_server() as box:
        settings = {
            "smtp_url": f"smtp://127.0.0.1:{box.port}",
            "mail_from": "a@b.example",
            "mail_to": ["a@x.example"],
        }
        async with housing(store_url, tmp_path, **settings) as house:
            await follow_settings(house.ground)
            await house.open("http://127.0.0.1:1/", owner="desk", owner_id=None, types=["partner.down"])
            box.answer = "451 later"
            async with house.ground.store.write() as session:
                data = {"alert": "al_1", "level": "L3"}
                ids = await house.outbox.tell(session, "desk", "alert.opened", data, subject="alert:al_1")
            assert len(ids) == 1
            async with delivering(house) as office:
                await office.rest(house)
                assert (await house.message(ids[0])).state == "waiting"
                box.answer = "250 OK"
                house.clock.forward(5)
                await office.rest(house)
            assert (await house.message(ids[0])).state == "delivered"
            assert await house.outcomes(ids[0]) == [("refused", 451), ("delivered", 250)]
    assert len({mail["Message-ID"] for _, _, mail in box.taken}) == 1
