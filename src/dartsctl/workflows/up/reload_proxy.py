"""Reload nginx: it reads its configuration, and looks its upstreams up, again."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from dartsctl.errors import DartsctlError
from dartsctl.stack.containers import of_services

if TYPE_CHECKING:
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps

_ERROR_LINES = 3


def reload_proxy(project: str, service: str, *, deps: Deps) -> None:
    """Reload every running container of the proxy's service.

    Raises DartsctlError if none runs, or if nginx refuses its configuration: then it goes on with
    the old one.
    """
    control = deps.engine().control()
    if control is None:
        raise DartsctlError(
            "cannot reload the proxy of a remote engine",
            hint=f"docker compose exec {service} nginx -s reload",
        )
    is_running = False
    for container in of_services(control.containers(), project, (service,)):
        if container.state == "running":
            is_running = True
            _reload(container, control)
    if not is_running:
        raise DartsctlError(f"{service} is not running")


def _reload(container: Container, control: EngineControl) -> None:
    """Test the configuration, then send nginx's reload, with the `-c FILE` that it runs with."""
    words = ["nginx"]
    inspection = control.inspect(container.id)
    if inspection:
        for word, after in pairwise(inspection.arguments):
            if word == "-c":
                words += [word, after]
                break
    for action in (["-t"], ["-s", "reload"]):
        result = control.execute(container.id, [*words, *action])
        if result is None:
            raise DartsctlError(f"{container.name} did not reload")
        code, _, stderr = result
        if code != 0:
            errors = [
                line for line in stderr.splitlines() if "[emerg]" in line or "[error]" in line
            ]
            raise DartsctlError(
                f"{container.name} did not reload", details=tuple(errors[-_ERROR_LINES:])
            )
