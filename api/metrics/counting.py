"""What this process counts by itself. No label ever holds what a client made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter

from detector.events.decode import REASONS

if TYPE_CHECKING:
    from api.events.schemas import IntakeReport

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER = "other"


class Counts:
    """Requests and events since this process began."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "tiltwatch_requests",
            "Requests answered, by route, method and status.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._events = Counter(
            "tiltwatch_events",
            "Events taken in, by what became of them.",
            ("outcome",),
            registry=self.registry,
        )
        self._rejected = Counter(
            "tiltwatch_events_rejected", "Events rejected, by reason.", ("reason",), registry=self.registry
        )
        for outcome in ("accepted", "repeated", "rejected"):
            self._events.labels(outcome)

    def request(self, route: str, method: str, status: int) -> None:
        """Count a request; `route` is a template, `-` where there is none."""
        self._requests.labels(route, method if method in METHODS else OTHER, str(status)).inc()

    def intake(self, report: IntakeReport) -> None:
        """Count the events of a request."""
        self._events.labels("accepted").inc(report.accepted)
        self._events.labels("repeated").inc(report.repeated)
        self._events.labels("rejected").inc(report.rejected)
        for result in report.results:
            if result.reason is not None:
                self._rejected.labels(result.reason if result.reason in REASONS else OTHER).inc()
