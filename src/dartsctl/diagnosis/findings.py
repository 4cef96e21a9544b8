"""What a diagnosis is made of: the closed list of causes, the links of a chain, and the findings (DESIGN 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal


class Cause(Enum):
    """Why a request does not come through. The values are what `--json` says."""

    PORT_SQUATTER = "port-squatter"
    """A process of this host holds a port that the service publishes."""
    OTHER_CONTAINER = "other-container"
    """A container outside the stack holds it."""
    APP_EXITED = "app-exited"
    CRASH_LOOP = "crash-loop"
    OUT_OF_MEMORY = "out-of-memory"
    UNHEALTHY = "unhealthy"
    """It runs and does not serve: its health check fails, or nothing listens on the port that is asked for."""
    NEVER_STARTED = "never-started"
    NO_PORTS = "no-ports"
    """Running, and the engine has not bound what it should have (edge-cases.md#33)."""
    LOOPBACK_ONLY = "loopback-only"
    """The app listens on 127.0.0.1 inside its container: nobody else reaches it."""
    STALE_UPSTREAM = "stale-upstream"
    """The proxy asks an address that the service no longer has (edge-cases.md#69, edge-cases.md#70)."""
    OTHER_NETWORK = "other-network"
    PROXY_DOWN = "proxy-down"
    PROXY_CANNOT_START = "proxy-cannot-start"
    CERTIFICATE = "certificate"
    ENTRY_PORT_TAKEN = "entry-port-taken"
    """A stranger holds a port of the front door itself, 80 or 443."""
    ENGINE_DOWN = "engine-down"
    UNKNOWN = "unknown"


Mark = Literal["ok", "bad", "unknown"]
Confidence = Literal["certain", "likely", "possible"]


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a chain: what was looked at, how it is, what was seen, and which probe saw it."""

    name: str
    """symptom, proxy, upstream, container, port, holder or cause."""
    mark: Mark
    text: str
    evidence: tuple[str, ...] = ()
    source: str = ""
    """`engine: inspect darts-app`, `nginx error log`, `kernel: socket table`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One root cause, with what follows from it folded into its chain."""

    cause: Cause
    service: str
    container: str
    chain: tuple[Link, ...]
    sentence: str
    """The root cause in one sentence."""
    command: str
    """What repairs it."""
    confidence: Confidence
    data: Mapping[str, object] = field(default_factory=dict)
    """What a program needs of it: port, address, holder, pid."""
    harmless: bool = False
    """No request fails because of it, and no container is missing: `doctor --fix` leaves it alone."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that is wrong, root causes alone."""

    findings: tuple[Finding, ...]
    symptoms: tuple[str, ...]
    """What somebody outside sees: `http://localhost:80/ answers 502`."""

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings
