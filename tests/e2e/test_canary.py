"""A player whose every trait is unique goes through the whole flow, with failures on the way.

Whatever leaves the deployment is recorded as it goes over the wire; then the marks are looked for in it all.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OKPKey

from api.demo.aid.signing import Ed25519Signer
from api.demo.client import Answer, Client, client
from api.qa.system import free_port, parts, system

PLAYER = "canary-7f3a-player"
NAME, PHONE, MAIL = "Kanarie Vogelzang", "+1 807 555 0163", "kanarie.vogelzang@marker.example"
AMOUNTS = (98_765_431, 45_678_913)
MONEY = {str(amount) for amount in AMOUNTS} | {f"{amount / 100:.2f}" for amount in AMOUNTS}
MONEY |= {f"{amount / 100:,.2f}" for amount in AMOUNTS} | {str(sum(AMOUNTS)), f"{sum(AMOUNTS) / 100:.2f}"}
ANYWHERE = {PLAYER, NAME, "Vogelzang", PHONE, "5550163", "555 0163", MAIL, "marker.example", *MONEY}
"""What may leave in no message to anybody but the platform, whose player it is."""
PATIENCE_S = 60.0


@dataclass
class Recorder:
    """Somebody else's server: keeps every byte of every request, and fails at first."""

    failures: list[int]
    answer: bytes = b""
    url: str = ""
    seen: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        head = b"\n".join(b": ".join(each) for each in request.raw_headers).decode("latin-1")
        self.seen.append(f"{request.method} {request.path_qs}\n{head}\n\n{body.decode()}")
        if self.failures:
            status = self.failures.pop(0)
            return web.Response(status=status, headers={"Location": "http://127.0.0.1:1/"})
        self.types.append(json.loads(body)["type"])
        return web.Response(body=self.answer, content_type="application/json")


@asynccontextmanager
async def recorder(failures: list[int], answer: bytes = b"") -> AsyncIterator[Recorder]:
    found = Recorder(failures, answer)
    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", found.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield found
    finally:
        await runner.cleanup()


class Mailbox:
    """A mail server that keeps what it gets."""

    def __init__(self) -> None:
        self.letters: list[str] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.letters.append(envelope.content.decode())
        return "250 taken"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()


async def eventually(look: Any, what: str) -> Any:
    for _ in range(int(PATIENCE_S / 0.1)):
        if found := await look():
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"it did not happen: {what}")


def found_in(marks: set[str], texts: list[str]) -> list[tuple[str, str]]:
    """Marks with what they were found in; base64 and percent signs hide nothing."""
    return [
        (mark, text)
        for text in texts
        for mark in marks
        for hidden in (mark, base64.b64encode(mark.encode()).decode().rstrip("=")[:-1])
        if len(hidden) > 6 and hidden in text
    ]


def event(number: int, type_: str, at: datetime, **fields: Any) -> bytes:
    common = {"type": type_, "id": f"e{number}", "source": "test", "player": PLAYER}
    when = {"ts": at.isoformat(timespec="milliseconds"), "jurisdiction": "CA-ON"}
    return json.dumps(common | when | fields).encode()


async def play(service: Client) -> None:
    """A player of age gets into trouble within a session; some of what is sent of it is wrong."""
    start = datetime.now(UTC) - timedelta(minutes=20)
    money = {"currency": "CAD", "session": "s1"}
    lines = [
        event(1, "player_profile", start, timezone="America/Toronto", language="en"),
        event(2, "identity_check", start, outcome="passed", over_age=True),
        event(3, "session_start", start, session="s1", channel="web"),
    ]
    for number in range(8):
        at = start + timedelta(minutes=1 + number)
        lines.append(event(10 + number, "deposit", at, amount=AMOUNTS[number % 2], payment=NAME, **money))
    lines.append(event(30, "contact", start + timedelta(minutes=15), topic="distress"))
    answer = await service.events(lines)
    assert (answer.status, answer.body["accepted"]) == (202, len(lines))
    wrong = [
        event(10, "deposit", start + timedelta(minutes=1), amount=AMOUNTS[1], payment=NAME, **money),
        event(40, "deposit", start, amount=-AMOUNTS[0], currency="CAD"),
        event(41, "deposit", start, amount=AMOUNTS[0], currency=NAME),
        event(42, "contact", start, topic=MAIL),
    ]
    report = await service.events(wrong)
    assert report.body["rejected"] == len(wrong)
    assert found_in(ANYWHERE, [json.dumps(report.body)]) == []


