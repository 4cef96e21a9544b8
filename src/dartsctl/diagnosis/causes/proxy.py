"""What is wrong between the proxy and what it passes requests on to: a proxy that is down, a stale address, networks that do not meet."""

from __future__ import annotations

from dataclasses import replace

from dartsctl.diagnosis.causes import containers
from dartsctl.diagnosis.facts import (
    ContainerFacts,
    Facts,
    HttpFacts,
    ProxyFacts,
    ServiceFacts,
    UpstreamFacts,
)
from dartsctl.diagnosis.findings import Cause, Confidence, Link
from dartsctl.diagnosis.nginx.log import Count, Failure
from dartsctl.diagnosis.trouble import Trouble, container_link
from dartsctl.text.phrases import local_time

_FATAL = (Failure.HOST_NOT_FOUND, Failure.CERTIFICATE, Failure.BIND, Failure.EMERGENCY)
_CONNECTING = (Failure.REFUSED, Failure.NO_ROUTE, Failure.CONNECT_TIMEOUT, Failure.CONNECT)
_SLACK = 1.5
"""Seconds: the engine's clock is known to the second only, where its times are compared with ours."""


def of_proxy(facts: Facts) -> Trouble | None:
    """Why the proxy itself does not serve."""
    proxy, service = facts.proxy, facts.proxy_service
    if proxy is None or service is None:
        return None
    found = containers.of_service(service, facts)
    if found is None:
        return _certificate(proxy, service, facts)
    if found.cause not in (
        Cause.APP_EXITED,
        Cause.CRASH_LOOP,
        Cause.NEVER_STARTED,
    ) or found.data.get("error"):
        return found
    return _not_running(found, proxy, service, facts)


def _not_running(found: Trouble, proxy: ProxyFacts, service: ServiceFacts, facts: Facts) -> Trouble:
    """By its own last words, where it has any."""
    container = service.containers[0] if service.containers else None
    if container and (fatal := _fatal(container, proxy)):
        return _cannot_start(container, fatal, proxy, facts)
    if certificate := _certificate(proxy, service, facts):
        return replace(certificate, links=(*found.links, *certificate.links))
    if found.cause is Cause.CRASH_LOOP:
        return replace(found, cause=Cause.PROXY_CANNOT_START)
    return replace(found, cause=Cause.PROXY_DOWN, command=f"{facts.commands.doctor} --fix")


def of_upstream(upstream: UpstreamFacts, facts: Facts) -> Trouble | None:
    """Why the proxy does not reach a service that is well by itself."""
    service = facts.services.get(upstream.service)
    proxy, front = facts.proxy, facts.proxy_service
    if (
        service is None
        or not service.running
        or proxy is None
        or front is None
        or not front.running
        or upstream.service == proxy.service
    ):
        return None
    return _other_network(service, front, facts) or _stale(upstream, service, proxy, front, facts)


def unexplained(bad: HttpFacts, facts: Facts) -> Trouble:
    """An answer that is wrong although everything that was looked at is well."""
    proxy = facts.proxy
    names = {str(one.target) for one in facts.upstreams if one.service == bad.upstream}
    addresses = {address for one in _running(facts, bad.upstream) for address in one.addresses}
    counts = (
        [
            one
            for one in proxy.failures
            if one.upstream in names or one.upstream.rpartition(":")[0] in addresses
        ]
        if proxy
        else []
    )
    last = next(
        (one for one in reversed(counts) if one.last is None or one.last >= bad.began - _SLACK),
        None,
    )
    who = bad.upstream or bad.service
    if starting := next(
        (one for one in _running(facts, bad.upstream) if one.health == "starting"), None
    ):
        sentence = f"{who} is still starting: {bad.url} {bad.answer}"
        command = f"{facts.commands.stack} logs {who}"
        return Trouble(
            Cause.UNHEALTHY,
            who,
            starting.name,
            sentence,
            command,
            "possible",
            (container_link(starting, facts),),
            {"status": bad.status},
        )
    why = f"; nginx says: {last.failure.value}" if last else ""
    cause, confidence = Cause.UNKNOWN, "possible"
    if last and last.failure in (Failure.READ_TIMEOUT, Failure.CLOSED, Failure.RESET):
        cause, confidence = Cause.UNHEALTHY, "likely"
    if last and last.failure is Failure.HANDSHAKE:
        cause, confidence = Cause.CERTIFICATE, "likely"
    evidence = (count_line(last),) if last else ()
    link = Link(
        "upstream",
        "unknown",
        f"{who} runs, and {bad.url} {bad.answer}",
        evidence,
        proxy.log_source if proxy and last else "http",
    )
    sentence = f"{bad.url} {bad.answer} although {who} runs{why}"
    return Trouble(
        cause,
        who,
        "",
        sentence,
        f"{facts.commands.stack} logs {who}",
        _confidence(confidence),
        (link,),
        {"status": bad.status},
    )


