"""What leads a dev server to production, to nothing, or to a URL that others must allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.discovery.proposal import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dartsctl.discovery.app.server_env import Misleading, ServerVariable
    from dartsctl.ports.allocation import Allocation


def callback_tasks(lines: Iterable[ServerVariable]) -> Iterator[Task]:
    """Yield the task to make the URLs of a dev server known to an identity provider."""
    names = [line.name for line in lines if line.is_callback]
    if names:
        verb, them = "is a URL", "it"
        if len(names) > 1:
            verb, them = "are URLs", "them"
        text = (
            f"{', '.join(names)} {verb} of the dev server, such as http://127.0.0.1:5001/: an "
            f"identity provider must allow {them}; `dartsctl dev url` prints the URL while it runs"
        )
        yield Task(text, is_required=False)


def misleading_tasks(misleading: Sequence[Misleading], allocation: Allocation) -> Iterator[Task]:
    """Yield what leads a dev server to production."""
    for variable in misleading:
        if variable.lacks_port:
            yield _port_task(variable)
        elif not variable.service:
            text = (
                f"{variable.name} ({variable.where}) leads to port {variable.port} of this host, "
                f"which {allocation.claim(variable.port)}; the dev stack has no service for it: "
                "set it below [server.env] if a server of `dartsctl dev` must not use that"
            )
            yield Task(text, is_required=False)


def _port_task(variable: Misleading) -> Task:
    text = (
        f"{variable.name} ({variable.where}) names {variable.service} without a port: on this host "
        f"port {variable.port} may be another's, production's too; let the app read "
        f"{variable.lacks_port}, which has the dev service's"
    )
    return Task(text, is_required=False)


def misleading_notes(misleading: Sequence[Misleading]) -> Iterator[str]:
    """Yield what is left to the app's own default."""
    for variable in misleading:
        if variable.service and not variable.lacks_port:
            yield (
                f"{variable.name} names {variable.service}, which `dartsctl dev` does not start: "
                f"left to the app's own default ({variable.where})"
            )
