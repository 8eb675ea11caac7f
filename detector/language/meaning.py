"""The fingerprint of what a rule does: two versions with the same one alert alike."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from typing import Any

from detector.language.rule import Rule

_BESIDE_THE_MEANING = frozenset(
    (
        *("id", "version", "status", "tests", "title", "why", "sources", "explain", "tell", "path"),
        *("behaviour", "percentiles"),  # of the latter each stands in a condition already
    )
)


def behaviour(rule: Rule) -> str:
    """Return the SHA-256, in hex, of everything that makes a rule alert as it does.

    It is taken over the typed tree, so that blanks, comments, quotes and the order of keys leave it alone.
    """
    meaning = {
        each.name: _canonical(getattr(rule, each.name))
        for each in fields(rule)
        if each.name not in _BESIDE_THE_MEANING
    }
    if len(levels := set(rule.respond.values())) == 1:
        # One level for all is one however it is written, and as it was before there could be several.
        meaning["respond"] = levels.pop()
    text = json.dumps(meaning, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: _canonical(getattr(value, each.name)) for each in fields(value) if each.compare}
        return {"": type(value).__name__} | parts
    if isinstance(value, dict):
        return {key: _canonical(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [_canonical(each) for each in value]
    return value