def _confidence(word: str) -> Confidence:
    return "likely" if word == "likely" else "possible"


# --- the proxy itself ---------------------------------------------------------------------------------------------------------


def _fatal(container: ContainerFacts, proxy: ProxyFacts) -> Count | None:
    """The line with which this run of nginx ended: a former run's says nothing about today."""
    since = (container.started or 0.0) - _SLACK
    return next(
        (
            one
            for one in reversed(proxy.failures)
            if one.failure in _FATAL and (one.last is None or one.last >= since)
        ),
        None,
    )


def _cannot_start(
    container: ContainerFacts, fatal: Count, proxy: ProxyFacts, facts: Facts
) -> Trouble:
    host = fatal.name.rpartition(":")[0] or fatal.name
    upstream = next((one for one in facts.upstreams if one.target.host == host), None)
    service = facts.services.get(upstream.service if upstream else host)
    cause = Cause.PROXY_CANNOT_START
    because: tuple[str, ...] = ()
    command = f"{facts.commands.doctor} --fix"
    why = f"{fatal.failure.value} {fatal.name}" if fatal.name else fatal.example
    if fatal.failure is Failure.HOST_NOT_FOUND and service:
        because = (service.name,)
        if container.networks and service.running and not _shared(container, service):
            cause, why = (
                Cause.OTHER_NETWORK,
                f"{host} is in none of its networks ({_networks(service)} instead of {', '.join(container.networks)})",
            )
            command = f"put {proxy.service} and {service.name} into one network in the Compose file, then {facts.commands.up}"
    elif fatal.failure is Failure.HOST_NOT_FOUND:
        why += ", which is no service of this stack"
        command = f"correct the name in nginx's configuration, then {facts.commands.up}"
    elif fatal.failure is Failure.CERTIFICATE:
        cause = Cause.CERTIFICATE
        command = (
            next((one.advice for one in facts.certificates if one.advice), "")
            or f"put {fatal.name} in its place, then {facts.commands.up}"
        )
    elif fatal.failure is Failure.EMERGENCY:
        command = f"correct nginx's configuration, then {facts.commands.up}"
    link = Link(
        "proxy", "bad", f"nginx cannot start: {why}", (count_line(fatal),), proxy.log_source
    )
    return Trouble(
        cause,
        container.service,
        container.name,
        f"{container.service} cannot start: {why}",
        command,
        "certain",
        (container_link(container, facts), link),
        {"error": fatal.example, "name": fatal.name},
        because,
    )


def _certificate(proxy: ProxyFacts, service: ServiceFacts, facts: Facts) -> Trouble | None:
    if proxy.config and not any(listen.tls for listen in proxy.listens):
        return None
    bad = next((one for one in facts.certificates if one.refusing), None)
    if bad is None:
        return None
    link = Link("proxy", "bad", bad.sentence, (), bad.source)
    name = service.containers[0].name if service.containers else ""
    renewal = f"put a valid certificate into {bad.where}, then {facts.commands.stack} restart {service.name}"
    command = bad.advice if bad.advice.startswith("dartsctl") else renewal
    return Trouble(
        Cause.CERTIFICATE,
        service.name,
        name,
        f"{service.name}: {bad.sentence}",
        command,
        "certain",
        (link,),
        {"certificate": bad.where},
    )


# --- the way from the proxy ---------------------------------------------------------------------------------------------------


def _other_network(service: ServiceFacts, front: ServiceFacts, facts: Facts) -> Trouble | None:
    door = front.running[0]
    if (
        not door.networks
        or any(_shared(door, service))
        or not any(one.networks for one in service.running)
    ):
        return None
    theirs = _networks(service)
    sentence = f"{front.name} cannot reach {service.name}: the one is in {', '.join(door.networks)}, the other in {theirs}"
    link = Link(
        "upstream",
        "bad",
        f"no network has both {front.name} and {service.name}",
        (f"{service.name}: {theirs}",),
        f"engine: inspect {door.name}",
    )
    command = f"put {front.name} and {service.name} into one network in the Compose file, then {facts.commands.up}"
    data = {
        "networks": list(door.networks),
        "upstream_networks": [name for one in service.running for name in one.networks],
    }
    return Trouble(
        Cause.OTHER_NETWORK,
        service.name,
        service.running[0].name,
        sentence,
        command,
        "certain",
        (link,),
        data,
    )


