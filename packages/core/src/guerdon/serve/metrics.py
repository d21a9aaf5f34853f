"""What is counted, in Prometheus' words. Each server has a registry of its own: nothing is global."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guerdon.serve.desk import Desk

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """Counters of one server; any thread may count."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()

        def counter(name: str, told: str, *labels: str) -> Counter:
            return Counter(f"guerdon_serve_{name}", told, labels, registry=self.registry)

        self._requests = counter("requests", "Answered requests.", "route", "code")
        self._rows = counter("rows", "Scored rows, by status.", "reward", "status")
        self._hangups = counter(
            "hangups", "Clients that left before their answer, by what became of the batch.", "when"
        )
        self._lanes_lost = counter("lanes_lost", "Scoring processes that died, or were killed for being late.", "how")
        self._waited = Histogram(
            "guerdon_serve_wait_seconds", "Time in the queue.", buckets=_SECONDS, registry=self.registry
        )
        self._took = Histogram(
            "guerdon_serve_score_seconds",
            "Time in a scoring process, of a batch.",
            ("reward",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._gauges = {
            name: Gauge(f"guerdon_serve_{name}", told, registry=self.registry)
            for name, told in (
                ("waiting_batches", "Accepted batches in the queue."),
                ("busy_lanes", "Batches being scored."),
                ("pending_bytes", "Bytes of bodies that are read, waiting or scored."),
                ("draining", "1 while the server is ending."),
            )
        }

    def answered(self, route: str, code: int) -> None:
        """A request was answered, or refused."""
        self._requests.labels(route, str(code)).inc()

    def scored(self, reward: str, statuses: Mapping[str, int]) -> None:
        """So many rows came to each status."""
        for status, count in statuses.items():
            self._rows.labels(reward, status).inc(count)

    def hung_up(self, when: str) -> None:
        """A client left: its batch was `waiting` (and is withdrawn) or `begun` (and its answer is dropped)."""
        self._hangups.labels(when).inc()

    def lane_lost(self, how: str) -> None:
        """A scoring process `died`, or was `late`."""
        self._lanes_lost.labels(how).inc()

    def waited(self, seconds: float) -> None:
        """A batch left the queue."""
        self._waited.observe(seconds)

    def took(self, reward: str, seconds: float) -> None:
        """A batch was scored."""
        self._took.labels(reward).observe(seconds)

    def text(self, desk: Desk, draining: bool) -> bytes:
        """The page that Prometheus reads."""
        from prometheus_client import generate_latest

        for name, value in (
            ("waiting_batches", desk.waiting),
            ("busy_lanes", desk.busy),
            ("pending_bytes", desk.pending_bytes),
            ("draining", int(draining)),
        ):
            self._gauges[name].set(value)
        page: bytes = generate_latest(self.registry)
        return page
