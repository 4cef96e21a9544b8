"""`check`: any Compose files, without settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dartsctl.cli.answers import answers_without_settings
from dartsctl.cli.deps import Common, deps_of, working_folder
from dartsctl.cli.options import (
    ConflictOptions,
    Fix,
    Profiles,
    Project,
    Services,
    verb,
)


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
    conflict: ConflictOptions,
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
    from dartsctl.config.check_command import check_command
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
    from dartsctl.config.conventional_files import nothing_picked
    from dartsctl.workflows.preflight.inputs import Intent, files_of_compose

    if not environment.files and not files_of_compose(environment, os.environ):
        raise nothing_picked(environment.directory)
    request = CheckRequest(
        environment,
        Intent(services=tuple(services or ()), ask_engine=engine),
        fix=fix,
        answers=answers_without_settings(common, conflict),
        next_command=check_command(environment, environment.files, services or ()),
        dry_run=common.dry_run,
    )
    return run_check(request, deps=deps_of(common))
