"""Warnings: what works today and may fail later."""

from __future__ import annotations

from dartsctl.ports import fixed_addresses, rivals
from dartsctl.ports.conflicts import BindingVerdict, Verdict
from dartsctl.ports.notices import Notice, ports_phrase, runs
from dartsctl.ports.socket_table import ranges
from dartsctl.ports.unmet_needs import externals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dartsctl.ports.unmet_needs import ExternalKind
    from dartsctl.stack.containers import Container
    from dartsctl.stack.engine_rules import EngineRules
    from dartsctl.stack.model import PortEntry, Service, Stack
    from dartsctl.stack.port_origins import PortOrigins


def notices(
    stack: Stack,
    verdicts: Sequence[BindingVerdict],
    *,
    ephemeral_range: tuple[int, int] | None,
    are_externals_checked: bool = True,
    containers: Sequence[Container] = (),
    restarting_wants: Mapping[str, Sequence[int]] | None = None,
) -> tuple[Notice, ...]:
    """Return all warnings about one stack.

    `restarting_wants` are the ports, by container id, that containers in a crash loop will take
    when they start the next time.
    """
    warnings: list[Notice] = []
    for checked in verdicts:
        if code := _code_of(checked):
            sentence = f"port {_named(checked)}: {checked.note}"
            warnings.append(Notice(code, checked.binding.service, sentence))
    for service in stack.services.values():
        warnings += _about_service(service, stack)
        warnings += _about_ports(service, ephemeral_range)
    for race in fixed_addresses.races(stack):
        others = ", ".join(race.others)
        sentence = (
            f"its address {race.address} on {race.network} may be given to {others} first;"
            f" {fixed_addresses.KEEP_FREE}"
        )
        warnings.append(Notice("address-race", race.service, sentence))
    if not are_externals_checked:
        warnings += _unchecked_externals(stack)
    warnings += _crash_loops(stack, containers, restarting_wants or {})
    return tuple(dict.fromkeys(warnings))


def unmeasured_engine(engine: EngineRules) -> tuple[Notice, ...]:
    """Return the warning about an engine whose port rules nobody has measured."""
    if engine.product == "docker":
        return ()
    sentence = (
        f"the engine is Podman {engine.version}: how it publishes ports was not measured, so a"
        " verdict says only what the host's sockets and its list of containers show"
    )
    return (Notice("unmeasured-engine", "", sentence),)


def _named(checked: BindingVerdict) -> str:
    """`5000`, or `53/udp`: both may be uncertain."""
    binding = checked.binding
    return (
        binding.published
        if binding.protocol == "tcp"
        else f"{binding.published}/{binding.protocol}"
    )


def _code_of(checked: BindingVerdict) -> str:
    if checked.verdict is Verdict.UNCERTAIN:
        return "uncertain"
    if checked.verdict is Verdict.FREE and checked.note:
        return "partly-busy"
    return ""


def _about_service(service: Service, stack: Stack) -> Iterator[Notice]:
    mode = service.network_mode
    if mode.startswith(("service:", "container:")) and service.ports:
        sentence = f"`ports` and network_mode {mode} exclude each other: `up` will fail"
        yield Notice("shared-network", service.name, sentence)
    if mode == "host":
        yield Notice("host-network", service.name, _unchecked_host_ports(service))
    if stack.unset_variables and any(map(_has_no_number, service.ports)):
        names = f"unset variables ({', '.join(stack.unset_variables)})"
        sentence = f"a port without a number, and {names}: is a number missing?"
        yield Notice("became-ephemeral", service.name, sentence)


def _unchecked_host_ports(service: Service) -> str:
    """Say which of its ports are not checked: those that neither `expose` nor nginx names."""
    known = dict.fromkeys(f"{entry.published}/{entry.protocol}" for entry in service.host_ports)
    if not known:
        return "network_mode host: no `expose` names its ports, so they are not checked"
    return f"network_mode host: only its ports {', '.join(known)} are known and checked"


