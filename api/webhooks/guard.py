"""No webhook reaches a private address: looked at on the very socket that is about to be connected.

What a URL says proves nothing: names resolve to what their owner likes, to another address the second time,
and one address can be written in a dozen ways. The address handed to `connect` has only one reading.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any
from urllib.parse import urlsplit

from detector.errors import SettingsError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

LONGEST_URL = 2048

# Python 3.11 has `is_global` say yes to many of these; what each of them is stands in IANA's registries.
_NEVER = [
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
# Of IPv6 only what is given out to the internet at large, and of that not what leads elsewhere again.
_GIVEN_OUT = ipaddress.ip_network("2000::/3")
_NEVER_6 = [
    ipaddress.ip_network(each)
    for each in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]


class NotAllowed(OSError):  # noqa: N818  (it is aiohttp that needs an OSError)
    """The address may not be connected to. Names neither it nor the URL."""


def read_networks(written: Iterable[str]) -> list[Network]:
    """The networks of the setting; SettingsError if one of them is none."""
    try:
        return [ipaddress.ip_network(each) for each in written]
    except ValueError:
        raise SettingsError('webhook_networks holds networks such as "10.1.2.0/24"') from None


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's, and no other way of writing one that is not."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NEVER)
    return address in _GIVEN_OUT and not any(address in network for network in _NEVER_6)


def inside(address: Address, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks; of `::ffff:a.b.c.d` the IPv4 address counts."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def guarded(networks: Sequence[Network], *, public: bool) -> Callable[[Any], socket.socket]:
    """A `socket_factory` for aiohttp: sockets to these networks, and to public addresses if so said.

    Raises (the factory)
    --------------------
    NotAllowed
        Any other address.
    """

    def make(info: Any) -> socket.socket:
        family, kind, protocol, _, target = info
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise NotAllowed("not an internet address")
        try:
            address = ipaddress.ip_address(str(target[0]).partition("%")[0])
        except ValueError:
            raise NotAllowed("not an address") from None
        if not inside(address, networks) and not (public and is_public(address)):
            raise NotAllowed("not a public address")
        made = socket.socket(family=family, type=kind, proto=protocol)
        made.setblocking(False)
        return made

    return make


def check_url(url: str, networks: Sequence[Network]) -> None:
    """ValueError, in words for whoever sent it, unless a webhook may be pointed there.

    It keeps mistakes out; what keeps attacks out is the socket.
    """
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError(f"A URL of at most {LONGEST_URL} printable ASCII characters")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("Not a URL") from None
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError("An https URL with a host")
    if parts.username is not None or parts.password is not None or parts.fragment or "%" in host:
        raise ValueError("A URL without user, password, zone and fragment")
    if port == 0:
        raise ValueError("Not a port")
    if parts.scheme == "http" and not networks:
        raise ValueError("https; plain http is for private networks that the settings name")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not inside(address, networks) and (parts.scheme == "http" or not is_public(address)):
        raise ValueError("Neither a public address nor one of the private networks that the settings name")
