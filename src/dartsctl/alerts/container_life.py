"""One container from its start to its end: what was sent to it, and whether its end was planned.

The engine reports `kill` for every signal that somebody sends through its API, before the `die`
that follows. Nothing else that ends a container comes with a `kill`. All times are the engine's.
"""

from __future__ import annotations

from dartsctl.records import field, record

_MARGIN = 5.0
"""Seconds beyond the stop timeout that a planned end may take."""
_AT_ONCE = 3.0
"""Seconds in which another signal that ends a container has done so."""
_STOP_SIGNALS = frozenset((2, 3, 9, 15))
"""SIGINT, SIGQUIT, SIGKILL, SIGTERM. An image or a Compose file may name another one."""


@record
class ContainerEvent:
    """An event of the engine about a container of the project."""

    action: str
    """create, start, kill, die, stop, oom, pause, unpause, rename, destroy or health_status."""
    id: str
    name: str
    service: str
    nano: int
    """Nanoseconds of Unix time, by the engine's clock."""
    is_one_off: bool = False
    signal: int = 0
    exit_code: int | None = None
    health: str = ""

    @property
    def time(self) -> float:
        """Unix time, in seconds."""
        return self.nano / 1e9


@record
class Snapshot:
    """A container as the engine describes it at one moment. Times by the engine's clock."""

    id: str
    name: str
    service: str
    state: str
    """As in Container."""
    started: float | None = None
    finished: float | None = None
    exit_code: int = 0
    oom_killed: bool = False
    restart_count: int = 0
    restart_policy: str = ""
    stop_signal: int = 15
    stop_timeout: float = 10.0
    is_needed: bool = False
    """Whether it should run all the time: published ports, a health check, others that need it."""
    pid: int = 0

    @property
    def runs(self) -> bool:
        return self.state in ("running", "paused")


@record(frozen=False)
class Life:
    """A container from its start to its end, and its settings."""

    last: Snapshot
    """The latest description."""
    runs: bool = False
    start_event: float = 0.0
    kills: list[tuple[int, float]] = field(default_factory=list)
    oom: float | None = None
    stopped: float | None = None
    """When a stop through the API was reported."""
    ended: float | None = None
    planned: bool = False
    """Whether it was ended on purpose."""
    is_assumed: bool = False
    """Whether a list has shown the end, and no event."""
    is_engines: bool = False
    """Whether a restart of the engine has ended it: its own `kill`, `stop` and `die` may follow."""
    start_until: float | None = None
    """A created container: until when it should be started, by our clock."""
    looked: float | None = None

    def begin(self, when: float) -> None:
        self.runs, self.start_event = True, when
        self.kills.clear()
        self.oom = self.stopped = self.ended = self.start_until = None
        self.planned = self.is_assumed = self.is_engines = False

    def end(self, when: float | None, *, planned: bool) -> None:
        self.runs, self.ended, self.planned = False, when, planned


def is_planned(life: Life, event: ContainerEvent) -> bool:
    """Whether somebody has asked the engine for the end.

    A signal that ends a container counts for as long as a stop may take. Any other one (SIGHUP:
    read the configuration again) counts only if the container has ended of it, at once.
    """
    if life.stopped is not None and event.time - life.stopped <= _MARGIN:
        return True
    for number, when in life.kills:
        passed = event.time - when
        if _is_stop(life, number) and passed <= life.last.stop_timeout + _MARGIN:
            return True
        if event.exit_code == 128 + number and passed <= _AT_ONCE:
            return True
    return False


def may_be_stopping(life: Life) -> bool:
    """Whether a stop with a longer timeout than the container's may go on."""
    return any(_is_stop(life, number) for number, _ in life.kills)


def _is_stop(life: Life, number: int) -> bool:
    return number in _STOP_SIGNALS or number == life.last.stop_signal


def comes_back(policy: str, code: int | None) -> bool:
    return policy in ("always", "unless-stopped") or (policy == "on-failure" and code != 0)


def is_newer(moment: float | None, described: float | None, reported: float) -> bool:
    """Whether a moment of a description is another one than the last known.

    The event about it comes a little later than the moment that the engine notes.
    """
    if moment is None or moment == described:
        return False
    return moment > reported
