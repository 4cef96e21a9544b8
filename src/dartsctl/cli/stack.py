"""The verbs of an environment's stack: `prod up`, `dev up`, and the same for any other name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dartsctl.cli.answers import answers_of
from dartsctl.cli.deps import Common, deps_of, environment_of
from dartsctl.cli.help import Verbs
from dartsctl.cli.options import (
    ConflictOptions,
    Fix,
    Profiles,
    Project,
    Services,
    WaitTimeout,
    one_of,
    verb,
)
from dartsctl.errors import Advice, UsageError
from dartsctl.records import record
from dartsctl.stack.compose_model import MAX_REPLICAS
from dartsctl.text.numbers import parse_digits

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings


def environment_group(name: str) -> Verbs:
    """Return the verbs of an environment as a group of commands."""
    title = "production" if name == "prod" else name
    group = Verbs(no_args_is_help=True, help=f"Start, check and inspect the {title} stack.")
    add_lifecycle(name, group)
    return group


def add_lifecycle(name: str, group: Verbs) -> None:
    """Give `group` the verbs that every environment has."""
    for function in (check, up, down, restart, ps, logs, config):
        group.command(function.__name__)(verb(function, name=name))


def _proxy(settings: Settings, environment: Environment) -> str:
    """Return the proxy that the settings name, which they do only for production."""
    return settings.doctor.proxy if environment.is_production else ""


def check(
    *,
    name: str,
    common: Common,
    services: Services = None,
    fix: Fix = False,
    conflict: ConflictOptions,
    project: Project = None,
    profiles: Profiles = None,
) -> int:
    """Check whether `up` would work.

    List every port conflict with its holder. Changes nothing without --fix.
    """
    settings = common.settings()
    environment = environment_of(common, settings, name, project=project, profiles=profiles or ())
    from dartsctl.commands.check import CheckRequest
    from dartsctl.commands.check import check as run_check
    from dartsctl.config.documented_ports import documented_ports
    from dartsctl.workflows.preflight.inputs import Intent

    request = CheckRequest(
        environment,
        Intent(services=tuple(services or ())),
        next_command=environment.command("check", *(services or ())),
        allocation=documented_ports(settings),
        answers=answers_of(common, settings, name, conflict),
        fix=fix,
        dry_run=common.dry_run,
    )
    return run_check(request, deps=deps_of(common))


@record
class UpOptions:
    """The options of `up` alone."""

    build: Annotated[bool, typer.Option("--build", help="Build images before starting.")] = False
    pull: Annotated[
        str | None,
        typer.Option("--pull", help="Pull images: always, missing or never.", metavar="WHEN"),
    ] = None
    force_recreate: Annotated[
        bool, typer.Option("--force-recreate", help="Recreate containers even if nothing changed.")
    ] = False
    remove_orphans: Annotated[
        bool,
        typer.Option(
            "--remove-orphans", help="Remove containers of services that no longer exist."
        ),
    ] = False
    scale: Annotated[
        list[str] | None,
        typer.Option("--scale", help="Run N replicas of a service.", metavar="SERVICE=N"),
    ] = None
    reset_ports: Annotated[
        bool,
        typer.Option("--reset-ports", help="Restore the ports and names from the Compose files."),
    ] = False
    skip_port_check: Annotated[
        bool, typer.Option("--skip-port-check", help="Skip the port preflight.")
    ] = False

    def compose_flags(self) -> tuple[str, ...]:
        """Return the options that go to Compose as they are. Raises UsageError for --pull."""
        flags = ["--build"] if self.build else []
        if pull := one_of("--pull", self.pull, ("always", "missing", "never")):
            flags += ["--pull", pull]
        return tuple(flags)


def up(
    *,
    name: str,
    common: Common,
    services: Services = None,
    options: UpOptions,
    conflict: ConflictOptions,
    project: Project = None,
    profiles: Profiles = None,
) -> int:
    """Check the ports, start the stack and wait until it is healthy.

    On a conflict, ask what to do. Without a terminal, start and change nothing (exit code 3).
    When the stack is healthy, check that its ports are really bound.

    \b
    dartsctl prod up --on-conflict stop --yes   stop whoever holds the ports
    dartsctl dev up --on-conflict remap         use other ports and names
    dartsctl dev up --on-conflict wait --wait-timeout 60
    """
    settings = common.settings()
    environment = environment_of(common, settings, name, project=project, profiles=profiles or ())
    from dartsctl.commands.up import UpRequest
    from dartsctl.commands.up import up as run_up
    from dartsctl.config.documented_ports import documented_ports
    from dartsctl.workflows.preflight.inputs import Intent

    configured = settings.environments[name]
    intent = Intent(
        services=tuple(services or ()),
        force_recreate=options.force_recreate,
        remove_orphans=options.remove_orphans,
        scales=tuple(_scale(text) for text in options.scale or ()),
        build=options.build,
    )
    request = UpRequest(
        environment,
        intent,
        next_command=environment.command("up", *(services or ())),
        compose_flags=options.compose_flags(),
        wait_timeout=conflict.wait_timeout or configured.wait_timeout,
        settling_time=configured.settling_time,
        proxy=_proxy(settings, environment),
        allocation=documented_ports(settings),
        refuse_production_ports=configured.production_ports == "refuse",
        answers=answers_of(common, settings, name, conflict),
        dry_run=common.dry_run,
        skip_port_check=options.skip_port_check,
        reset_ports=options.reset_ports,
    )
    return run_up(request, deps=deps_of(common))


def _scale(text: str) -> tuple[str, int]:
    service, _, number = text.partition("=")
    replicas = parse_digits(number, MAX_REPLICAS)
    if not service or replicas is None:
        raise UsageError(
            f"--scale: {text!r} is not SERVICE=N", hint=Advice("use --scale darts-app=2")
        )
    return service, replicas


def down(
    *,
    name: str,
    common: Common,
    remove_orphans: Annotated[
        bool,
        typer.Option(
            "--remove-orphans", help="Remove containers of services that no longer exist."
        ),
    ] = False,
    volumes: Annotated[
        bool,
        typer.Option("--volumes", help="Also delete the volumes and their data (needs --yes)."),
    ] = False,
    stop_timeout: Annotated[
        int | None,
        typer.Option(
            "--timeout", "-t", min=0, help="Seconds to wait before a container is killed."
        ),
    ] = None,
    project: Project = None,
    profiles: Profiles = None,
) -> int:
    """Stop the stack and remove its containers and networks.

    Volumes are kept unless --volumes is given.
    """
    settings = common.settings()
    environment = environment_of(
        common, settings, name, project=project, profiles=profiles or (), runs=True
    )
    from dartsctl.commands.down import DownRequest
    from dartsctl.commands.down import down as run_down

    request = DownRequest(
        environment,
        production=_production_beside(common, settings, name) if volumes else None,
        volumes=volumes,
        remove_orphans=remove_orphans,
        stop_timeout=stop_timeout,
        yes=common.yes,
        dry_run=common.dry_run,
    )
    return run_down(request, deps=deps_of(common))


def _production_beside(common: Common, settings: Settings, name: str) -> Environment | None:
    """Return production for a verb of another environment, None where no production is here."""
    from dartsctl.config.settings import PRODUCTION

    if PRODUCTION not in settings.other_projects(name):
        return None
    return environment_of(common, settings, PRODUCTION, runs=True, is_shown=False)


def restart(
    *,
    name: str,
    common: Common,
    services: Services = None,
    wait_timeout: WaitTimeout = None,
    project: Project = None,
) -> int:
    """Restart the existing containers and wait until they are healthy."""
    settings = common.settings()
    environment = environment_of(common, settings, name, project=project, runs=True)
    from dartsctl.commands.up import UpRequest
    from dartsctl.commands.up import up as run_up
    from dartsctl.workflows.preflight.inputs import Intent

    conflict = ConflictOptions(wait_timeout=wait_timeout)
    request = UpRequest(
        environment,
        Intent(services=tuple(services or ())),
        next_command=environment.command("restart", *(services or ())),
        wait_timeout=wait_timeout or settings.environments[name].wait_timeout,
        settling_time=settings.environments[name].settling_time,
        proxy=_proxy(settings, environment),
        answers=answers_of(common, settings, name, conflict),
        dry_run=common.dry_run,
        restart=True,
    )
    return run_up(request, deps=deps_of(common))


def ps(*, name: str, common: Common, services: Services = None, project: Project = None) -> int:
    """List the stack's containers and the ports they publish.

    Containers that never started are included.
    """
    environment = environment_of(
        common, common.settings(), name, project=project, runs=True, is_shown=False
    )
    from dartsctl.commands.ps import ps as run_ps

    return run_ps(environment, tuple(services or ()), deps=deps_of(common))


def logs(
    *,
    name: str,
    common: Common,
    services: Services = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the output.")] = False,
    tail: Annotated[
        str | None,
        typer.Option(
            "--tail", "-n", help="Number of last lines to show for each service.", metavar="LINES"
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="Show only lines since this time, such as 10m.", metavar="TIME"
        ),
    ] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Show the time of each line.")
    ] = False,
    project: Project = None,
) -> int:
    """Show the services' logs, with secrets masked.

    Control sequences other than colors are made visible.
    """
    environment = environment_of(
        common, common.settings(), name, project=project, runs=True, is_shown=False
    )
    from dartsctl.commands.logs import LogsRequest
    from dartsctl.commands.logs import logs as run_logs

    request = LogsRequest(
        environment,
        tuple(services or ()),
        follow=follow,
        tail=tail,
        since=since,
        timestamps=timestamps,
    )
    return run_logs(request, deps=deps_of(common))


def config(
    *,
    name: str,
    common: Common,
    services: Services = None,
    project: Project = None,
    profiles: Profiles = None,
) -> int:
    """Print the resolved Compose model as JSON.

    Every value that may be a secret is masked. The output is valid YAML too.
    """
    environment = environment_of(
        common, common.settings(), name, project=project, profiles=profiles or ()
    )
    from dartsctl.commands.config import config as run_config

    return run_config(environment, tuple(services or ()), deps=deps_of(common))
