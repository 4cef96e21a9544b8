"""The result of a diagnosis: the closed list of causes, the links of a chain, and the findings."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Literal

from dartsctl.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping


class Cause(Enum):
    """Why a request fails. The values are those of `--json`; causes/ has one module for each."""

    PORT_SQUATTER = "port-squatter"
    OTHER_CONTAINER = "other-container"
    APP_EXITED = "app-exited"
    CRASH_LOOP = "crash-loop"
    OUT_OF_MEMORY = "out-of-memory"
    UNHEALTHY = "unhealthy"
    NEVER_STARTED = "never-started"
    NO_PORTS = "no-ports"
    LOOPBACK_ONLY = "loopback-only"
    STALE_UPSTREAM = "stale-upstream"
    OTHER_NETWORK = "other-network"
    PUBLISHED_PORT = "published-port"
    WRONG_PORT = "wrong-port"
    LOOPBACK_UPSTREAM = "loopback-upstream"
    MISSPELLED_UPSTREAM = "misspelled-upstream"
    EXTERNAL_UPSTREAM = "external-upstream"
    RESOLVER = "resolver"
    MISSING_SOCKET = "missing-socket"
    NO_LIVE_UPSTREAMS = "no-live-upstreams"
    WRONG_PROTOCOL = "wrong-protocol"
    HEADER_TOO_BIG = "header-too-big"
    INVALID_ANSWER = "invalid-answer"
    CLOSES_EARLY = "closes-early"
    NO_ANSWER = "no-answer"
    WORKER_KILLED = "worker-killed"
    PAUSED = "paused"
    REVERSED_DEPENDENCY = "reversed-dependency"
    NGINX_CONFIG = "nginx-config"
    PROXY_DOWN = "proxy-down"
    PROXY_CANNOT_START = "proxy-cannot-start"
    CERTIFICATE = "certificate"
    ENTRY_PORT_TAKEN = "entry-port-taken"
    ENGINE_DOWN = "engine-down"
    UNKNOWN = "unknown"


Mark = Literal["ok", "bad", "unknown"]
Confidence = Literal["certain", "likely", "possible"]


@record
class Link:
    """One link of a chain: what was checked, its state, the evidence, and the probe."""

    name: str
    """symptom, proxy, upstream, container, port, holder or cause."""
    mark: Mark
    text: str
    evidence: tuple[str, ...] = ()
    source: str = ""
    """`engine: inspect darts-app`, `nginx error log`, `kernel: socket table`."""


@record
class Finding:
    """One root cause. What follows from it is folded into its chain."""

    cause: Cause
    service: str
    container: str
    chain: tuple[Link, ...]
    sentence: str
    """The root cause in one sentence."""
    command: str
    """What repairs it: a command, or advice in words."""
    confidence: Confidence
    data: Mapping[str, object] = field(default_factory=dict)
    """Details for programs: port, address, holder, pid."""
    harmless: bool = False
    """No request fails because of it and no container is missing: `doctor --fix` skips it."""
    requests: tuple[str, ...] = ()
    """The URLs of the failed requests that it explains."""
    is_aside: bool = False
    """No failed request follows from it, and it does not keep an incident open."""
    fixable: bool = False
    """Whether the cause's `detect` expects that `doctor --fix` can repair it."""


@record
class Diagnosis:
    """The root causes, and the symptoms seen from outside."""

    findings: tuple[Finding, ...]
    symptoms: tuple[str, ...]
    """`http://localhost:80/ answers 502`."""

    @property
    def healthy(self) -> bool:
        """Whether there is no finding."""
        return not self.findings
