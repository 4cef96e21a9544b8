"""Find the reverse proxy of a stack, and the service behind a name in its configuration.

Image, program, configuration and published ports each count; the best sum is the proxy. A name
alone proves nothing, and neither does the order of the services.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dartsctl.diagnosis.proxy_kinds import KindEvidence, recognise, serves_files_only
from dartsctl.errors import Advice, UsageError
from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dartsctl.diagnosis.facts import ContainerFacts, ProxyKind, ServiceFacts
    from dartsctl.diagnosis.nginx.config import Config, Target
    from dartsctl.stack.model import Service, Stack

ENTRIES = (80, 443, 8080, 8443)
"""Ports inside a container on which a proxy listens."""
_WEB = frozenset({80, 443})
_PASSES_ON, _PASSES_OUT, _PASSES_NOTHING, _PASSES_TO_ITSELF = 40, 20, -25, -30
_ENTRY_OF_SITE, _ENTRY, _PUBLISHED = 30, 20, 10
_ALWAYS_PASSES_ON: Mapping[str, int] = {"haproxy": 25, "traefik": 25, "envoy": 25, "caddy": 10}
"""Programs that are hardly used for anything else."""
_DOCKER_SOCKET = 10
_NEEDS_OTHERS = 5
_NOT_STARTED = -60
_DOUBTFUL = 45
"""A lower sum, as an nginx has that nothing leads to, is less than the only port 80 or 443."""
_MOST_READ = 4
"""Configurations that are read to find the proxy."""


@record
class ProxyClues:
    """What is known of the services, besides the Compose files."""

    commands: Mapping[str, Sequence[str]]
    """Service -> entry point and command of its container."""
    configs: Mapping[str, Config]
    """Service -> nginx's configuration, where it was read."""
    services: Mapping[str, ServiceFacts]


def find_proxy(stack: Stack, clues: ProxyClues, wanted: str = "") -> tuple[str, ProxyKind] | None:
    """Return the proxy's service and kind, None if there is none.

    `wanted`, else the best sum of evidence. Raises UsageError if `wanted` is no service.
    """
    if wanted and wanted not in stack.services:
        raise UsageError(
            f"the stack has no service {wanted!r}",
            hint=Advice(f"--proxy {next(iter(stack.services), 'SERVICE')}"),
        )
    if wanted:
        return wanted, _kind_of(stack.services[wanted], stack, clues)
    best, best_score = "", 0
    for name, evidence in _candidates(stack, clues):
        score = evidence.weight + _ALWAYS_PASSES_ON.get(evidence.kind, 0)
        score += _score(stack.services[name], stack, clues)
        if score > best_score:
            best, best_score = name, score
    fronts = [name for name, service in stack.services.items() if _WEB & _targets(service)]
    if best_score < _DOUBTFUL and len(fronts) == 1 and len(stack.services) > 1:
        best = fronts[0]
    if not best:
        return None
    return best, _kind_of(stack.services[best], stack, clues)


def to_read(stack: Stack, clues: ProxyClues) -> tuple[str, ...]:
    """Return the services whose nginx configuration helps to find the proxy, the likely first.

    None if there is nothing to choose between.
    """
    candidates = dict(_candidates(stack, clues))
    nginxes = [name for name, evidence in candidates.items() if evidence.kind == "nginx"]
    nginxes.sort(key=lambda name: -candidates[name].weight)
    doors = [
        service.name
        for service in stack.services.values()
        if service.name not in candidates and _WEB & _targets(service)
    ]
    names = (*nginxes, *doors)
    if len(names) < 2 and not doors:
        return ()
    return names[:_MOST_READ]


def service_named(host: str, services: Mapping[str, ServiceFacts], project: str) -> str:
    """Return the service behind a name or address in the proxy's configuration; empty for none."""
    if host in services:
        return host
    for service in services.values():
        if any(_answers_to(container, host) for container in service.containers):
            return service.name
    match = re.fullmatch(rf"{re.escape(project)}[-_](.+)[-_]\d+", host)
    return match[1] if match and match[1] in services else ""


def _answers_to(container: ContainerFacts, host: str) -> bool:
    if host in (container.name, *container.all_addresses):
        return True
    return any(host in names for names in container.names.values())


def _candidates(stack: Stack, clues: ProxyClues) -> Iterator[tuple[str, KindEvidence]]:
    """Yield every service that seems to be a proxy, with the evidence for its kind."""
    for name, service in stack.services.items():
        evidence = _evidence(service, stack, clues)
        if evidence:
            yield name, evidence


def _evidence(service: Service, stack: Stack, clues: ProxyClues) -> KindEvidence | None:
    name, image = service.name, service.image
    is_built = image in ("", f"{stack.project}-{name}", f"{stack.project}_{name}")
    command = clues.commands.get(name, ())
    evidence = recognise(name, image, command, is_built=is_built)
    if evidence is None and name in clues.configs:
        return KindEvidence("nginx", 0)
    return evidence


def _kind_of(service: Service, stack: Stack, clues: ProxyClues) -> ProxyKind:
    evidence = _evidence(service, stack, clues)
    return evidence.kind if evidence else "other"


def _score(service: Service, stack: Stack, clues: ProxyClues) -> int:
    """Return how much speaks for a service besides its image and program."""
    score = _entry_score(service)
    if not service.replicas:
        score += _NOT_STARTED
    if service.depends_on:
        score += _NEEDS_OTHERS
    if any(mount.source.endswith("/docker.sock") for mount in service.mounts):
        score += _DOCKER_SOCKET
    if serves_files_only(clues.commands.get(service.name, ())):
        score += _PASSES_NOTHING
    config = clues.configs.get(service.name)
    if config:
        score += _config_score(service, config, stack, clues)
    return score


def _entry_score(service: Service) -> int:
    """Return how much a service's published ports make it the entry of the stack."""
    if service.network_mode == "host":
        return _ENTRY
    published = [entry for entry in service.ports if entry.protocol == "tcp"]
    numbers = {entry.span[0] for entry in published if not entry.is_ephemeral}
    if numbers & _WEB:
        return _ENTRY_OF_SITE
    if _targets(service) & set(ENTRIES):
        return _ENTRY
    return _PUBLISHED if published else 0


def _config_score(service: Service, config: Config, stack: Stack, clues: ProxyClues) -> int:
    if not config.routes:
        return _PASSES_NOTHING
    scores = []
    for route in config.routes:
        if not route.targets:
            scores.append(_PASSES_OUT)  # the name depends on the request
        scores += [_target_score(target, service, stack, clues) for target in route.targets]
    return max(scores)


def _target_score(target: Target, service: Service, stack: Stack, clues: ProxyClues) -> int:
    host = target.host
    behind = host if host in stack.services else service_named(host, clues.services, stack.project)
    if behind and behind != service.name:
        return _PASSES_ON
    if behind or host.startswith("unix:"):
        return _PASSES_TO_ITSELF
    if host in ("localhost", "::1") or host.startswith("127."):
        return _PASSES_OUT if service.network_mode == "host" else _PASSES_TO_ITSELF
    return _PASSES_OUT


def _targets(service: Service) -> set[int]:
    """Return the tcp ports inside a service's containers that are published."""
    return {entry.target for entry in service.ports if entry.protocol == "tcp"}
