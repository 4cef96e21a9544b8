"""How an engine binds published ports, by its version and set-up. Source of every rule: engine-rules.md#versions, engine-rules.md#ranges, engine-rules.md#no-userland-proxy, engine-rules.md#one-implementation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["local", "desktop", "rootless", "remote", "unknown"]


@dataclass(frozen=True, slots=True)
class EngineRules:
    """The engine that will bind the ports. An empty `version` means that none answered: then the newest rules count (engine-rules.md#one-implementation)."""

    version: str = ""
    kind: Kind = "local"
    """`local`: its sockets are this host's. `desktop` and `remote`: they are elsewhere, local probes say nothing (edge-cases.md#43, edge-cases.md#44)."""
    userland_proxy: bool = True
    has_ipv6: bool = True
    """Whether this kernel can listen on `::1` at all (engine-rules.md#what-is-bound)."""
    default_address: str = ""
    """`host_binding_ipv4` of the daemon's default-network-opts, where it sets one."""
    endpoint: str = ""
    """Where it is asked: `unix:///var/run/docker.sock`."""

    @property
    def release(self) -> tuple[int, int] | None:
        """(major, minor), or None where the version is unknown."""
        match = re.match(r"v?(\d+)\.(\d+)", self.version)
        return (int(match[1]), int(match[2])) if match else None

    @property
    def is_here(self) -> bool:
        """Whether published ports are sockets of this host's own network namespace."""
        return self.kind in ("local", "rootless", "unknown")

    @property
    def reuses_udp_addresses(self) -> bool:
        """28.x alone sets SO_REUSEADDR on udp sockets (moby#50669 takes it away again in 29)."""
        return self.release is not None and self.release[0] == 28

    @property
    def walks_ranges(self) -> bool:
        """27 and newer go on to the next number of a range, and take one number for all addresses of an entry."""
        return self.release is None or self.release[0] >= 27

    @property
    def honours_gateway_modes(self) -> bool:
        """28 and newer bind no IPv4 port for `gateway_mode_ipv4: routed` or `enable_ipv4: false`; 20.10 ignores both, 26 and 27 are unmeasured."""
        return self.release is None or self.release[0] >= 28
