"""How long a call of Compose may take, and until when its stack must be healthy.

Pulling and building images has no deadline, once Compose has said that it does so. Creating
containers has one of its own. The time until the stack must be healthy begins when the first
container starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dartsctl.errors import DartsctlError
from dartsctl.stack import health_deadline
from dartsctl.stack.containers import of_services

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.stack.compose_progress import ComposeActivity
    from dartsctl.stack.containers import Container
    from dartsctl.stack.health_check import HealthCheck
    from dartsctl.stack.health_deadline import HealthDeadline
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.deps import Deps

_CREATION = 120.0
"""Seconds for creating containers, besides the time that replaced ones have to stop."""
_FIRST_SIGN = 120.0
"""Seconds for the first line that says what Compose does: it pulls or creates."""
_LEAST_FIRST_SIGN = 30.0
"""Seconds for it where a person gives the stack less time: a slow machine is no reason to stop."""
_USUAL_STOP = 10.0
"""Seconds that a container has to stop, if its engine does not say."""
_LOOK_AGAIN = 1.0
"""Seconds between two looks at a one-shot that runs longer than the deadline."""


class CallClock(Protocol):
    """Decides when a call of Compose has taken too long."""

    def follow(self, activity: ComposeActivity) -> None:
        """Follow what Compose does, after each of its lines."""

    def is_over(self) -> bool:
        """Return whether the call must end now."""


class Countdown:
    """A fixed time for a call. With `skip_images` it begins when Compose has all images."""

    def __init__(self, seconds: float, *, deps: Deps, skip_images: bool = False) -> None:
        self._seconds = seconds
        self._monotonic = deps.monotonic
        self._waits_for_images = skip_images
        first = _first_sign(seconds) if skip_images else seconds
        self._until: float | None = deps.monotonic() + first

    def follow(self, activity: ComposeActivity) -> None:
        """Begin, if Compose has begun to create something."""
        if not self._waits_for_images:
            return
        if activity.creates:
            self._waits_for_images = False
            self._until = self._monotonic() + self._seconds
        elif activity.has_images_to_get:
            self._until = None

    def is_over(self) -> bool:
        """Return whether the time has passed."""
        return self._until is not None and self._monotonic() >= self._until


class StartClock:
    """The time of one `up` or `restart`, from its images until the stack must be healthy.

    `given` are a person's seconds. Without them the stack's own health checks decide, and the time
    stands still while a one-shot runs for which others wait: nobody knows how long that takes.
    `stopping` are the containers that Compose stops first.
    """

    def __init__(
        self,
        stack: Stack,
        given: float | None,
        *,
        deps: Deps,
        is_restart: bool = False,
        stopping: Sequence[Container] = (),
    ) -> None:
        self.stack = stack
        self._given = given
        self._deps = deps
        self._is_restart = is_restart
        self._stopping = stopping
        self._limit: HealthDeadline | None = None
        self._until: float | None = None
        if not self.built:  # a builder may be silent for long
            self._until = deps.monotonic() + _first_sign(given)
        self._creates = False
        self._starts = self._ended = 0
        self._is_paused = False

    @property
    def limit(self) -> HealthDeadline:
        """The deadline and its reason, decided once: with the first start all images are there."""
        if self._limit is None:
            self._limit = decide(self.stack, self._given, deps=self._deps)
            self._deps.screen.detail(self._limit.sentence)
        return self._limit

    @property
    def built(self) -> tuple[str, ...]:
        """The services whose images Compose may build."""
        services = self.stack.services.values()
        return tuple(service.name for service in services if service.is_built)

    @property
    def until(self) -> float:
        """When the stack must be healthy. Begins now if Compose has started no container."""
        if self._until is None or not self._starts:
            self._starts = 1
            return self._begin_health()
        return self._until

    def follow(self, activity: ComposeActivity) -> None:
        """Begin with the first creation, again with the first start, and after each one-shot.

        In a `restart` every start begins it again: a container is stopped only when those that it
        needs are healthy, and has its own time to stop.
        """
        is_start = activity.starts > self._starts and (self._is_restart or not self._starts)
        has_one_shot_ended = activity.ended > self._ended and self._given is None
        if is_start or has_one_shot_ended:
            self._begin_health()
        elif activity.creates and not self._creates:
            self._until = self._deps.monotonic() + self._creation_seconds()
        elif activity.has_images_to_get and not activity.creates:
            self._until = None
        self._creates = activity.creates
        self._starts, self._ended = activity.starts, activity.ended

    def is_over(self) -> bool:
        """Return whether Compose has to end now."""
        now = self._deps.monotonic()
        if self._until is None or now < self._until:
            return False
        if self._given is None and self._starts and self._is_one_shot_running():
            self._is_paused = True
            self._until = now + _LOOK_AGAIN
        elif self._is_paused:
            self._begin_health()
        else:
            return True
        return False

    def _begin_health(self) -> float:
        self._is_paused = False
        self._until = self._deps.monotonic() + self.limit.seconds
        return self._until

    def _creation_seconds(self) -> float:
        """Return the seconds for creating everything: a replaced container is stopped first."""
        if not self._stopping:
            return _CREATION
        try:
            control = self._deps.engine().control()
            if control is None:
                return _CREATION + _USUAL_STOP * len(self._stopping)
            return _CREATION + sum(control.stop_timeout(each.id) for each in self._stopping)
        except DartsctlError:
            return _CREATION

    def _is_one_shot_running(self) -> bool:
        """Return whether a one-shot that others wait for runs, and has not failed before."""
        one_shots = self.limit.one_shots
        if not one_shots:
            return False
        try:
            engine = self._deps.engine()
            running = [
                container for container in _own(engine, self.stack) if container.state == "running"
            ]
            return any(
                container.service in one_shots and not _has_restarted(container, engine)
                for container in running
            )
        except DartsctlError:
            return False


def _first_sign(seconds: float | None) -> float:
    if seconds is None:
        return _FIRST_SIGN
    return max(_LEAST_FIRST_SIGN, min(_FIRST_SIGN, seconds))


def decide(stack: Stack, given: float | None, *, deps: Deps) -> HealthDeadline:
    """Return the deadline of a stack: a person's, else what its health checks allow."""
    if given is not None:
        return health_deadline.given(given)
    return health_deadline.by_health_checks(stack, _image_checks(stack, deps))


def _image_checks(stack: Stack, deps: Deps) -> dict[str, HealthCheck | None]:
    """Return the health checks of the images that may count; None for one that is not readable."""
    names = [
        stack.image_of(service)
        for service in stack.services.values()
        if health_deadline.needs_image(service)
    ]
    checks: dict[str, HealthCheck | None] = dict.fromkeys(names)
    try:
        control = deps.engine().control()
        for name in checks:
            checks[name] = control.image_check(name) if control else None
    except DartsctlError:
        pass
    return checks


def _own(engine: Engine, stack: Stack) -> list[Container]:
    return of_services(engine.containers(), stack.project, stack.services)


def _has_restarted(container: Container, engine: Engine) -> bool:
    control = engine.control()
    inspected = control.inspect(container.id) if control else None
    return bool(inspected and inspected.facts.restart_count)
