"""What a watch knows at the moment: the loop and the looks write it, the sources read it."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from dartsctl.alerts.problems.never_answered import answered_urls
from dartsctl.alerts.state import State
from dartsctl.alerts.upstream_errors import UpstreamErrors
from dartsctl.edges.host.running import RunningContainers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.diagnosis.nginx.limits import LimitedRequest
    from dartsctl.workflows.examine.stack import Examination

MOST_LATENCIES = 60
"""Checks of each service that are kept."""
_MOST_LIMITED = 100


class Known:
    """The shared knowledge of one watch. Everything may be read in any thread."""

    def __init__(self) -> None:
        self.state = State()
        """The episodes and plans, after the last observation. The loop sets it."""
        self.upstream_errors = UpstreamErrors()
        """What nginx's log has about requests of the users."""
        self.limited: deque[LimitedRequest] = deque(maxlen=_MOST_LIMITED)
        """The latest requests that a limit of the site refused or delayed, by its log."""
        self.follows_log = False
        """Whether the proxy's error log is followed at the moment."""
        self.running = RunningContainers()
        """The containers that run, by the engine's events."""
        self.began: float | None = None
        """When the watch began, by our clock. None: it looks only once."""
        self._answered: set[str] = set()
        self._examination: Examination | None = None
        self._services: dict[str, str] = {}
        self._latencies: dict[str, deque[float | None]] = {}
        self._lock = threading.Lock()

    @property
    def examination(self) -> Examination | None:
        """The last look's. None before the first one."""
        return self._examination

    def learn(self, examination: Examination) -> None:
        """Keep what a look has found."""
        self._examination = examination
        self._answered = self._answered | answered_urls(examination.facts)
        for service in examination.facts.services.values():
            for container in service.containers:
                for address in container.all_addresses:
                    self._services[address] = service.name

    def answers(self, url: str) -> None:
        """Keep that a URL has answered."""
        self._answered = self._answered | {url}

    @property
    def answered(self) -> frozenset[str]:
        """The URLs that have answered since the watch began, and those an open episode is about."""
        urls: set[str] = set(self._answered)
        for episode in self.state.episodes.values():
            requests = episode.problem.data.get("requests")
            if isinstance(requests, list | tuple):
                urls.update(map(str, requests))
        return frozenset(urls)

    def is_planned(self, service: str) -> bool:
        """Whether it is planned that a service does not answer: it was stopped, or work goes on."""
        state = self.state
        if state.work and state.verb and not state.work.services:
            return True
        if state.work and state.verb and service in state.work.services:
            return True
        return service in state.stopped

    def service_at(self, address: str) -> str:
        """Return the service that has, or had last, an address on a network; empty if unknown."""
        return self._services.get(address, "")

    def checked(self, service: str, seconds: float | None) -> None:
        """Keep how long a service took to answer; None: it failed."""
        with self._lock:
            ring = self._latencies.setdefault(service, deque(maxlen=MOST_LATENCIES))
            ring.append(seconds)

    @property
    def latencies(self) -> Mapping[str, tuple[float | None, ...]]:
        """The latest checks by service, in seconds, the latest last; None: it failed."""
        with self._lock:
            return {service: tuple(ring) for service, ring in self._latencies.items()}