async def ask_wrongly(service: Client, url: str) -> list[str]:
    """Requests that fail, with the marks in every place; returns what was answered."""
    bad: list[Answer] = [
        await service.get("agent", "/v1/alerts", severity=NAME, cursor=MAIL),
        await service.get("agent", f"/v1/alerts/{PLAYER}"),
        await service.get("platform", f"/v1/players/{PLAYER}/timeline"),
        await service.get("agent", f"/v1/players/{PLAYER}-nobody/risk"),
        await service.post("platform", "/v1/help", {"player": PLAYER, "purpose": NAME}),
        await service.post("platform", f"/v1/prompts/{PLAYER}/answer", {"referral": MAIL}),
        await service.post("platform", "/v1/prompts/p/answer", {"contact": {"name": NAME, "phone": PHONE}}),
        await service.post("platform", f"/v1/consents/{MAIL}/withdraw"),
        await service.post("agent", f"/v1/alerts/{'0' * 32}/verdict", {"verdict": NAME}),
        await service.post("admin", "/v1/partners", {"id": NAME, "names": {"en": MAIL}}),
        await service.get("agent", f"/v1/referrals/{PLAYER}"),
    ]
    async with aiohttp.ClientSession() as session:
        for headers in ({}, {"Authorization": f"Bearer {MAIL}"}, {"Authorization": f"Basic {NAME}"}):
            async with session.get(f"{url}/v1/players/{PLAYER}/risk", headers=headers) as answer:
                bad.append(Answer(answer.status, await answer.json(), dict(answer.headers)))
        async with session.post(
            f"{url}/v1/referrals/rf_{'a' * 32}/status",
            data=json.dumps({"status": "closed", "name": NAME, "player": PLAYER}),
            headers={"webhook-id": MAIL, "webhook-signature": NAME, "Content-Type": "application/json"},
        ) as answer:
            bad.append(Answer(answer.status, await answer.json(), dict(answer.headers)))
    assert all(400 <= each.status < 500 for each in bad), [each.status for each in bad]
    return [json.dumps(each.body) + str(each.headers) for each in bad]


async def agree(service: Client) -> dict[str, Any]:
    """The player presses help and agrees to both, with a name, a number and an address."""

    async def prompted() -> Any:
        asked = {"player": PLAYER, "channel": "app", "reasons": ["money"]}
        return (await service.post("platform", "/v1/help", asked)).body.get("prompt")

    prompt = await eventually(prompted, "the prompt")
    answered = await service.post(
        "platform",
        f"/v1/prompts/{prompt['id']}/answer",
        {
            "referral": True,
            "outcome": True,
            "texts": [{"text": each["text"], "hash": each["hash"]} for each in prompt["texts"]],
            "language": prompt["texts"][0]["language"],
            "contact_by": {"channel": "phone", "window": "evening"},
            "contact": {"name": NAME, "phone": PHONE, "email": MAIL},
        },
    )
    assert answered.status in (200, 201), answered.body
    referral: dict[str, Any] = answered.body["referral"]
    return referral


