"""Unmet needs: what `up` cannot start without, and which no port and no name is in the way of.

These are external networks and volumes that nobody created, and services that are all behind
profiles.
"""

from __future__ import annotations

from dartsctl.records import record
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Literal

    from dartsctl.stack.model import Stack

    ExternalKind = Literal["network", "volume"]


@record
class MissingExternal:
    """An external network or volume that does not exist. Compose never creates one."""

    kind: ExternalKind
    name: str
    """The engine's name, which may differ from the key in the Compose file."""
    services: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command that creates it."""
        return shell_command("docker", self.kind, "create", self.name)

    @property
    def line(self) -> str:
        wanted_by = ", ".join(self.services)
        return f"external {self.kind} {self.name} of {wanted_by} does not exist: `{self.command}`"

    def document(self) -> dict[str, Any]:
        return {
            "kind": f"missing-{self.kind}",
            "name": self.name,
            "wanted_by": list(self.services),
            "command": self.command,
        }


@record
class NothingToStart:
    """A stack without a service: all of them are behind profiles, or there is none.

    `profiles` are those of each service. `enabled` are the profiles that were asked for.
    """

    profiles: Mapping[str, tuple[str, ...]]
    enabled: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Every profile, in the order of the services."""
        names: dict[str, None] = {}
        for profiles in self.profiles.values():
            names |= dict.fromkeys(profiles)
        return tuple(names)

    @property
    def line(self) -> str:
        profiles = f" with the profile {', '.join(self.enabled)}" if self.enabled else ""
        if not self.profiles:
            return f"nothing to start{profiles}: no service of the Compose files is enabled"
        ways = []
        for service, own in self.profiles.items():
            ways.append(f"{service} needs --profile {' or '.join(own)}")
        return f"nothing to start{profiles}: {', '.join(ways)}"

    def document(self) -> dict[str, Any]:
        profiles = {service: list(own) for service, own in self.profiles.items()}
        return {"kind": "nothing-to-start", "profiles": profiles}


UnmetNeed = MissingExternal | NothingToStart


def summary(needs: Sequence[UnmetNeed]) -> str:
    """Return what is missing in a few words. There must be a need."""
    if isinstance(needs[0], NothingToStart):
        return "every service is behind a profile that is not enabled"
    if len(needs) == 1:
        return f"an external {needs[0].kind} is missing"
    kinds = dict.fromkeys(f"{need.kind}s" for need in needs if isinstance(need, MissingExternal))
    return f"{len(needs)} external {' and '.join(kinds)} are missing"


def next_command(needs: Sequence[UnmetNeed], command: str) -> str:
    """Return what to type so that `command` has what it needs, empty where nothing is known."""
    commands: list[str] = []
    for need in needs:
        if isinstance(need, MissingExternal):
            commands.append(need.command)
        elif need.names:
            # `dartsctl dev` takes no profile, but `dev up` does.
            words = "dartsctl dev up" if command == "dartsctl dev" else command
            commands.append(f"{words} {shell_command('--profile', need.names[0])}")
    return " && ".join(commands)


def missing_externals(
    stack: Stack,
    *,
    has_network: Callable[[str], bool],
    has_volume: Callable[[str], bool],
) -> Iterator[MissingExternal]:
    """Yield the external networks and volumes that the stack's services use and nobody created."""
    for name, services in externals(stack, "network").items():
        if not has_network(name):
            yield MissingExternal("network", name, services)
    for name, services in externals(stack, "volume").items():
        if not has_volume(name):
            yield MissingExternal("volume", name, services)


def externals(stack: Stack, kind: ExternalKind) -> dict[str, tuple[str, ...]]:
    """Return the services that use each external network or volume, by the engine's name."""
    names: Mapping[str, str] = stack.external_volumes
    if kind == "network":
        names = {key: network.name for key, network in stack.networks.items() if network.external}
    users: dict[str, dict[str, None]] = {}
    for service in stack.services.values():
        for key in service.networks if kind == "network" else service.volumes:
            if key in names:
                users.setdefault(names[key], {})[service.name] = None
    return {name: tuple(services) for name, services in users.items()}
