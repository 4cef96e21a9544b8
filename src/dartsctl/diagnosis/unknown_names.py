"""Names of upstreams that are no service of the stack and that nginx could not look up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import BadAnswer, bad_answers
from dartsctl.diagnosis.nginx.log import FailureCount, NginxFailure
from dartsctl.diagnosis.proxy_end import FatalError, ends, fatal_error, fatal_trouble
from dartsctl.diagnosis.proxy_routes import (
    DOCKERS_RESOLVER,
    answered,
    front,
    passing_to,
    place,
    route_trouble,
    shares_host,
    shown_place,
    then_restart,
)
from dartsctl.errors import Advice
from dartsctl.records import record, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts, UpstreamFacts
    from dartsctl.diagnosis.findings import Cause
    from dartsctl.diagnosis.trouble import Trouble

_HOST_ITSELF = "host.docker.internal"
_SIMILAR = 0.75
"""Similarity from which a name counts as misspelled: `app` and `api` are two names."""


@record
class UnknownName:
    """A name that could not be looked up. `similar`: the service that may be meant."""

    host: str
    port: int
    proxy: ContainerFacts
    similar: str
    upstream: UpstreamFacts | None
    place: str
    """The line of the configuration, as far as known."""
    failure: FailureCount
    fatal: FatalError | None = None
    """Set if nginx ended because of it."""
    end: Trouble | None = None
    answer: BadAnswer | None = None
    """The failed request, if nginx runs."""
    others_asked: tuple[str, ...] = ()
    """The name servers that nginx asked, if Docker's is not among them."""

    def misspelled(self, cause: Cause, facts: Facts) -> Trouble:
        """Return the trouble of a name that is nearly that of a service."""
        reason = f"there is no {self.host} in this stack; the service {self.similar} may be meant"
        wanted = self.similar
        if self.upstream:
            wanted = passing_to(self.upstream, self.similar, self.port)
        where = shown_place(self.place, facts)
        return self._trouble(cause, facts, reason, f"write `{wanted}` in {where}")

    def external(self, cause: Cause, facts: Facts) -> Trouble:
        """Return the trouble of a name that must come from outside the stack."""
        networks = ", ".join(self.proxy.networks) or self.proxy.network_mode
        where = shown_place(self.place, facts)
        reason = f"{self.host} is no service of this stack, and nothing on {networks} has that name"
        advice = (
            f"start what has the name {self.host} and connect it to {networks}, "
            f"or correct the name in {where}"
        )
        if self.others_asked:
            servers = ", ".join(self.others_asked)
            reason = f"{self.host} is no service of this stack, and {servers} does not know it"
            advice = f"correct the name or its `resolver` in {where}"
        if self.host == _HOST_ITSELF:
            reason = f"{self.host} is not known in its container"
            advice = (
                f'add `extra_hosts: ["{_HOST_ITSELF}:host-gateway"]` to {self.proxy.service} '
                "in the Compose file"
            )
            if self.answer:  # nginx's own lookups read no hosts file
                advice += f" and write the name without a variable in {where}"
        return self._trouble(cause, facts, reason, advice)

    def _trouble(self, cause: Cause, facts: Facts, reason: str, advice: str) -> Trouble:
        command: str = Advice(f"{advice}, then run `{facts.commands.up}`")
        data = {"name": self.host, "similar": self.similar, "place": self.place}
        if self.fatal and self.end:
            trouble = fatal_trouble(
                cause, self.end, self.fatal, facts, reason=reason, command=command
            )
            return replace(trouble, data={**trouble.data, **data})
        assert self.upstream is not None  # noqa: S101 - as `unknown_names` makes it
        assert self.answer is not None  # noqa: S101
        if self.host != _HOST_ITSELF:
            command = then_restart(advice, facts)
        trouble = route_trouble(
            cause,
            self.upstream,
            facts,
            sentence=f"{self.proxy.service} passes {self.answer.http.location} on to "
            f"{self.upstream.target}: {reason}",
            command=command,
            text=f"the name {self.host} was not found",
            failure=self.failure,
            data=data,
        )
        return answered(trouble, self.answer)


def unknown_names(facts: Facts) -> Iterator[UnknownName]:
    """Yield each name that nginx could not look up and that is no service."""
    fatal = fatal_error(facts)
    if fatal and fatal.kind is NginxFailure.HOST_NOT_FOUND and fatal.service is None:
        for end in ends(facts):
            yield _at_start(fatal, end, facts)
    proxy = front(facts)
    for answer in bad_answers(facts) if proxy else ():
        if proxy and (name := _while_serving(answer, proxy, facts)):
            yield name


def _at_start(fatal: FatalError, end: Trouble, facts: Facts) -> UnknownName:
    upstream = None
    for row in facts.upstreams:
        if row.target.host == fatal.host:
            upstream = row
            break
    digits = fatal.line.name.rpartition(":")[2]
    port = int(digits) if digits.isdigit() else 80
    if upstream:
        port = upstream.target.port
    return UnknownName(
        fatal.host,
        port,
        fatal.container,
        similar_service(fatal.host, facts),
        upstream,
        fatal.line.place or (place(upstream) if upstream else ""),
        fatal.line,
        fatal=fatal,
        end=end,
    )


def _while_serving(answer: BadAnswer, proxy: ContainerFacts, facts: Facts) -> UnknownName | None:
    upstream, failure = answer.upstream, answer.failure
    if upstream is None or failure is None or upstream.service:
        return None
    resolvers = upstream.routes[0].resolvers
    if failure.failure is not NginxFailure.NOT_RESOLVED:
        return None
    asks_docker = DOCKERS_RESOLVER in resolvers or shares_host(proxy)
    host = upstream.target.host
    return UnknownName(
        host,
        upstream.target.port,
        proxy,
        similar_service(host, facts),
        upstream,
        place(upstream),
        failure,
        answer=answer,
        others_asked=() if asks_docker else resolvers,
    )


def similar_service(host: str, facts: Facts) -> str:
    """Return the service of which a name is most similar to a host's.

    It has the service's name, its containers' names, and the aliases in the networks.
    """
    import difflib  # only a mistake pays for this import

    own = facts.proxy.service if facts.proxy else ""
    services: dict[str, str] = {}
    for name, service in facts.services.items():
        if name != own:
            services[_plain(name)] = name
            for alias in _names(service):
                services.setdefault(_plain(alias), name)
    similar = difflib.get_close_matches(_plain(host), list(services), n=1, cutoff=_SIMILAR)
    return services[similar[0]] if similar else ""


def _names(service: ServiceFacts) -> Iterator[str]:
    for container in service.containers:
        yield container.name
        for names in container.names.values():
            yield from sorted(names)


def _plain(name: str) -> str:
    """Return a name without what is easily mistaken: case, hyphens, underscores."""
    return re.sub(r"[-_.]", "", name.lower())
