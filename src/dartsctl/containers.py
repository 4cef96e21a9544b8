"""Container: one container as the engine lists it, running or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dartsctl.bindings import Endpoint

PROJECT_LABEL = "com.docker.compose.project"


@dataclass(frozen=True, slots=True)
class Container:
    """One container. It holds ports only while it runs or is paused."""

    id: str
    name: str
    image: str
    state: str
    """created, running, paused, restarting, removing, exited or dead."""
    status: str = ""
    """The engine's sentence: `Up 3 minutes (healthy)`."""
    targets: tuple[tuple[Endpoint, int], ...] = ()
    """What the engine holds for it on this host, each with the port inside the container that it leads to."""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    network_mode: str = ""
    created: int = 0
    """Unix time, seconds."""

    @property
    def published(self) -> tuple[Endpoint, ...]:
        """The host endpoints alone."""
        return tuple(endpoint for endpoint, _ in self.targets)

    @property
    def project(self) -> str:
        return self.labels.get(PROJECT_LABEL, "")

    @property
    def service(self) -> str:
        return self.labels.get("com.docker.compose.service", "")

    @property
    def number(self) -> int:
        text = self.labels.get("com.docker.compose.container-number", "")
        return int(text) if text.isdigit() else 0

    @property
    def config_hash(self) -> str:
        return self.labels.get("com.docker.compose.config-hash", "")

    @property
    def is_one_off(self) -> bool:
        """Made by `docker compose run`: never touched by `up`."""
        return self.labels.get("com.docker.compose.oneoff", "") == "True"

    @property
    def working_dir(self) -> str:
        return self.labels.get("com.docker.compose.project.working_dir", "")

    @property
    def config_files(self) -> tuple[str, ...]:
        """Absolute paths at creation time; a path that contains a comma comes out in pieces, the label does not say better."""
        text = self.labels.get("com.docker.compose.project.config_files", "")
        return tuple(text.split(",")) if text else ()

    @property
    def holds_ports(self) -> bool:
        """Running and paused ones do; a crash loop in its back-off holds nothing (PORTS.md 1.3)."""
        return self.state in ("running", "paused")
