"""The verbs of an environment's stack: `prod up`, `dev up`, and the same for any other name."""

from __future__ import annotations

from dartsctl.cli.options import (
    CONFLICT,
    FIX,
    PROFILES,
    PROJECT,
    SERVICES,
    WAIT_TIMEOUT,
    ConflictOptions,
    one_of,
)
from dartsctl.cli.parameters import Option, Options, Verbs, verb
from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.cli.deps import Common
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings


def environment_group(name: str) -> Verbs:
    """Return the verbs of an environment as a group of commands."""
    title = "production" if name == "prod" else name
    group = Verbs(text=f"Start, check and inspect the {title} stack.")
    add_lifecycle(name, group)
    return group


def add_lifecycle(name: str, group: Verbs) -> None:
    """Give `group` the verbs that every environment has."""
    for each in (check, up, down, restart, ps, logs, config):
        group.verbs[each.name] = each.with_fixed(name=name)


def _proxy(settings: Settings, environment: Environment) -> str:
    """Return the proxy that the settings name, which they do only for production."""
    return settings.doctor.proxy if environment.is_production else ""


@verb(services=SERVICES, fix=FIX, conflict=CONFLICT, project=PROJECT, profiles=PROFILES)
def check(
    *,
    name: str,
    common: Common,
    services: list[str] | None = None,
    fix: bool = False,
    conflict: ConflictOptions,
    project: str | None = None,
    profiles: list[str] | None = None,
) -> int:
    """Check whether `up` would work.

    List every port conflict with its holder. Changes nothing without --fix.
    """
    from dartsctl.cli.answers import answers_of
    from dartsctl.cli.deps import deps_of, environment_of

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

    build: bool = False
    pull: str | None = None
    force_recreate: bool = False
    remove_orphans: bool = False
    scale: list[str] | None = None
    reset_ports: bool = False
    skip_port_check: bool = False

    def compose_flags(self) -> tuple[str, ...]:
        """Return the options that go to Compose as they are. Raises UsageError for --pull."""
        flags = ["--build"] if self.build else []
        if pull := one_of("--pull", self.pull, ("always", "missing", "never")):
            flags += ["--pull", pull]
        return tuple(flags)


_REMOVE_ORPHANS = Option(
    "--remove-orphans", text="Remove containers of services that no longer exist."
)
_UP = Options(
    UpOptions,
    build=Option("--build", text="Build images before starting."),
    pull=Option(
        "--pull", kind="text", text="Pull images: always, missing or never.", metavar="WHEN"
    ),
    force_recreate=Option("--force-recreate", text="Recreate containers even if nothing changed."),
    remove_orphans=_REMOVE_ORPHANS,
    scale=Option("--scale", kind="texts", text="Run N replicas of a service.", metavar="SERVICE=N"),
    reset_ports=Option("--reset-ports", text="Restore the ports and names from the Compose files."),
    skip_port_check=Option("--skip-port-check", text="Skip the port preflight."),
)


@verb(services=SERVICES, options=_UP, conflict=CONFLICT, project=PROJECT, profiles=PROFILES)
def up(
    *,
    name: str,
    common: Common,
    services: list[str] | None = None,
    options: UpOptions,
    conflict: ConflictOptions,
    project: str | None = None,
    profiles: list[str] | None = None,
) -> int:
    """Check the ports, start the stack and wait until it is healthy.

    On a conflict, ask what to do. Without a terminal, start and change nothing (exit code 3).
    When the stack is healthy, check that its ports are really bound.

    \b
    dartsctl prod up --on-conflict stop --yes   stop whoever holds the ports
    dartsctl dev up --on-conflict remap         use other ports and names
    dartsctl dev up --on-conflict wait --wait-timeout 60
    """
    from dartsctl.cli.answers import answers_of
    from dartsctl.cli.deps import ONE_RUN, deps_of, environment_of

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
    return run_up(request, deps=deps_of(common, remembers=ONE_RUN))


def _scale(text: str) -> tuple[str, int]:
    from dartsctl.errors import Advice, UsageError
    from dartsctl.stack.compose_model import MAX_REPLICAS
    from dartsctl.text.numbers import parse_digits

    service, _, number = text.partition("=")
    replicas = parse_digits(number, MAX_REPLICAS)
    if not service or replicas is None:
        raise UsageError(
            f"--scale: {text!r} is not SERVICE=N", hint=Advice("use --scale darts-app=2")
        )
    return service, replicas


