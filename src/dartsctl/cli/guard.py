"""`guard install|remove|status`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dartsctl.cli.app import app, production_ports
from dartsctl.cli.options import Common, verb

if TYPE_CHECKING:
    from dartsctl.commands.guard import GuardRequest
    from dartsctl.edges.state.guard_book import GuardBook

Venv = Annotated[
    Path | None,
    typer.Option(
        "--venv", help="This virtual environment, instead of the one that is found.", metavar="PATH"
    ),
]

guard = typer.Typer(no_args_is_help=True)
app.add_typer(guard, name="guard")


@guard.callback()
@verb
def group(common: Common) -> None:
    """Refuse production's ports inside the app's virtual environment, whoever starts a server there, and however.

    \b
    dartsctl guard install     from now on `python run.py` on port 5000 fails, and says why
    dartsctl guard status      which virtual environments have it, and which ports it refuses
    dartsctl guard remove      without a trace

    DARTSCTL_GUARD=off lifts it for one process. In containers it does nothing.
    """


@guard.command()
@verb
def install(common: Common, venv: Venv = None) -> int:
    """Install it, or bring it up to date: production's ports as the settings and the production stack name them.

    \b
    dartsctl guard install                      .venv, venv, env, uv's, the active one or poetry's
    dartsctl guard install --venv ~/venvs/app   this one
    dartsctl guard install --dry-run            which one, and which ports
    """
    from dartsctl.commands.guard import install as run_install

    return run_install(_request(common, venv), book=_book(), screen=common.screen())


@guard.command()
@verb
def remove(common: Common, venv: Venv = None) -> int:
    """Remove it: the virtual environment is what it was before.

    \b
    dartsctl guard remove
    dartsctl guard remove --venv ~/venvs/app
    """
    from dartsctl.commands.guard import remove as run_remove

    return run_remove(_request(common, venv), book=_book(), screen=common.screen())


@guard.command()
@verb
def status(common: Common, venv: Venv = None) -> int:
    """Every virtual environment that is found here, and every one of this machine that has a guard.

    \b
    dartsctl guard status
    dartsctl guard status --json | jq '.guards[] | select(.active | not) | .venv'
    """
    from dartsctl.commands.guard import status as run_status

    return run_status(_request(common, venv), book=_book(), screen=common.screen())


def _request(common: Common, venv: Path | None) -> GuardRequest:
    from dartsctl.commands.guard import GuardRequest
    from dartsctl.config.settings import PRODUCTION

    settings = common.settings()
    allocation, problem = production_ports(settings)
    if problem:
        common.screen().note(
            f"the production stack could not be asked which ports it publishes: {problem.message}"
        )
    return GuardRequest(
        folders=(settings.server.directory, settings.root),
        environ=os.environ,
        project=settings.environments[PRODUCTION].project,
        owners=allocation.owners,
        complete=not problem,
        venv=venv,
        dry_run=common.dry_run,
    )


def _book() -> GuardBook:
    from dartsctl.edges.state.folder import state_folder
    from dartsctl.edges.state.guard_book import GuardBook

    return GuardBook(state_folder())
