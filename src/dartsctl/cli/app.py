"""The program itself, and the verbs that need no environment: `check` and `ports`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dartsctl import __version__
from dartsctl.cli.deps import deps_of
from dartsctl.cli.options import (
    Common,
    Fix,
    OnConflict,
    Profiles,
    Project,
    RemoveContainer,
    Services,
    WaitTimeout,
    answers_without_settings,
    compose_on,
    verb,
    working_folder,
)
from dartsctl.errors import DartsctlError, UsageError

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings
    from dartsctl.ports.allocation import Allocation

app = typer.Typer(
    name="dartsctl",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"dartsctl {__version__}\n")
        raise typer.Exit


@app.callback()
@verb
def root(
    common: Common,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Show the version.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Run Docker Compose with exact host-port checks, and dev servers off production ports.

    \b
    dartsctl init                create settings, env files and a certificate
    dartsctl dev                 start the dev services and the app server
    dartsctl prod check          check whether `prod up` would work
    dartsctl prod up             check, start, and wait until healthy
    dartsctl doctor              find out why the stack answers 502
    dartsctl run -- flask run    run any server on a leased port
    dartsctl ports               show who owns and who uses each port
    dartsctl guard install       block production ports in a virtual environment
    """


@app.command()
@verb
def check(
    *,
    common: Common,
    services: Services = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--file", "-f", help="Compose file; several are merged in order.", metavar="FILE"
        ),
    ] = None,
    project: Project = None,
    profiles: Profiles = None,
    env_files: Annotated[
        list[Path] | None,
        typer.Option("--env-file", help="Env file for Compose variables.", metavar="FILE"),
    ] = None,
    fix: Fix = False,
    on_conflict: OnConflict = None,
    remove_container: RemoveContainer = None,
    wait_timeout: WaitTimeout = None,
    engine: Annotated[
        bool,
        typer.Option(
            "--engine/--no-engine", help="Ask the Docker engine, or use only files and sockets."
        ),
    ] = True,
) -> int:
    """Check whether `docker compose up` would work here.

    List every host-port conflict with its holder. Needs no settings, and changes nothing without
    --fix.

    \b
    dartsctl check                              this folder's Compose files
    dartsctl check -f base.yml -f more.yml      these files, merged
    dartsctl check -f base.yml -p shop web      one service and its dependencies
    dartsctl check --json | jq .conflicts       the conflicts as JSON
    dartsctl check --fix                        choose how to resolve each one
    """
    from dartsctl.config.environment import adhoc

    environment = adhoc(
        files=tuple(files or ()),
        project=project,
        env_files=tuple(env_files or ()),
        profiles=tuple(profiles or ()),
        directory=working_folder() / (common.project_dir or Path()),
    )
    from dartsctl.commands.check import CheckRequest
    from dartsctl.commands.check import check as run_check
    from dartsctl.workflows.up.preflight import Intent

    request = CheckRequest(
        environment,
        Intent(services=tuple(services or ()), ask_engine=engine),
        fix=fix,
        answers=answers_without_settings(common, on_conflict, wait_timeout, remove_container),
        next_command=_check_command(environment, services or []),
        dry_run=common.dry_run,
    )
    return run_check(request, deps=deps_of(common))


def _check_command(environment: Environment, services: list[str]) -> str:
    """The same call again, without a project."""
    words = ["dartsctl", "check"]
    words += [word for file in environment.files for word in ("--file", str(file))]
    words += [word for file in environment.env_files for word in ("--env-file", str(file))]
    words += [word for profile in environment.profiles for word in ("--profile", profile)]
    return shlex.join([*words, *services])


@app.command()
@verb
def ports(common: Common) -> int:
    """Show who owns each port and who is using it.

    Covers production's ports, the dev range, and ports that were remapped.

    \b
    dartsctl ports
    dartsctl ports --json | jq '.production[] | select(.state == "wrong owner")'
    """
    from dartsctl.config.settings import PRODUCTION
    from dartsctl.ports.allocation import Allocation

    settings = common.settings()
    projects = [one.project for name, one in settings.environments.items() if name != PRODUCTION]
    from dartsctl.commands.ports import PortsRequest
    from dartsctl.commands.ports import ports as run_ports

    request = PortsRequest(
        Allocation.of(settings.ports.production),
        settings.ports.dev_range,
        production=production_of(settings),
        projects=tuple(projects),
    )
    return run_ports(request, deps=deps_of(common))


@app.command()
@verb
def history(
    common: Common,
    last: Annotated[
        int, typer.Option("--last", "-n", min=1, help="Number of entries to show.", metavar="N")
    ] = 50,
) -> int:
    """What dartsctl has stopped or changed on this machine: when, what, why, by whom."""
    from dartsctl.commands.history import history as run_history

    return run_history(last, deps=deps_of(common))


def production_of(settings: Settings) -> Environment | None:
    """The production environment, or None where nothing says which files it is made of."""
    from dartsctl.config.environment import resolve
    from dartsctl.config.settings import PRODUCTION

    try:
        return resolve(settings, PRODUCTION)
    except DartsctlError:
        return None


def production_ports(
    settings: Settings, *, deadline: float | None = None
) -> tuple[Allocation, DartsctlError | None]:
    """The documented ports, united with what the production stack publishes, and why it could not be asked; it need not be on this machine.

    `deadline`: seconds that Compose has for it, where that is not worth its own minute.
    """
    from dartsctl.config.environment import resolve
    from dartsctl.config.settings import PRODUCTION
    from dartsctl.ports.allocation import Allocation
    from dartsctl.workflows.up.production_ports import allocation

    documented = Allocation.of(settings.ports.production)
    try:
        return allocation(
            documented, compose_on(resolve(settings, PRODUCTION), deadline=deadline)
        ), None
    except (
        UsageError
    ):  # nothing says what the stack is made of: the documented ports are all there is
        return documented, None
    except DartsctlError as error:
        return documented, error
