"""`logs`: Compose's own logs, with its colors, its Ctrl-C and its exit code.

Secrets are masked, and control sequences other than colors are shown as text.
`docker compose logs` prints the bytes as they were written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import Advice, DartsctlError, ExitCode
from dartsctl.records import record
from dartsctl.stack.compose_errors import plain_message
from dartsctl.stack.containers import of_project
from dartsctl.text.phrases import did_you_mean, shell_command
from dartsctl.workflows.preflight.from_labels import readable

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps


@record
class LogsRequest:
    """What `logs` shows; `tail` and `since` as Compose takes them."""

    environment: Environment
    services: tuple[str, ...] = ()
    follow: bool = False
    tail: str | None = None
    since: str | None = None
    timestamps: bool = False


def logs(request: LogsRequest, *, deps: Deps) -> int:
    """Show the logs. Return 130 after a signal; raise DartsctlError with Compose's complaint."""
    screen = deps.screen
    environment = readable(request.environment, deps=deps)  # learns the secrets, too
    if environment.files_error:
        _check_names(request.services, environment, deps)
    compose = deps.compose_on(environment)
    complaints: list[str] = []
    color = screen.is_colored
    stream = compose.logs(*_words(request), color=color, on_error=complaints.append)
    try:
        with stream.taking_signals() as signals:
            for line in stream.lines():
                screen.log_line(line, color=color)
            code = stream.wait()
    except BaseException:
        stream.kill()
        raise
    if signals:
        return int(ExitCode.INTERRUPTED)
    if code != 0:
        complaint = plain_message(complaints[-1]) if complaints else f"exit code {code}"
        command = shell_command("docker", "compose", "-p", environment.project, "logs")
        raise DartsctlError(f"Compose cannot show the logs: {complaint}", hint=command)
    for line in complaints:
        screen.progress(line)
    return int(ExitCode.OK)


def _check_names(services: tuple[str, ...], environment: Environment, deps: Deps) -> None:
    """Raise DartsctlError for a service without a container: without files, Compose is silent."""
    own = of_project(deps.engine().containers(), environment.project)
    known = sorted({container.service for container in own})
    for name in services:
        if name not in known:
            hint = did_you_mean(name, known) or Advice(f"services with one: {', '.join(known)}")
            raise DartsctlError(f"{environment.project} has no container of {name}", hint=hint)


def _words(request: LogsRequest) -> list[str]:
    words = ["--follow"] if request.follow else []
    if request.timestamps:
        words.append("--timestamps")
    if request.tail is not None:
        words += ["--tail", request.tail]
    if request.since is not None:
        words += ["--since", request.since]
    return [*words, *request.services]