def _unchecked_externals(stack: Stack) -> Iterator[Notice]:
    kinds: tuple[ExternalKind, ...] = ("network", "volume")
    for kind in kinds:
        for name, services in externals(stack, kind).items():
            sentence = f"whether the external {kind} {name} exists was not checked"
            yield Notice("unchecked-external", services[0], sentence)


def _has_no_number(entry: PortEntry) -> bool:
    return entry.is_ephemeral and not entry.published


def _about_ports(service: Service, ephemeral_range: tuple[int, int] | None) -> Iterator[Notice]:
    entries = [entry for entry in service.ports if not entry.is_ephemeral]
    if service.replicas > 1 and any(entry.span[0] == entry.span[1] for entry in entries):
        sentence = f"{service.replicas} replicas cannot share a fixed port"
        yield Notice("replicas-fixed-port", service.name, sentence)
    if ephemeral_range:
        yield from _in_ephemeral_range(service.name, entries, ephemeral_range)
    if entries and not service.has_health_check:
        sentence = "no health check: it counts as ready once something listens on its ports"
        yield Notice("no-health-check", service.name, sentence)


def _in_ephemeral_range(
    service: str, entries: Sequence[PortEntry], ephemeral_range: tuple[int, int]
) -> Iterator[Notice]:
    """One warning for each run of numbers, however many entries Compose has made of it."""
    lowest, highest = ephemeral_range
    numbers: set[int] = set()
    for entry in entries:
        numbers.update(range(entry.span[0], entry.span[1] + 1))
    for first, last in ranges(numbers):
        if first <= highest and last >= lowest:
            where = f"{ports_phrase(first, last, 'lies', 'lie')} in {lowest}-{highest}"
            sentence = f"{where}, where any outgoing connection may take it"
            yield Notice("ephemeral-range", service, sentence)


def _crash_loops(
    stack: Stack, containers: Sequence[Container], wants: Mapping[str, Sequence[int]]
) -> Iterator[Notice]:
    """A crash loop of another project holds its port only now and then.

    Any preflight would flicker (engine-rules.md#other-containers).
    """
    if not wants:
        return
    ours = stack.published_ports
    for container in containers:
        if container.project == stack.project:
            continue
        wanted = {port: ours[port] for port in wants.get(container.id, ()) if port in ours}
        for first, last, service in runs(wanted):
            other = f"{container.name} too, which restarts again and again"
            yield Notice("crash-loop", service, f"{ports_phrase(first, last)} wanted by {other}")


def shared_project(stack: Stack, others: Sequence[Container], folder: str) -> tuple[Notice, ...]:
    """Return the warning that another stack has containers under the same project name.

    `others` are containers of services that this stack does not have: `up` leaves them alone.
    """
    if not others:
        return ()
    theirs = ", ".join(dict.fromkeys(container.working_dir for container in others))
    names = ", ".join(container.name for container in others)
    sentence = (
        f"two stacks share the project name {stack.project}: {folder}, and {theirs} ({names});"
        " `--remove-orphans` of one would remove the other; give each its own name: `name:` in the"
        " Compose file, `project` in dartsctl.toml, or --project NAME"
    )
    return (Notice("shared-project", "", sentence),)


def appended(stack: Stack, origins: PortOrigins) -> tuple[Notice, ...]:
    """Return the host ports that a later Compose file added to those that it hardly meant to keep.

    Those that exclude each other are conflicts, not warnings.
    """
    if not origins.files:  # nobody had to ask Compose for them
        return ()
    warnings: list[Notice] = []
    for service in stack.services.values():
        for wishes in rivals.surplus(service, origins):
            latest = rivals.appending_file(service.name, wishes, origins)
            if latest:
                target = wishes[0].entry.targets
                places = [f"{wish.text} ({wish.file.name})" for wish in wishes if wish.file]
                sentence = (
                    f"container port {target} is published more than once: {', '.join(places)};"
                    " Compose adds the `ports` of a later file to the earlier ones;"
                    f" `ports: !override` in {latest.name} replaces them"
                )
                warnings.append(Notice("ports-appended", service.name, sentence))
    return tuple(warnings)
