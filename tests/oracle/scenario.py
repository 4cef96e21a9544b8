"""Random stacks, host sockets and containers that compete for a few ports.

The oracle compares `check` and `docker compose up` on them. A scenario is plain data drawn from a
seed, so that a failing one can be repeated: `make oracle N=1 SEED=<its seed>`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

IMAGE = "dartsctl-test/busybox:1"
PORTS_EACH = 4
"""Ports per scenario: few, so that most scenarios have collisions."""
BLOCK = 9
"""Ports of a block (`21000-21008:8000-8008`), long enough for `check` to fold it.

It starts at the first port of the scenario.
"""

ADDRESSES = ("", "", "", "0.0.0.0", "127.0.0.1", "127.0.0.1", "::", "::1", "IF4", "IF6")
SOCKET_ADDRESSES = (
    "0.0.0.0",
    "127.0.0.1",
    "127.0.0.5",
    "IF4",
    "::",
    "::",
    "::1",
    "IF6",
    "::ffff:127.0.0.1",
)
TCP_STATES = ("listen", "listen", "listen", "listen", "bound", "client", "accepted", "time-wait")


@dataclass(frozen=True)
class HostSocket:
    """A socket of this host. `state` is one of TCP_STATES, or "udp"."""

    state: str
    address: str
    port: int
    reuse_address: bool
    reuse_port: bool
    v6only: bool


@dataclass(frozen=True)
class Foreign:
    """A container outside of any project, started before anything else."""

    name: str
    published: tuple[str, ...]
    state: str
    """running, paused, stopped or host (on the host's network, where it listens itself)."""


@dataclass
class Scenario:
    """One draw.

    `earlier` is a version of the project that was up before (own containers). `earlier_state`:
    running, stopped or one-stopped.
    """

    seed: int
    base: int
    sockets: list[HostSocket] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    stack: dict[str, Any] = field(default_factory=dict)
    earlier: dict[str, Any] | None = None
    earlier_state: str = ""
    services: list[str] = field(default_factory=list)
    force_recreate: bool = False
    remove_orphans: bool = False


def draw(seed: int, base: int, *, if4: str, if6: str) -> Scenario:
    """Return the scenario of `seed` on the ports from `base`.

    `if4` and `if6`: this host's own addresses.
    """
    dice = random.Random(seed)
    scenario = Scenario(seed, base)
    where = {"IF4": if4, "IF6": if6}
    scenario.stack = _stack(dice, base, where)
    wanted = _numbers(scenario.stack) or list(range(base, base + PORTS_EACH))
    for _ in range(dice.choice((0, 1, 1, 2, 3))):
        scenario.sockets.append(_socket(dice, wanted, where))
    for number in range(dice.choice((0, 0, 1, 1, 2))):
        scenario.foreign.append(_foreign(dice, wanted, where, f"oracle-{base}-{number}"))
    if dice.random() < 0.35:
        scenario.earlier = _earlier(dice, scenario.stack, base, where)
        scenario.earlier_state = dice.choice(
            ("running", "running", "running", "stopped", "one-stopped")
        )
    if dice.random() < 0.15:
        scenario.services = [dice.choice(sorted(scenario.stack["services"]))]
    scenario.force_recreate = dice.random() < 0.1
    scenario.remove_orphans = dice.random() < 0.2
    return scenario


def _numbers(stack: dict[str, Any]) -> list[int]:
    """Return every host port of the stack, as often as it occurs. Rivals are drawn from these."""
    numbers: list[int] = []
    for service in stack["services"].values():
        for entry in service.get("ports", ()):
            numbers += map(int, re.findall(r"\b\d{5}\b", entry))
    return numbers


def _socket(dice: random.Random, wanted: list[int], where: dict[str, str]) -> HostSocket:
    address = dice.choice(SOCKET_ADDRESSES)
    state = "udp" if dice.random() < 0.25 else dice.choice(TCP_STATES)
    return HostSocket(
        state,
        where.get(address, address),
        dice.choice(wanted),
        dice.random() < 0.5,
        dice.random() < 0.25,
        dice.random() < 0.4,
    )


def _foreign(dice: random.Random, wanted: list[int], where: dict[str, str], name: str) -> Foreign:
    state = dice.choice(("running", "running", "running", "paused", "stopped", "host"))
    port = dice.choice(wanted)
    if state == "host":
        return Foreign(name, (str(port),), state)
    address = dice.choice(ADDRESSES)
    host = where.get(address, address)
    host = f"[{host}]" if ":" in host else host
    protocol = "/udp" if dice.random() < 0.3 else ""
    entry = f"{port}:80{protocol}"
    return Foreign(name, (f"{host}:{entry}" if host else entry,), state)


def _entry(dice: random.Random, base: int, where: dict[str, str]) -> str:
    address = dice.choice(ADDRESSES)
    host = where.get(address, address)
    host = f"[{host}]" if ":" in host else host
    target = dice.choice((80, 80, 81))
    protocol = "/udp" if dice.random() < 0.3 else ""
    kind = dice.random()
    if kind < 0.08:
        published = ""
    elif kind < 0.28:
        first = base + dice.randrange(PORTS_EACH - 2)
        published = f"{first}-{first + dice.choice((1, 2, 3))}"
    elif kind < 0.38:
        return f"{host}:{_block(base)}{protocol}" if host else f"{_block(base)}{protocol}"
    else:
        published = str(base + dice.randrange(PORTS_EACH))
    if not published:
        return f"{target}{protocol}"
    return f"{host}:{published}:{target}{protocol}" if host else f"{published}:{target}{protocol}"


def _block(base: int) -> str:
    return f"{base}-{base + BLOCK - 1}:8000-{8000 + BLOCK - 1}"


def _service(dice: random.Random, base: int, where: dict[str, str]) -> dict[str, Any]:
    service: dict[str, Any] = {
        "image": IMAGE,
        "command": ["sleep", "600"],
        "init": True,
        "stop_grace_period": "0s",
    }
    entries = [_entry(dice, base, where) for _ in range(dice.choice((0, 1, 1, 1, 2, 2, 3)))]
    if entries:
        service["ports"] = entries
    shape = dice.random()
    if shape < 0.12:
        service["scale"] = dice.choice((0, 2, 2))
    elif shape < 0.18:
        service["network_mode"] = dice.choice(("host", "none", "bridge"))
    elif shape < 0.40:
        service["networks"] = dice.choice(
            (
                ["inner"],
                ["inner", "default"],
                ["loop"],
                ["six"],
                ["default", "second"],
                ["inner", "loop"],
                ["routed"],
                ["six-only"],
            )
        )
    return service


NETWORKS: dict[str, Any] = {
    "inner": {"internal": True},
    "loop": {"driver_opts": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}},
    "six": {"enable_ipv6": True},
    "second": {},
    "routed": {"driver_opts": {"com.docker.network.bridge.gateway_mode_ipv4": "routed"}},
    "six-only": {"enable_ipv4": False, "enable_ipv6": True},
}


