"""Taking messages to a mail server: what kind of thing happened, how urgent it is, where to look."""

from __future__ import annotations

import asyncio
import ipaddress
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from api.settings import Settings
from api.webhooks.carrying import Answer, Job, Target
from api.webhooks.guard import Network, inside
from detector.errors import SettingsError

_SUBJECTS: Mapping[str, str] = {
    "alert.opened": "An alert waits",
    "alert.overdue": "An alert is overdue",
    "alert.unreadable": "Nobody knows what an alert asks for",
    "contest.opened": "A player contests a measure",
    "contest.overdue": "A contest is overdue",
    "referral.overdue": "An aid organisation has not answered",
    "referral.declined": "An aid organisation has declined",
    "partner.down": "Messages do not get through",
    "partner.up": "Messages get through again",
    "delivery.given_up": "A message was given up",
    "scoring.stopped": "Nobody is being scored any more",
    "scoring.resumed": "Scoring goes on again",
    "endpoint.test": "A test",
}
_LONGEST_VALUE = 128


class _NotPrivate(Exception):  # noqa: N818  (tells one end of an attempt from others)
    """The server offers no encryption, and is not on a network where it may go without."""


class Mailing:
    """SMTP: over TLS, or plain on this machine and the networks that the settings name.

    Raises
    ------
    SettingsError
        The settings name a mail server that cannot be used, or no sender.
    """

    def __init__(self, settings: Settings, networks: Sequence[Network], timeout_s: float) -> None:
        self._server = (
            None if settings.smtp_url is None else read_smtp_url(settings.smtp_url.get_secret_value())
        )
        self._sender = settings.mail_from
        if self._server is not None and not self._sender:
            raise SettingsError("mail_from has to say who sends what smtp_url sends")
        self._networks = networks
        self._timeout_s = timeout_s

    async def carry(self, target: Target, job: Job) -> Answer:
        """Mail a message once."""
        if self._server is None or self._sender is None:
            return Answer("unreachable")
        mail = compose(self._sender, target.url.removeprefix("mailto:"), job.message, job.body)
        return await asyncio.to_thread(self._hand_over, mail)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _hand_over(self, mail: EmailMessage) -> Answer:
        try:
            with self._connected() as server:
                server.send_message(mail)
        except smtplib.SMTPResponseException as error:
            return Answer("refused", error.smtp_code)
        except smtplib.SMTPRecipientsRefused as error:
            return Answer("refused", next((code for code, _ in error.recipients.values()), None))
        except _NotPrivate:
            return Answer("not_allowed")
        except TimeoutError:
            return Answer("timeout")
        except (smtplib.SMTPException, OSError, ValueError) as error:
            # What smtplib was reading when the time was over, it calls closed.
            return Answer("timeout" if isinstance(error.__context__, TimeoutError) else "unreachable")
        return Answer("delivered", 250)

    def _connected(self) -> smtplib.SMTP:
        assert self._server is not None
        scheme, host, port, user, password = self._server
        context = ssl.create_default_context()
        if scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=self._timeout_s, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=self._timeout_s)
        try:
            server.ehlo_or_helo_if_needed()
            if scheme == "smtp":
                plain = self._may_go_plain(server)
                if server.has_extn("starttls"):
                    if plain:  # where it may go without, a certificate of one's own making does no harm
                        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                    server.starttls(context=context)
                elif not plain:
                    raise _NotPrivate
            if user is not None:
                server.login(user, password or "")
        except BaseException:
            server.close()
            raise
        return server

    def _may_go_plain(self, server: smtplib.SMTP) -> bool:
        assert server.sock is not None
        peer = ipaddress.ip_address(str(server.sock.getpeername()[0]).partition("%")[0])
        return peer.is_loopback or inside(peer, self._networks)


def read_smtp_url(url: str) -> tuple[str, str, int, str | None, str | None]:
    """Scheme, host, port, user and password; SettingsError, which repeats none of them, if it is wrong."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise SettingsError("smtp_url is smtp://USER:PASSWORD@HOST:PORT or smtps://…")
    user = None if parts.username is None else unquote(parts.username)
    password = None if parts.password is None else unquote(parts.password)
    return parts.scheme, parts.hostname, port or (465 if parts.scheme == "smtps" else 587), user, password


def compose(sender: str, recipient: str, message_id: str, body: bytes) -> EmailMessage:
    """The mail of a message: its type in words, and its data, a line each; all of it ASCII in one line each.

    The same message is the same mail: it keeps its `Message-ID` however often it is sent.
    """
    document: dict[str, Any] = msgspec.json.decode(body)
    type_ = str(document["type"])
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = f"[tiltwatch] {_SUBJECTS.get(type_, 'News for the desk')}"
    domain = _line(sender.rpartition("@")[2].rstrip(">")) or "tiltwatch.invalid"
    mail["Message-ID"] = f"<{message_id}@{domain}>"
    mail["Date"] = datetime.fromisoformat(document["timestamp"])
    mail["Auto-Submitted"] = "auto-generated"
    lines = [f"{_SUBJECTS.get(type_, 'News for the desk')} ({_line(type_)}).", ""]
    for name, value in document["data"].items():
        if value is not None:
            lines.append(f"{_line(name)}: {_line(value)}")
    lines += [f"at: {_line(document['timestamp'])}", f"message: {message_id}", ""]
    lines += ["What it is about is shown to those who may see it, in tiltwatch itself.", ""]
    mail.set_content("\n".join(lines))
    return mail


def _line(value: object) -> str:
    """A value in one line of printable ASCII."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    shown = "".join(each if " " <= each <= "~" else "?" for each in text)
    return shown if len(shown) <= _LONGEST_VALUE else shown[:_LONGEST_VALUE] + "..."