@verb(
    remove_orphans=_REMOVE_ORPHANS,
    volumes=Option("--volumes", text="Also delete the volumes and their data (needs --yes)."),
    stop_timeout=Option(
        "--timeout",
        "-t",
        kind="number",
        least=0,
        text="Seconds to wait before a container is killed.",
    ),
    project=PROJECT,
    profiles=PROFILES,
)
def down(
    *,
    name: str,
    common: Common,
    remove_orphans: bool = False,
    volumes: bool = False,
    stop_timeout: int | None = None,
    project: str | None = None,
    profiles: list[str] | None = None,
) -> int:
    """Stop the stack and remove its containers and networks.

    Volumes are kept unless --volumes is given.
    """
    from dartsctl.cli.deps import ONE_RUN, deps_of, environment_of

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
    return run_down(request, deps=deps_of(common, remembers=ONE_RUN))


def _production_beside(common: Common, settings: Settings, name: str) -> Environment | None:
    """Return production for a verb of another environment, None where no production is here."""
    from dartsctl.cli.deps import environment_of
    from dartsctl.config.settings import PRODUCTION

    if PRODUCTION not in settings.other_projects(name):
        return None
    return environment_of(common, settings, PRODUCTION, runs=True, is_shown=False)


@verb(services=SERVICES, wait_timeout=WAIT_TIMEOUT, project=PROJECT)
def restart(
    *,
    name: str,
    common: Common,
    services: list[str] | None = None,
    wait_timeout: int | None = None,
    project: str | None = None,
) -> int:
    """Restart the existing containers and wait until they are healthy."""
    from dartsctl.cli.answers import answers_of
    from dartsctl.cli.deps import ONE_RUN, deps_of, environment_of

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
    return run_up(request, deps=deps_of(common, remembers=ONE_RUN))


@verb(services=SERVICES, project=PROJECT)
def ps(
    *, name: str, common: Common, services: list[str] | None = None, project: str | None = None
) -> int:
    """List the stack's containers and the ports they publish.

    Containers that never started are included.
    """
    from dartsctl.cli.deps import deps_of, environment_of

    environment = environment_of(
        common, common.settings(), name, project=project, runs=True, is_shown=False
    )
    from dartsctl.commands.ps import ps as run_ps

    return run_ps(environment, tuple(services or ()), deps=deps_of(common))


@verb(
    services=SERVICES,
    follow=Option("--follow", "-f", text="Follow the output."),
    tail=Option(
        "--tail",
        "-n",
        kind="text",
        text="Number of last lines to show for each service.",
        metavar="LINES",
    ),
    since=Option(
        "--since",
        kind="text",
        text="Show only lines since this time, such as 10m.",
        metavar="TIME",
    ),
    timestamps=Option("--timestamps", "-t", text="Show the time of each line."),
    project=PROJECT,
)
def logs(
    *,
    name: str,
    common: Common,
    services: list[str] | None = None,
    follow: bool = False,
    tail: str | None = None,
    since: str | None = None,
    timestamps: bool = False,
    project: str | None = None,
) -> int:
    """Show the services' logs, with secrets masked.

    Control sequences other than colors are made visible.
    """
    from dartsctl.cli.deps import deps_of, environment_of

    environment = environment_of(
        common, common.settings(), name, project=project, runs=True, is_shown=False
    )
    from dartsctl.commands.logs import LogsRequest
    from dartsctl.commands.logs import logs as run_logs
    from dartsctl.system import collector

    collector.run_as_usual()
    request = LogsRequest(
        environment,
        tuple(services or ()),
        follow=follow,
        tail=tail,
        since=since,
        timestamps=timestamps,
    )
    return run_logs(request, deps=deps_of(common))


@verb(services=SERVICES, project=PROJECT, profiles=PROFILES)
def config(
    *,
    name: str,
    common: Common,
    services: list[str] | None = None,
    project: str | None = None,
    profiles: list[str] | None = None,
) -> int:
    """Print the resolved Compose model as JSON.

    Every value that may be a secret is masked. The output is valid YAML too.
    """
    from dartsctl.cli.deps import deps_of, environment_of

    environment = environment_of(
        common, common.settings(), name, project=project, profiles=profiles or ()
    )
    from dartsctl.commands.config import config as run_config

    return run_config(environment, tuple(services or ()), deps=deps_of(common))
