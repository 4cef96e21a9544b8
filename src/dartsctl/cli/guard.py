"""`guard install|remove|status`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dartsctl.cli.deps import Common, deps_of
from dartsctl.cli.help import Verbs
from dartsctl.cli.options import verb

if TYPE_CHECKING:
    from dartsctl.commands.guard import GuardRequest

Venv = Annotated[
    Path | None,
    typer.Option(
        "--venv", help="Virtual environment to use instead of the detected one.", metavar="PATH"
    ),
]

guard = Verbs(no_args_is_help=True)


@guard.callback()
@verb
def group(common: Common) -> None:
    """Refuse production ports in the app's virtual environment.

    The guard works for every server that is started with that Python, also without dartsctl.

    \b
    dartsctl guard install   make `python run.py` on port 5000 fail, and say why
    dartsctl guard status    show which virtual environments have the guard
    dartsctl guard remove    remove the guard without a trace

    DARTSCTL_GUARD=off switches the guard off for one process. It does nothing in containers.
    """


@guard.command()
@verb
def install(common: Common, venv: Venv = None) -> int:
    """Install the guard, or update its ports.

    It refuses the production ports that the settings and the production stack name. Looks for
    .venv, venv, env, uv's environment, the active one and poetry's.

    \b
    dartsctl guard install                      use the detected environment
    dartsctl guard install --venv ~/venvs/app   use this environment
    dartsctl guard install --dry-run            show the environment and the ports
    """
    from dartsctl.commands.guard import install as run_install

    return run_install(_request(common, venv), deps=deps_of(common))


@guard.command()
@verb
def remove(common: Common, venv: Venv = None) -> int:
    """Remove the guard from a virtual environment.

    \b
    dartsctl guard remove
    dartsctl guard remove --venv ~/venvs/app
    """
    from dartsctl.commands.guard import remove as run_remove

    return run_remove(_request(common, venv), deps=deps_of(common))


@guard.command()
@verb
def status(common: Common, venv: Venv = None) -> int:
    """List virtual environments and their guards.

    Shows those of this project, and all on this machine that have a guard.

    \b
    dartsctl guard status
    dartsctl guard status --json | jq '.guards[] | select(.active | not) | .venv'
    """
    from dartsctl.commands.guard import status as run_status

    return run_status(_request(common, venv), deps=deps_of(common))


def _request(common: Common, venv: Path | None) -> GuardRequest:
    from dartsctl.commands.guard import GuardRequest

    return GuardRequest(common.settings(), venv=venv, dry_run=common.dry_run)
