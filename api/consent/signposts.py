"""Help that exists where a player is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import msgspec
from pydantic import BaseModel
from ruamel.yaml import YAML

from api.referrals.protocol import Language


class Signpost(BaseModel):
    """Somewhere to turn to, without anybody's leave and without our help."""

    name: str
    what: str
    phone: str | None
    link: str


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    what: dict[Language, str]
    link: str
    phone: str | None = None


@cache
def _read() -> Mapping[str, Sequence[_Entry]]:
    text = (files("api.consent") / "signposts.yml").read_text("utf-8")
    return msgspec.convert(YAML(typ="safe", pure=True).load(text), dict[str, list[_Entry]])


def signposts(jurisdiction: str | None, language: Language) -> list[Signpost]:
    """Where somebody in a jurisdiction can turn; never nowhere."""
    known = _read()
    place = jurisdiction or ""
    found = known.get(place) or known.get(place.partition("-")[0]) or known["default"]
    return [
        Signpost(name=each.name, what=each.what[language], phone=each.phone, link=each.link) for each in found
    ]