def _stale(
    upstream: UpstreamFacts,
    service: ServiceFacts,
    proxy: ProxyFacts,
    front: ServiceFacts,
    facts: Facts,
) -> Trouble | None:
    """Requests fail or go astray now, and the last address that nginx asked on this port is not one that the service has."""
    if not upstream.looked_up_once:
        return None
    have = {address for one in service.running for address in one.addresses}
    asked, evidence, source = _asked_elsewhere(
        upstream, proxy, have, _others(upstream, facts), facts
    )
    if not asked:
        return None
    bad = [
        one
        for one in facts.http
        if one.through == "proxy" and one.upstream == service.name and one.is_bad
    ]
    owner = next(
        (
            one
            for other in facts.services.values()
            for one in other.running
            if asked in one.addresses and other.name != service.name
        ),
        None,
    )
    if not bad and owner is None:
        return None
    now = ", ".join(sorted(have))
    whose = f", which {owner.service} has now" if owner else ""
    sentence = f"nginx still asks {asked}:{upstream.target.port} for {service.name}{whose}; {service.name} is at {now} since it was recreated"
    link = Link(
        "upstream",
        "bad",
        f"{upstream.target} was looked up once, as {asked}; it is {now} now",
        evidence,
        source,
    )
    direct = [f"{one.address}:{one.port} {one.result}" for one in upstream.connects if one.result]
    port = (
        Link(
            "port",
            "ok",
            f"{service.name} answers at its own address",
            tuple(direct),
            "connect from this host",
        )
        if direct
        else None
    )
    links = (link, *([port] if port else []))
    data = {"stale": asked, "addresses": sorted(have), "proxy": front.running[0].name}
    return Trouble(
        Cause.STALE_UPSTREAM,
        service.name,
        service.running[0].name,
        sentence,
        f"{facts.commands.doctor} --fix",
        "certain",
        links,
        data,
    )


def _others(upstream: UpstreamFacts, facts: Facts) -> set[str]:
    """Addresses of services that nginx asks on the same port on purpose."""
    return {
        address
        for other in facts.upstreams
        if other.target.port == upstream.target.port and other.service != upstream.service
        for one in _running(facts, other.service)
        for address in one.addresses
    }


def _asked_elsewhere(
    upstream: UpstreamFacts, proxy: ProxyFacts, have: set[str], others: set[str], facts: Facts
) -> tuple[str, tuple[str, ...], str]:
    """The address on this port that nginx has asked since our own requests began and that nobody should be asked at, with the evidence."""
    began = (
        min((one.began for one in facts.http if one.through == "proxy"), default=facts.now) - _SLACK
    )
    for one in reversed(proxy.failures):
        address, _, port = one.upstream.rpartition(":")
        recent = one.last is not None and one.last >= began
        if (
            one.failure in _CONNECTING
            and recent
            and port == str(upstream.target.port)
            and address
            and address not in have | others
        ):
            return address.strip("[]"), (count_line(one),), proxy.log_source
    stray = next((address for address in upstream.asked if address not in have | others), "")
    return (
        stray,
        (f"open connection to {stray}:{upstream.target.port}",) if stray else (),
        "kernel: the proxy's socket table",
    )


def _running(facts: Facts, name: str) -> tuple[ContainerFacts, ...]:
    return facts.services[name].running if name in facts.services else ()


def _shared(door: ContainerFacts, service: ServiceFacts) -> list[str]:
    if door.network_mode == "host":
        return ["host"]
    return [name for one in service.running for name in one.networks if name in door.networks]


def _networks(service: ServiceFacts) -> str:
    return ", ".join(dict.fromkeys(name for one in service.running for name in one.networks))


def count_line(one: Count) -> str:
    """`3 times connection refused by 172.18.0.5:5000, 2026-...: connect() failed ...`."""
    times = "once" if one.count == 1 else f"{one.count} times"
    span = ""
    if one.first is not None and one.last is not None:
        span = f", {local_time(one.first)}" + (
            f" to {local_time(one.last)}" if one.count > 1 else ""
        )
    whom = f" ({one.upstream})" if one.upstream else ""
    return f"{times} {one.failure.value}{whom}{span}: {one.example[:300]}"
