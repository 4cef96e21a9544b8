"""How an engine binds published ports, by its version and setup.

Sources: engine-rules.md#versions, engine-rules.md#ranges, engine-rules.md#no-userland-proxy,
engine-rules.md#one-implementation.
"""

from __future__ import annotations

import re
from functools import cache

from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Product = Literal["docker", "podman"]

    EngineKind = Literal["local", "desktop", "rootless", "remote", "unknown"]


@record
class EngineRules:
    """The engine that will bind the ports.

    An empty `version` means that no engine answered: then the newest rules apply
    (engine-rules.md#one-implementation).
    """

    version: str = ""
    product: Product = "docker"
    """Whose API answers. How Podman publishes ports was not measured: its verdicts are those of
    the socket table, with the rules of the newest Docker engine (engine-rules.md#podman)."""
    kind: EngineKind = "local"
    """`local`: its sockets are on this host. `desktop` and `remote`: they are elsewhere, and a
    local probe says nothing about them (edge-cases.md#43, edge-cases.md#44)."""
    userland_proxy: bool = True
    has_ipv6: bool = True
    """Whether this kernel can listen on `::1` (engine-rules.md#what-is-bound)."""
    default_address: str = ""
    """`host_binding_ipv4` in the daemon's default-network-opts, if set."""
    endpoint: str = ""
    """The address of the engine: `unix:///var/run/docker.sock`."""

    @property
    def release(self) -> tuple[int, int] | None:
        """Docker's major and minor version; None if it is unknown."""
        if self.product != "docker":
            return None
        return _release_in(self.version)

    @property
    def is_here(self) -> bool:
        """Whether published ports are sockets in this host's own network namespace."""
        return self.kind in ("local", "rootless", "unknown")

    @property
    def reuses_udp_addresses(self) -> bool:
        """Whether it sets SO_REUSEADDR on udp sockets.

        Only 28 does; moby#50669 removes it in 29.
        """
        return self.release is not None and self.release[0] == 28

    @property
    def walks_ranges(self) -> bool:
        """Whether it tries the next number of a range if one is taken.

        27 and newer do, and use the same number for all addresses.
        """
        return self.release is None or self.release[0] >= 27

    @property
    def honours_gateway_modes(self) -> bool:
        """Whether `gateway_mode_ipv4: routed` and `enable_ipv4: false` bind no IPv4 port.

        28 and newer honour them, 20.10 ignores both. 26 and 27 were not measured.
        """
        return self.release is None or self.release[0] >= 28


@cache
def _release_in(version: str) -> tuple[int, int] | None:
    """Return the release that a version names. It is asked for with each port."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else None
