"""A story for every test that asks for one, on each kind of database."""

from __future__ import annotations

from tests.api.consent.conftest import story

__all__ = ["story"]