def _stack(dice: random.Random, base: int, where: dict[str, str]) -> dict[str, Any]:
    names = ["a", "b", "c"][: dice.choice((1, 1, 2, 2, 3))]
    return _model({name: _service(dice, base, where) for name in names}, base)


def _model(services: dict[str, Any], base: int) -> dict[str, Any]:
    used: set[str] = set()
    for service in services.values():
        used.update(service.get("networks", ()))
    # own subnets: the engine's pool would run out when many scenarios run at the same time
    networks = {key: dict(NETWORKS[key]) for key in sorted(used - {"default"})}
    for place, key in enumerate(("six", "six-only")):
        if key in networks:
            networks[key]["ipam"] = {"config": [{"subnet": f"fd00:{base:x}:{place}::/64"}]}
    model: dict[str, Any] = {"name": f"oracle{base}", "services": services}
    if networks:
        model["networks"] = networks
    return model


def _earlier(
    dice: random.Random, stack: dict[str, Any], base: int, where: dict[str, str]
) -> dict[str, Any]:
    """Return an earlier version: some services equal, some with other ports, perhaps one more."""
    services: dict[str, Any] = {}
    for name, service in stack["services"].items():
        change = dice.random()
        if change < 0.4:
            services[name] = service
        elif change < 0.9:
            other = {key: value for key, value in service.items() if key not in ("ports", "scale")}
            entries = [_entry(dice, base, where) for _ in range(dice.choice((0, 1, 1)))]
            services[name] = {**other, **({"ports": entries} if entries else {})}
    if dice.random() < 0.2:
        services["gone"] = {**_service(dice, base, where), "network_mode": "bridge"}
        services["gone"].pop("networks", None)
    return _model(services or {"a": _service(dice, base, where)}, base)
