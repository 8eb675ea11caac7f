"""Nothing on this machine, or on any other private network, ever sees a connection from a webhook."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from api.webhooks.carrying import Answer, Job, Target
from api.webhooks.guard import check_url, inside, is_public, read_networks
from api.webhooks.posting import Posting
from api.webhooks.signatures import new_private_key
from detector.errors import SettingsError
from tests.api.webhooks.receiving import LOOPBACK, Receiver, receiving
from tests.drivers.small import NOON_US

JOB = Job("msg_1", "ep_1", "endpoint.test", b"{}", 1)


@dataclass
class Listener:
    """Counts connections on loopback."""

    port: int = 0
    seen: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def take(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.seen += 1
        self.writers.append(writer)
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """Listens on 127.0.0.1 and on ::1, on one port."""
    each = Listener()
    first = await asyncio.start_server(each.take, "127.0.0.1", 0)
    each.port = first.sockets[0].getsockname()[1]
    servers = [first, await asyncio.start_server(each.take, "::1", each.port)]
    yield each
    for server in servers:
        server.close()
        await server.wait_closed()


class Scripted(AbstractResolver):
    """Answers what it is told, a different thing each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for each in answer
        ]

    async def close(self) -> None:
        pass


async def send(
    url: str, *, networks: list[str] | None = None, resolver: AbstractResolver | None = None
) -> Answer:
    """One attempt at a URL, by a sender that has not looked at it before."""
    posting = Posting(read_networks(networks or []), 2, lambda: NOON_US, resolver)
    try:
        return await posting.carry(Target(url, (new_private_key(),)), JOB)
    finally:
        await posting.close()


