"""Why the proxy does not run: its containers' end, and the log line with which nginx ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.causes import app_exited, crash_loop, never_started
from dartsctl.diagnosis.findings import Cause, Link
from dartsctl.diagnosis.nginx.log import FailureCount, NginxFailure
from dartsctl.diagnosis.proxy_path import SLACK
from dartsctl.diagnosis.trouble import Fix, Trouble, container_link
from dartsctl.records import record

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ProxyFacts, ServiceFacts

_FATAL = (
    NginxFailure.HOST_NOT_FOUND,
    NginxFailure.CERTIFICATE,
    NginxFailure.BIND,
    NginxFailure.EMERGENCY,
)


def ends(facts: Facts) -> tuple[Trouble, ...]:
    """Return what a container of the proxy would be reported with if it were an app.

    Without containers that the engine could not start: its own error says why.
    """
    if facts.proxy is None:
        return ()
    name = facts.proxy.service
    troubles = (*app_exited.detect(facts), *crash_loop.detect(facts), *never_started.detect(facts))
    return tuple(
        trouble for trouble in troubles if trouble.service == name and "error" not in trouble.data
    )


@record
class FatalError:
    """The log line with which the present run of nginx ended."""

    proxy: ProxyFacts
    container: ContainerFacts
    line: FailureCount
    host: str
    """The host that the line is about, without its port."""
    service: ServiceFacts | None
    """The service behind that host."""

    @property
    def kind(self) -> NginxFailure:
        return self.line.failure

    @property
    def reason(self) -> str:
        line = self.line
        return f"{line.failure.value} {line.name}" if line.name else line.example

    @property
    def is_about_networks(self) -> bool:
        """Whether the name is missing only because proxy and service share no network."""
        return (
            self.kind is NginxFailure.HOST_NOT_FOUND
            and self.service is not None
            and bool(self.container.networks)
            and bool(self.service.running)
            and not shared_networks(self.container, self.service)
        )


def fatal_error(facts: Facts) -> FatalError | None:
    """Return the line with which nginx ended; lines of a former run do not count."""
    proxy, service = facts.proxy, facts.proxy_service
    if proxy is None or service is None or not service.containers:
        return None
    container = service.containers[0]
    since = (container.started or 0.0) - SLACK
    for line in reversed(proxy.failures):
        if line.failure in _FATAL and (line.last is None or line.last >= since):
            host = line.name.rpartition(":")[0] or line.name
            behind = _service_behind(host, facts)
            return FatalError(
                proxy=proxy, container=container, line=line, host=host, service=behind
            )
    return None


def is_config_error(line: FailureCount) -> bool:
    """Whether nginx names the line of its configuration that it cannot use."""
    return line.failure is NginxFailure.EMERGENCY and bool(line.place)


def _service_behind(host: str, facts: Facts) -> ServiceFacts | None:
    for upstream in facts.upstreams:
        if upstream.target.host == host:
            return facts.services.get(upstream.service)
    return facts.services.get(host)


def fatal_trouble(
    cause: Cause,
    end: Trouble,
    fatal: FatalError,
    facts: Facts,
    *,
    command: str | Fix,
    reason: str = "",
) -> Trouble:
    """Return the trouble of a proxy that cannot start, with the log line as evidence."""
    container = fatal.container
    reason = reason or fatal.reason
    is_name_missing = fatal.kind is NginxFailure.HOST_NOT_FOUND
    link = Link(
        "proxy",
        "bad",
        f"nginx cannot start: {reason}",
        evidence=(fatal.line.line,),
        source=fatal.proxy.log_source,
    )
    return Trouble(
        cause=cause,
        service=container.service,
        container=container.name,
        sentence=f"{container.service} cannot start: {reason}",
        command=command,
        rank=end.rank,
        links=(container_link(container, facts), link),
        data={"error": fatal.line.example, "name": fatal.line.name},
        because_of=(fatal.service.name,) if fatal.service and is_name_missing else (),
    )


def shared_networks(proxy: ContainerFacts, service: ServiceFacts) -> set[str]:
    """Return the networks through which a proxy reaches a service."""
    if proxy.network_mode == "host":
        return {"host"}
    return set(service.networks) & set(proxy.networks)


def network_names(service: ServiceFacts) -> str:
    """Return the networks of a service's running containers, as text."""
    return ", ".join(dict.fromkeys(service.networks))