async def test_nothing_of_the_player_leaves(
    store_url: str,
    mailbox: tuple[Mailbox, int],
    log: io.StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    box, smtp_port = mailbox
    own = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    aid_answer = json.dumps({"status": "acknowledged", "status_token": "st-1"}).encode()
    settings: dict[str, Any] = {
        "database_url": store_url,
        "log_level": "debug",
        "log_format": "json",
        "smtp_url": f"smtp://127.0.0.1:{smtp_port}",
        "mail_from": "desk@tiltwatch.example",
        "mail_to": ["agents@platform.example"],
    }
    errors: list[str] = []
    metrics = ""
    async with (
        recorder([302], aid_answer) as partner,
        recorder([503]) as desk,
        recorder([429]) as platform,
    ):
        with parts(**settings) as (made, running):
            async with system(made, running) as found, client(found.url, found.keys) as service:
                signer = Ed25519Signer()
                expires = (datetime.now(UTC) + timedelta(days=90)).isoformat(timespec="seconds")
                entered = await service.post(
                    "admin",
                    "/v1/partners",
                    {
                        "id": "recorder",
                        "names": {"en": "Recorder", "fr": "Enregistreur"},
                        "mou": {"reference": "MOU-1", "expires_at": expires},
                        "location": "CA",
                        "jurisdictions": ["CA-ON"],
                        "languages": ["en", "fr"],
                        "channels": ["phone"],
                        "purposes": ["help"],
                        "capacity_per_hour": 100,
                        "sla_hours": 48,
                        "delivery": {"kind": "webhook", "url": partner.url, "signing": "both"},
                        "links": {"en": "https://aid.example/start", "fr": "https://aid.example/debut"},
                        "verification_keys": [signer.public, "whpk_" + base64.b64encode(own).decode()],
                        "encryption_key": OKPKey.generate_key("X25519").as_dict(private=False),
                    },
                )
                assert entered.status == 201, entered.body
                for owner, who in (("platform", platform), ("desk", desk)):
                    opened = await service.post("admin", "/v1/endpoints", {"owner": owner, "url": who.url})
                    assert opened.status == 201, opened.body
                await play(service)
                errors += await ask_wrongly(service, found.url)
                referral = await agree(service)

                async def delivered() -> bool:
                    return "referral.created" in partner.types

                await eventually(delivered, "the referral at the partner")

                async def told() -> bool:
                    return bool(desk.types and platform.types and box.letters)

                await eventually(told, "desk and platform")
                for reader in ("agent", "regulator"):
                    read = await service.get("agent", f"/v1/players/{PLAYER}/risk", reader=reader)
                    assert read.status == 200
                assert (await service.get("agent", f"/v1/players/{PLAYER}/timeline")).status == 200
                listed = await service.get("analyst", "/v1/alerts", limit=500)
                assert listed.body["items"]
                assert PLAYER not in json.dumps(listed.body)
                (consent,) = [each["id"] for each in referral["consents"] if each["asks"] == "referral"]
                withdrawn = await service.post("platform", f"/v1/consents/{consent}/withdraw")
                assert withdrawn.status == 200

                async def taken_back() -> bool:
                    return "referral.withdrawn" in partner.types

                await eventually(taken_back, "the withdrawal at the partner")
                chain = await service.get("compliance", "/v1/audit", limit=500)
                assert chain.body["items"]
                errors.append(json.dumps(chain.body))
                reports = [
                    await service.get("compliance", "/v1/reports/outcomes"),
                    await service.get("admin", "/v1/deliveries", limit=500),
                    await service.get("analyst", "/v1/reports/alerts-without-action", limit=500),
                ]
                errors += [json.dumps(each.body) for each in reports]
                async with aiohttp.ClientSession() as session:
                    key = {"Authorization": f"Bearer {found.keys['admin']}"}
                    async with session.get(f"{found.url}/metrics", headers=key) as answer:
                        assert answer.status == 200
                        metrics = await answer.text()
    _, written = capfd.readouterr()
    assert '"event": "request"' in log.getvalue()
    assert '"event": "the back office is at work"' in written
    written += log.getvalue()
    assert found_in(ANYWHERE, partner.seen) == []
    assert found_in(ANYWHERE, desk.seen) == []
    assert found_in(ANYWHERE, box.letters) == []
    assert found_in(ANYWHERE - {PLAYER}, platform.seen) == []
    assert found_in(ANYWHERE, errors) == []
    assert found_in(ANYWHERE, [metrics]) == []
    assert found_in(ANYWHERE, written.splitlines()) == []


def test_the_marks_would_be_found() -> None:
    letter = f"To whom it may concern: {NAME}"
    assert found_in(ANYWHERE, [letter])
    assert found_in(ANYWHERE, [base64.b64encode(PLAYER.encode()).decode()])
    assert found_in(ANYWHERE, ["nothing to see"]) == []