BYPASSES = {
    "plain": "127.0.0.1",
    "another loopback": "127.255.255.254",
    "decimal": "2130706433",
    "octal": "0177.0.0.1",
    "all octal": "017700000001",
    "hexadecimal": "0x7f000001",
    "hexadecimal parts": "0x7f.0.0.1",
    "short": "127.1",
    "shorter": "127.0.1",
    "zero": "0",
    "nothing": "0.0.0.0",
    "name": "localhost",
    "name with a dot": "localhost.",
    "name in capitals": "LOCALHOST",
    "IPv6": "[::1]",
    "IPv6 nothing": "[::]",
    "IPv6 written out": "[0:0:0:0:0:0:0:1]",
    "IPv4 mapped": "[::ffff:127.0.0.1]",
    "IPv4 mapped in hexadecimal": "[::ffff:7f00:1]",
    "IPv4 compatible": "[::127.0.0.1]",
    "IPv4 translated": "[::ffff:0:127.0.0.1]",
    "6to4": "[2002:7f00:1::]",
    "NAT64": "[64:ff9b::7f00:1]",
    "local NAT64": "[64:ff9b:1::7f00:1]",
    "Teredo": "[2001:0:7f00:1::80ff:fffe]",
    "site-local": "[fec0::1]",
    "unique local": "[fd00::1]",
    "link-local with a zone": "[fe80::1%25lo]",
    "loopback with a zone": "[::1%25lo]",
    "multicast": "224.0.0.1",
    "metadata": "169.254.169.254",
    "metadata, mapped": "[::ffff:169.254.169.254]",
    "carrier's": "100.64.0.1",
    "digits of another script": "①②⑦.⓪.⓪.①",
    "full-width digits": "１２７.０.０.１",
    "ideographic full stops": "127。0。0。1",
    "user as host": "example.org@127.0.0.1",
    "host as user": "127.0.0.1#@example.org",
    "backslash": "127.0.0.1\\@example.org",
    "escaped": "%31%32%37.0.0.1",
    "tab inside": "127.0.0.\t1",
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", BYPASSES.values(), ids=BYPASSES)
async def test_no_way_of_writing_a_private_address_leads_there(
    listener: Listener, scheme: str, host: str
) -> None:
    head, at, tail = host.partition("#")
    url = f"{scheme}://{head}:{listener.port}{at}{tail}/hook"
    answer = await send(url)
    assert answer.outcome in ("not_allowed", "unreachable")
    assert listener.seen == 0
    if "localhost" not in host.lower():  # of a name only the socket tells where it leads
        with pytest.raises(ValueError, match=r"\w"):
            check_url(f"http://{head}:{listener.port}{at}{tail}/hook", [])


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
async def test_the_listener_is_there_for_whoever_is_allowed(listener: Listener, host: str) -> None:
    await send(f"http://{host}:{listener.port}/hook", networks=LOOPBACK)
    assert listener.seen == 1


async def test_a_name_that_leads_to_a_private_address_the_second_time_leads_nowhere(
    listener: Listener,
) -> None:
    resolver = Scripted(["192.0.2.1"], ["127.0.0.1"])
    posting = Posting([], 2, lambda: NOON_US, resolver)
    target = Target(f"https://rebinding.example:{listener.port}/", (new_private_key(),))
    outcomes = [(await posting.carry(target, JOB)).outcome for _ in range(3)]
    await posting.close()
    assert set(outcomes) == {"not_allowed"}
    assert listener.seen == 0


async def test_a_private_address_among_public_ones_is_not_tried(listener: Listener) -> None:
    resolver = Scripted(["127.0.0.1", "::1", "10.0.0.1", "::ffff:127.0.0.1"])
    answer = await send(f"https://several.example:{listener.port}/", resolver=resolver)
    assert answer.outcome in ("not_allowed", "unreachable")
    assert listener.seen == 0


async def test_a_redirect_is_not_followed(listener: Listener) -> None:
    async with receiving() as receiver:
        for status in (301, 302, 303, 307, 308):
            location = {"location": f"http://127.0.0.1:{listener.port}/"}
            receiver.answers.append(web.Response(status=status, headers=location))
            assert (await send(receiver.url, networks=LOOPBACK)).outcome == "redirected"
    assert listener.seen == 0


async def test_a_proxy_of_the_environment_is_not_used(
    listener: Listener, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    assert (await send(receiver.url, networks=LOOPBACK)).outcome == "delivered"
    assert (await send("https://10.255.255.1/")).outcome == "not_allowed"
    assert listener.seen == 0


async def test_plain_http_goes_to_private_networks_of_the_settings_alone() -> None:
    resolver = Scripted(["8.8.8.8"])
    assert (
        await send("http://public.example/", networks=LOOPBACK, resolver=resolver)
    ).outcome == "not_allowed"


async def test_a_decompressed_body_cannot_be_larger_than_what_was_sent(receiver: Receiver) -> None:
    packed = zlib.compress(b"x" * 1_000_000)
    receiver.answers = [web.Response(body=packed, headers={"content-encoding": "deflate"})]
    assert (await send(receiver.url, networks=LOOPBACK)).body == packed


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "223.255.255.255", "2606:4700::1111", "2a00:1450::1", "2400:cb00::1"],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.1.2.3",
        "10.0.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.1.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:db8::1",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_all_others_are_not(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


def test_a_mapped_address_is_inside_where_the_address_is() -> None:
    networks = read_networks(["127.0.0.0/8"])
    assert inside(ipaddress.ip_address("::ffff:127.0.0.1"), networks)
    assert not inside(ipaddress.ip_address("::ffff:10.0.0.1"), networks)


def test_a_network_that_is_none_is_said() -> None:
    with pytest.raises(SettingsError, match="webhook_networks"):
        read_networks(["10.0.0.1/8"])


@pytest.mark.parametrize(
    "url",
    [
        "https://aid.example/hooks?a=1",
        "https://8.8.8.8:8443/",
        "https://[2606:4700::1111]/",
        "HTTPS://AID.EXAMPLE",
    ],
)
def test_urls_of_the_internet_may_be_registered(url: str) -> None:
    check_url(url, [])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "aid.example",
        "//aid.example/",
        "ftp://aid.example/",
        "http://aid.example/",
        "https://",
        "https:///x",
        "https://user:pw@aid.example/",
        "https://user@aid.example/",
        "https://aid.example/#x",
        "https://aid.example:0/",
        "https://aid.example:99999/",
        "https://aid.example:x/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://aid.example/\r\nx: y",
        "https://aid.example/ x",
        "https://aïd.example/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://aid.example/" + "x" * 2048,
    ],
)
def test_others_may_not(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as told:
        check_url(url, [])
    assert "pw" not in str(told.value)


@pytest.mark.parametrize("url", ["http://10.1.2.3/", "http://inside.example/", "https://10.1.2.3/"])
def test_networks_of_the_settings_may_be_registered(url: str) -> None:
    check_url(url, read_networks(["10.1.2.0/24"]))
