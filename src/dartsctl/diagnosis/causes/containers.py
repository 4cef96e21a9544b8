"""What is wrong with one service of a stack, judged by its containers alone: each trouble with its links of a chain and what it may follow from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from dartsctl.diagnosis.causes.ports import lacking, missing_ports, port_taken
from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts, Wanted
from dartsctl.diagnosis.findings import Cause, Confidence, Link
from dartsctl.diagnosis.trouble import Trouble, container_link, exit_words, one_line
from dartsctl.stack import compose_errors
from dartsctl.stack.bindings import ANY_IPV4
from dartsctl.text.phrases import duration

BRIEF = 10.0
"""Seconds: what has run for less may still be on its way up, or on its way down again (edge-cases.md#75)."""
_LOOPS = 3
_INNERMOST = re.compile(r"^.*(?:container init|container process|runc create failed): ")
"""What the engine, its shim and runc put before the words that matter."""
_STOPPED = (0, 130, 137, 143)
"""Exit codes of a container that somebody stopped: no sign that something else made it fail."""


def of_service(service: ServiceFacts, facts: Facts, asked: Collection[int] = ()) -> Trouble | None:
    """The trouble of one service; `asked` are the ports inside its containers that the proxy asks for."""
    if not service.replicas:
        return None
    if conflict := lacking(service):
        return port_taken(service, conflict, facts)
    if not service.containers:
        return _missing(service, facts)
    found = [
        one
        for container in service.containers
        if (one := _of_container(container, service, facts, asked))
    ]
    return next(iter(sorted(found, key=lambda one: one.confidence != "certain")), None)


def is_needed(service: ServiceFacts, facts: Facts) -> bool:
    """Whether a service is there to stay: asked by the proxy, published, or restarted whenever it ends. Others are one-shots (edge-cases.md#74)."""
    asked = any(one.service == service.name for one in facts.upstreams) or (
        facts.proxy is not None and facts.proxy.service == service.name
    )
    return (
        asked
        or bool(service.published)
        or any(one.restart_policy in ("always", "unless-stopped") for one in service.containers)
    )


# --- containers ---------------------------------------------------------------------------------------------------------------


def _missing(service: ServiceFacts, facts: Facts) -> Trouble:
    taken = (
        f": container {service.name_taken_by}, which is not this stack's, has its name"
        if service.name_taken_by
        else ""
    )
    sentence = f"{service.name} has no container{taken or ': it was never started'}"
    link = Link(
        "container", "bad", f"{service.name} has no container", (), "engine: list of containers"
    )
    data = {"name_taken_by": service.name_taken_by} if service.name_taken_by else {}
    return Trouble(
        Cause.NEVER_STARTED,
        service.name,
        "",
        sentence,
        f"{facts.commands.doctor} --fix",
        "certain",
        (link,),
        data,
        _depends_on(service, facts),
    )


def _of_container(
    one: ContainerFacts, service: ServiceFacts, facts: Facts, asked: Collection[int]
) -> Trouble | None:
    if one.oom_killed and not (one.runs and facts.now - (one.started or 0) > BRIEF):
        return _out_of_memory(one, facts)
    match one.state:
        case "running":
            return _running(one, facts, asked)
        case "restarting":
            return _crash_loop(one, service, facts)
        case "created":
            return _created(one, service, facts)
        case "paused":
            return _trouble(
                Cause.UNKNOWN,
                one,
                f"{one.name} is paused: it takes connections and never answers",
                f"docker unpause {one.name}",
                facts,
            )
        case _:
            return _exited(one, service, facts)


def _out_of_memory(one: ContainerFacts, facts: Facts) -> Trouble:
    limit = (
        f"its limit of {one.memory_limit // 2**20} MiB" if one.memory_limit else "the host's memory"
    )
    sentence = f"{one.service} was killed by the kernel because it needed more than {limit}"
    command = f"raise mem_limit of {one.service} in the Compose file, then {facts.commands.up}"
    return _trouble(
        Cause.OUT_OF_MEMORY,
        one,
        sentence,
        command,
        facts,
        data={"exit_code": one.exit_code, "memory_limit": one.memory_limit},
    )


def _crash_loop(one: ContainerFacts, service: ServiceFacts, facts: Facts) -> Trouble:
    sentence = f"{one.service} starts and ends again and again: {one.restart_count} restarts, last with {exit_words(one.exit_code)}"
    return _trouble(
        Cause.CRASH_LOOP,
        one,
        sentence,
        f"{facts.commands.stack} logs {one.service}",
        facts,
        data={"exit_code": one.exit_code, "restarts": one.restart_count},
        because_of=_depends_on(service, facts),
    )


def _created(one: ContainerFacts, service: ServiceFacts, facts: Facts) -> Trouble:
    if not one.error:
        sentence = f"{one.service} was created and never started"
        return _trouble(
            Cause.NEVER_STARTED,
            one,
            sentence,
            f"{facts.commands.doctor} --fix",
            facts,
            because_of=_depends_on(service, facts),
        )
    failure = compose_errors.classify(one.error)
    then = "; it is free now" if failure.kind == "port" else ""
    what = f"{_INNERMOST.sub('', failure.sentence)}{f' ({failure.endpoint})' if failure.endpoint else ''}{then}"
    command = f"{facts.commands.doctor} --fix" if failure.kind == "port" else facts.commands.up
    data: dict[str, object] = {"error": one.error, "exit_code": one.exit_code}
    if failure.endpoint:
        data["port"] = failure.endpoint.port
    return _trouble(
        Cause.NEVER_STARTED,
        one,
        f"{one.service} could not be started: {what}",
        command,
        facts,
        data=data,
    )


def _exited(one: ContainerFacts, service: ServiceFacts, facts: Facts) -> Trouble | None:
    if one.exit_code == 0 and not one.error and not is_needed(service, facts):
        return None
    if one.error:
        failure = compose_errors.classify(one.error)
        where = (
            f" ({failure.endpoint}), which is free now"
            if failure.kind == "port" and failure.endpoint
            else ""
        )
        sentence = f"{one.service} could not be started again: {_INNERMOST.sub('', failure.sentence)}{where}"
        return _trouble(
            Cause.NEVER_STARTED,
            one,
            sentence,
            f"{facts.commands.doctor} --fix",
            facts,
            data={"error": one.error},
        )
    ago = f", {duration(facts.now - one.finished)} ago" if one.finished else ""
    sentence = f"{one.service} has ended with {exit_words(one.exit_code)}{ago}"
    because = () if one.exit_code in _STOPPED else _depends_on(service, facts)
    command = f"{facts.commands.doctor} --fix"
    return _trouble(
        Cause.APP_EXITED,
        one,
        sentence,
        command,
        facts,
        data={"exit_code": one.exit_code},
        because_of=because,
    )


def _running(one: ContainerFacts, facts: Facts, asked: Collection[int]) -> Trouble | None:
    age = facts.now - one.started if one.started else BRIEF
    if one.restart_count >= _LOOPS and age < BRIEF and one.health != "healthy":
        sentence = f"{one.service} starts and ends again and again: {one.restart_count} restarts, now up for {duration(age)}"
        data = {"restarts": one.restart_count, "exit_code": one.exit_code}
        return _trouble(
            Cause.CRASH_LOOP,
            one,
            sentence,
            f"{facts.commands.stack} logs {one.service}",
            facts,
            confidence="likely",
            data=data,
        )
    if lost := missing_ports(one):
        return _without_ports(one, lost, facts)
    ports = {*asked, *(place.target for place in one.wanted if place.endpoint.protocol == "tcp")}
    if found := _not_listening(one, ports, asked, age, facts):
        return found
    if one.health != "unhealthy":
        return None
    said = f": {one_line(one.health_output)}" if one.health_output else ""
    return _trouble(
        Cause.UNHEALTHY,
        one,
        f"{one.service} runs, and its health check fails{said}",
        f"{facts.commands.stack} logs {one.service}",
        facts,
        because_of=_depends_on(facts.services[one.service], facts)
        if one.service in facts.services
        else (),
    )


def _without_ports(one: ContainerFacts, lost: tuple[Wanted, ...], facts: Facts) -> Trouble:
    names = ", ".join(
        str(place.endpoint) if place.endpoint.port else f"a port for {place.target}"
        for place in lost
    )
    networks = "" if one.networks else " and is in no network"
    link = Link(
        "port",
        "bad",
        f"the engine should have bound {names} and has not",
        (),
        f"engine: inspect {one.name}",
    )
    return _trouble(
        Cause.NO_PORTS,
        one,
        f"{one.service} runs without its port {names}{networks}",
        f"{facts.commands.doctor} --fix",
        facts,
        links=(link,),
        data={"port": lost[0].endpoint.port, "ports": [place.endpoint.port for place in lost]},
    )


def _not_listening(
    one: ContainerFacts, ports: Collection[int], asked: Collection[int], age: float, facts: Facts
) -> Trouble | None:
    """A port that the proxy asks for, or the engine leads to, on which nothing listens that could be reached from outside the container."""
    if (
        one.listening is None
        or one.network_mode == "host"
        or one.network_mode.startswith(("service:", "container:"))
    ):
        return None
    for port in sorted(ports):
        here = [place for place in one.listening if place.port == port]
        if here and all(
            place.address == "::1" or place.address.startswith("127.") for place in here
        ):
            where = ", ".join(str(place) for place in here)
            link = Link(
                "port", "bad", f"inside {one.name} only {where} listens", (), one.listening_source
            )
            sentence = f"{one.service} listens on {where} inside its container, where nobody else can reach it"
            command = f"let {one.service} listen on {ANY_IPV4}:{port}, then {facts.commands.up}"
            return _trouble(
                Cause.LOOPBACK_ONLY,
                one,
                sentence,
                command,
                facts,
                links=(link,),
                data={"port": port},
            )
        if not here and port in asked and one.health != "starting":
            others = (
                ", ".join(
                    dict.fromkeys(
                        str(place.port)
                        for place in one.listening
                        if not place.address.startswith("127.")
                    )
                )
                or "nothing else"
            )
            link = Link(
                "port",
                "bad",
                f"inside {one.name} nothing listens on {port} (open: {others})",
                (),
                one.listening_source,
            )
            yet = f"; it was started {duration(age)} ago" if age < BRIEF else ""
            sentence = f"{one.service} runs, and nothing listens on port {port} in it{yet}"
            confidence: Confidence = "possible" if age < BRIEF else "likely"
            command = f"{facts.commands.stack} logs {one.service}"
            return _trouble(
                Cause.UNHEALTHY,
                one,
                sentence,
                command,
                facts,
                links=(link,),
                data={"port": port},
                confidence=confidence,
            )
    return None


def _trouble(
    cause: Cause,
    one: ContainerFacts,
    sentence: str,
    command: str,
    facts: Facts,
    *,
    links: tuple[Link, ...] = (),
    data: Mapping[str, object] | None = None,
    because_of: tuple[str, ...] = (),
    confidence: Confidence = "certain",
) -> Trouble:
    chain = (container_link(one, facts, bad=cause is not Cause.LOOPBACK_ONLY), *links)
    return Trouble(
        cause, one.service, one.name, sentence, command, confidence, chain, data or {}, because_of
    )


def _depends_on(service: ServiceFacts, facts: Facts) -> tuple[str, ...]:
    """Everything that it needs, and what that needs."""
    found: dict[str, None] = {}
    waiting = list(service.depends_on)
    while waiting:
        name = waiting.pop()
        if name not in found and name != service.name:
            found[name] = None
            waiting += facts.services[name].depends_on if name in facts.services else ()
    return tuple(found)
