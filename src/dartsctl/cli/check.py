"""`check`: any Compose files, without settings."""

from __future__ import annotations

from dartsctl.cli.options import CONFLICT, FIX, PROFILES, PROJECT, SERVICES
from dartsctl.cli.parameters import Option, verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.cli.deps import Common
    from dartsctl.cli.options import ConflictOptions


@verb(
    services=SERVICES,
    files=Option(
        "--file",
        "-f",
        kind="paths",
        text="Compose file; several are merged in order.",
        metavar="FILE",
    ),
    project=PROJECT,
    profiles=PROFILES,
    env_files=Option(
        "--env-file", kind="paths", text="Env file for Compose variables.", metavar="FILE"
    ),
    fix=FIX,
    conflict=CONFLICT,
    engine=Option(
        "--engine/--no-engine", text="Ask the Docker engine, or use only files and sockets."
    ),
)
def check(
    *,
    common: Common,
    services: list[str] | None = None,
    files: list[Path] | None = None,
    project: str | None = None,
    profiles: list[str] | None = None,
    env_files: list[Path] | None = None,
    fix: bool = False,
    conflict: ConflictOptions,
    engine: bool = True,
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
    import os
    from pathlib import Path

    from dartsctl.cli.answers import answers_without_settings
    from dartsctl.cli.deps import deps_of, working_folder
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
