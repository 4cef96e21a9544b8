"""An engine that only knows what a test tells it about containers and images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dartsctl.diagnosis.inspection import Inspection, listed
from dartsctl.errors import DockerUnavailable
from dartsctl.records import replace
from dartsctl.stack.containers import Container
from dartsctl.stack.health_check import HealthCheck


@dataclass
class FakeEngine:
    """`images`: the health checks of the images that exist. `restarts`, by container id."""

    running: tuple[Container, ...] = ()
    images: Mapping[str, HealthCheck] = field(default_factory=dict)
    restarts: Mapping[str, int] = field(default_factory=dict)
    stop_seconds: int = 10
    volumes: frozenset[str] = frozenset()
    is_remote: bool = False
    is_gone: bool = False

    def containers(self) -> tuple[Container, ...]:
        if self.is_gone:
            raise DockerUnavailable("the engine is gone")
        return self.running

    def control(self) -> Any:
        return None if self.is_remote else self

    def inspect(self, identity: str) -> Inspection | None:
        for container in self.running:
            if container.id == identity:
                restarts = self.restarts.get(identity, 0)
                return Inspection(replace(listed(container), restart_count=restarts))
        return None

    def image_check(self, image: str) -> HealthCheck | None:
        if self.is_gone:
            raise DockerUnavailable("the engine is gone")
        return self.images.get(image)

    def has_volume(self, name: str) -> bool:
        return name in self.volumes

    def stop_timeout(self, _identity: str) -> int:
        if self.is_gone:
            raise DockerUnavailable("the engine is gone")
        return self.stop_seconds
