"""The facts of a small stack, the app behind nginx, to be varied by the tests of a diagnosis."""

from __future__ import annotations

from typing import Any

from dartsctl.diagnosis.facts import (
    ContainerFacts,
    EngineFacts,
    Facts,
    HttpFacts,
    ProxyFacts,
    PublishedPort,
    ServiceFacts,
    UpstreamFacts,
)
from dartsctl.diagnosis.findings import Cause, Diagnosis
from dartsctl.diagnosis.nginx.config import Config, Listen, Route, Server, Target
from dartsctl.diagnosis.nginx.log import FailureCount, NginxFailure
from dartsctl.ports.availability import Reason
from dartsctl.ports.conflicts import Conflict
from dartsctl.ports.holders import Holder, HostProcess
from dartsctl.ports.process import Process
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint, PortBinding

NOW = 1_795_000_000.0
FLASK = HostProcess(
    Process(1234, "python", 1, (".venv/bin/python", "app.py", "--token=canary-11aa22bb")),
    evidence="listens on 127.0.0.1:5000/tcp",
)
ROUTE = Route("/", "http", (Target("app", 5000),), False, "http://app:5000")


def container(service: str, address: str = "10.0.0.2", **more: Any) -> ContainerFacts:
    """Return a running container of a service; `more` replaces its facts."""
    port = {"web": 80, "app": 5000}.get(service, 7000)
    usual: dict[str, Any] = {
        "state": "running",
        "started": NOW - 3600,
        "created": NOW - 3600,
        "networks": {"shop_default": address},
        "names": {"shop_default": frozenset({service})},
        "wanted": (PublishedPort(port, Endpoint(port, "127.0.0.1")),),
        "bound": (PublishedPort(port, Endpoint(port, "127.0.0.1")),),
        "log": (),
        "listening": (Endpoint(port, "0.0.0.0"),),
        "listening_source": "kernel",
        "restart_policy": "unless-stopped",
    }
    return ContainerFacts(service, f"shop-{service}-1", service * 4, **(usual | more))


def service(name: str, *containers: ContainerFacts, **more: Any) -> ServiceFacts:
    """Return a service with published port 5000."""
    return ServiceFacts(name, containers, **({"published": (5000,)} | more))


def facts(*services: ServiceFacts, proxy: ProxyFacts | None = None, **more: Any) -> Facts:
    """Return a healthy stack, the app behind nginx; `services` are added or replaced."""
    known = {
        each.name: each
        for each in (
            service("app", container("app")),
            service("web", container("web", "10.0.0.3")),
            *services,
        )
    }
    config = Config((Server((Listen(80),), routes=(ROUTE,)),))
    usual: dict[str, Any] = {
        "project": "shop",
        "services": known,
        "proxy": proxy
        or ProxyFacts(
            "web",
            "nginx",
            config,
            listens=(Listen(80),),
            config_source="nginx -T",
            log_source="nginx error log",
        ),
        "upstreams": (UpstreamFacts(Target("app", 5000), (ROUTE,), "app"),),
        "http": (answer(200),),
    }
    return Facts(EngineFacts("unix:///x", "28.5.2"), NOW, **(usual | more))


def answer(status: int | None, service_: str = "app", **more: Any) -> HttpFacts:
    """Return an answer through the proxy; status None: connection refused."""
    return HttpFacts(
        "http://127.0.0.1:80/",
        "proxy",
        "web",
        "/",
        service_,
        status,
        "" if status else "fails: connection refused",
        0.1,
        NOW - 1,
        **more,
    )


def failures(*counts: FailureCount) -> ProxyFacts:
    """Return the proxy with failures in its log."""
    made = facts().proxy
    assert made is not None
    return replace(made, failures=counts)


def failed(
    failure: NginxFailure,
    upstream: str = "10.0.0.9:5000",
    *,
    when: float = NOW - 0.5,
    name: str = "",
    count: int = 1,
) -> FailureCount:
    """Return one row of the proxy's log."""
    return FailureCount(failure, upstream, count, when, when, failure.value, name)


def conflict(holder: Holder, port: int = 5000, name: str = "app") -> Conflict:
    """Return a conflict of one binding with one holder."""
    binding = PortBinding(name, 1, port, "tcp", port, port, ("127.0.0.1",))
    return Conflict(binding, (Endpoint(port, "127.0.0.1"),), Reason.IN_USE, (holder,))


def causes(diagnosis: Diagnosis) -> list[tuple[Cause, str]]:
    """Return cause and service of each finding."""
    return [(finding.cause, finding.service) for finding in diagnosis.findings]


def down(name: str = "app", code: int = 1, **more: Any) -> ContainerFacts:
    """Return a container that has ended."""
    usual: dict[str, Any] = {
        "state": "exited",
        "exit_code": code,
        "networks": {"shop_default": ""},
        "bound": (),
        "listening": None,
        "finished": NOW - 60,
    }
    return container(name, **(usual | more))
