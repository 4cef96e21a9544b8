"""nginx's error log, followed live: what its users meet between two checks.

Errors about servers behind it are counted by service; many of them, and troubles of nginx itself,
ask for a look. What the errors mean is doctor's to say (users_errors.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.upstream_errors import MANY, WINDOW
from dartsctl.diagnosis.failed_service import failed_service
from dartsctl.diagnosis.nginx.limits import parse_limited
from dartsctl.diagnosis.nginx.log import NginxFailure, may_be_line, parse_line, parse_moment
from dartsctl.errors import DockerUnavailable
from dartsctl.records import record, replace
from dartsctl.workflows.examine.stack import ENGINE_DEADLINE
from dartsctl.workflows.watch.container_logs import ContainerLogs
from dartsctl.workflows.watch.signals import LookWanted, Note, Noticed

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.followed_log import StampedLine
    from dartsctl.diagnosis.nginx.log import LoggedFailure
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Emit

_OWN = (
    NginxFailure.HOST_NOT_FOUND,
    NginxFailure.CERTIFICATE,
    NginxFailure.BIND,
    NginxFailure.EMERGENCY,
    NginxFailure.WORKER_KILLED,
)
"""Troubles of nginx itself."""
_PATIENCE = 1.0
"""Seconds that a round waits for the next line."""
_PAUSE = 0.05
"""Seconds after a round. With 64 KiB in each it bounds what a flood costs."""
_LINES_A_SECOND = 500
"""Lines of the error log that are read; the others are counted."""
_SAY_AGAIN = 60.0
"""Seconds until a note about the same is repeated, if it can come again."""
_QUIET = 10.0
"""Seconds between two notices of a trouble of nginx itself."""
_SHOWN = 300
"""Characters of a line that are shown."""


@record(frozen=False)
class _Budget:
    """How many lines are read within a second, and how many were not."""

    second: int = 0
    used: int = 0
    unread: int = 0

    def allows(self, now: float) -> bool:
        if int(now) != self.second:
            self.second, self.used = int(now), 0
        self.used += 1
        if self.used <= _LINES_A_SECOND:
            return True
        self.unread += 1
        return False


class ProxyLog:
    """Follows the error log of each container of the proxy, in one thread."""

    name = "log"

    def __init__(self, known: Known, *, deps: Deps) -> None:
        self._known = known
        self._deps = deps
        self._start = deps.now()
        self._logs: dict[str, ContainerLogs] = {}
        self._budget = _Budget()
        self._notes: list[str] = []
        self._said: dict[str, float] = {}
        self._own_noticed = float("-inf")

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Follow until `stop` is set."""
        while not stop.is_set():
            self.turn(emit, _PATIENCE)
            pause = _PATIENCE
            if any(logs.waits for logs in self._logs.values()):
                pause = _PAUSE
            stop.wait(pause)
        self.close()

    def close(self) -> None:
        """Follow nothing any more."""
        self._forget(list(self._logs))

    def turn(self, emit: Emit, patience: float) -> None:
        """Open what is to be followed, and read what has come. Never raises."""
        examination = self._known.examination
        if examination is not None and examination.facts.engine.answers:
            self._follow(examination.facts)
            self._read(examination.facts, emit, patience)
        self._known.follows_log = any(logs.is_followed for logs in self._logs.values())
        self._say_notes(emit)

    def _follow(self, facts: Facts) -> None:
        """Follow the containers that run, and forget those that are gone."""
        control, proxy = self._control(facts), facts.proxy
        if control is None or proxy is None:
            return
        service = facts.proxy_service
        containers = service.containers if service else ()
        self._forget(set(self._logs) - {container.id for container in containers})
        for container in containers:
            if not container.runs:
                continue
            logs = self._logs.get(container.id)
            if logs is None:
                since = self._start + facts.engine.skew
                logs = ContainerLogs(container.name, since, deps=self._deps, say=self._notes.append)
                self._logs[container.id] = logs
            try:
                logs.follow(container, facts, control)
            except DockerUnavailable:
                continue  # the next look says so, and what is wrong with the engine

    def _control(self, facts: Facts) -> EngineControl | None:
        """Return what the log is read by; None where nobody reads it, which is said."""
        proxy = facts.proxy
        if proxy is None:
            return None
        if proxy.kind != "nginx":
            kind: str = proxy.kind
            if kind == "other":
                kind = "not nginx"
            self._notes.append(
                f"the log of {proxy.service} is not followed ({kind}): only the HTTP checks "
                "see requests that fail"
            )
            return None
        control = self._deps.engine(deadline=ENGINE_DEADLINE).control()
        if control is None:
            self._notes.append(
                f"the log of {proxy.service} is not followed: the engine at "
                f"{facts.engine.endpoint} can only be asked for its list"
            )
        return control

    def _forget(self, identities: Iterable[str]) -> None:
        for identity in identities:
            self._logs.pop(identity).close()

    def _read(self, facts: Facts, emit: Emit, patience: float) -> None:
        share = patience / max(len(self._logs), 1)
        for logs in self._logs.values():
            for line in logs.lines(share):
                if may_be_line(line.text) and self._budget.allows(self._deps.monotonic()):
                    self._take(line, facts, emit)

    def _say_notes(self, emit: Emit) -> None:
        """Say what is new, and again only after a while what comes again."""
        now = self._deps.now()
        if self._budget.unread and now - self._said.get("", 0.0) >= _SAY_AGAIN:
            self._said[""] = now
            text = f"{self._budget.unread} lines of nginx's error log were not read: too many"
            self._budget.unread = 0
            emit(Note(f"{text} at once", now))
        for text in self._notes:
            if text not in self._said:
                self._said[text] = now
                emit(Note(text, now))
        self._notes.clear()

    # --- what a line says -----------------------------------------------------------------------

    def _take(self, line: StampedLine, facts: Facts, emit: Emit) -> None:
        skew = facts.engine.skew
        by_engine = parse_moment(line.when) or self._deps.now() + skew
        if failure := parse_line(line.text, stamp=line.when):
            failure = replace(failure, when=by_engine - skew)
            if failure.failure in _OWN:
                self._notice_own(failure, facts, emit)
            else:
                self._count(failure, facts, emit)
        elif limited := parse_limited(line.text, stamp=line.when):
            self._known.limited.append(replace(limited, when=by_engine))

    def _notice_own(self, failure: LoggedFailure, facts: Facts, emit: Emit) -> None:
        now = self._deps.now()
        proxy = facts.proxy.service if facts.proxy else ""
        if now - self._own_noticed < _QUIET or self._known.is_planned(proxy):
            return
        self._own_noticed = now
        line = self._deps.screen.masker.line(failure.text)[:_SHOWN]
        what = f"{failure.failure.value}: {line}"
        emit(Noticed("log", proxy, what, failure.when or now))
        emit(LookWanted(f"nginx's error log: {failure.failure.value}"))

    def _count(self, failure: LoggedFailure, facts: Facts, emit: Emit) -> None:
        errors = self._known.upstream_errors
        proxy = facts.proxy.service if facts.proxy else ""
        service = failed_service(failure, facts, self._known.service_at)
        when = failure.when or self._deps.now()
        kind = failure.failure.value
        if not service:  # a server outside of the stack, or an address that nobody knows
            service, kind = proxy, f"{kind} ({failure.upstream or failure.name})"
        are_many = errors.record(service, kind, failure.text, when)
        if self._known.is_planned(service) or self._known.is_planned(proxy):
            errors.forget(service)
        elif are_many:
            what = f"nginx has logged {MANY} errors of it within {WINDOW:.0f} s, the last: {kind}"
            emit(Noticed("log", service, what, when))
            emit(LookWanted(f"nginx's error log: errors of {service}"))


def make(_request: WatchRequest, known: Known, deps: Deps) -> ProxyLog:
    """Return the source of one watch."""
    return ProxyLog(known, deps=deps)
