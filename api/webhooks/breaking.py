"""The circuit breaker of an endpoint, kept in its row: when to leave it alone, and when it is back."""

from __future__ import annotations

from api.webhooks.retrying import Options
from api.webhooks.tables import Endpoint


def got_through(endpoint: Endpoint) -> bool:
    """Note a delivery; True if people were told that the endpoint is down, and it is back now."""
    back = endpoint.told_us is not None
    endpoint.failures, endpoint.open_until_us, endpoint.pause_us = 0, None, 0
    endpoint.failing_since_us = endpoint.told_us = None
    return back


def failed(endpoint: Endpoint, now_us: int, options: Options) -> None:
    """Note a failure; after so many in a row, nothing is sent for a while, each time for twice as long.

    What was under way when that began and fails too says nothing new.
    """
    endpoint.failures += 1
    if endpoint.failing_since_us is None:
        endpoint.failing_since_us = now_us
    if endpoint.failures < options.break_after:
        return
    if endpoint.open_until_us is None or endpoint.open_until_us <= now_us:
        doubled = min(2 * endpoint.pause_us, options.longest_pause_us)
        endpoint.pause_us = doubled or options.pause_us
        endpoint.open_until_us = now_us + endpoint.pause_us


def allows(endpoint: Endpoint, now_us: int, under_way: int) -> int | None:
    """How many more may be sent to it as far as failures go; None: as many as its pace allows."""
    if endpoint.held_until_us > now_us:
        return 0
    if endpoint.open_until_us is None:
        return None
    return 1 if endpoint.open_until_us <= now_us and not under_way else 0
