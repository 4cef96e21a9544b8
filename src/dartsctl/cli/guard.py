"""`guard install|remove|status`."""

from __future__ import annotations

from dartsctl.cli.parameters import Option, Verbs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.cli.deps import Common
    from dartsctl.commands.guard import GuardRequest

_VENV = Option(
    "--venv",
    kind="path",
    text="Virtual environment to use instead of the detected one.",
    metavar="PATH",
)

guard = Verbs()


@guard.itself()
def group(*, common: Common) -> None:
    """Refuse production ports in the app's virtual environment.

    The guard works for every server that is started with that Python, also without dartsctl.

    \b
    dartsctl guard install   make `python run.py` on port 5000 fail, and say why
    dartsctl guard status    show which virtual environments have the guard
    dartsctl guard remove    remove the guard without a trace

    DARTSCTL_GUARD=off switches the guard off for one process. It does nothing in containers.
    """


@guard.verb(venv=_VENV)
def install(*, common: Common, venv: Path | None = None) -> int:
    """Install the guard, or update its ports.

    It refuses the production ports that the settings and the production stack name. Looks for
    .venv, venv, env, uv's environment, the active one and poetry's.

    \b
    dartsctl guard install                      use the detected environment
    dartsctl guard install --venv ~/venvs/app   use this environment
    dartsctl guard install --dry-run            show the environment and the ports
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.guard import install as run_install

    return run_install(_request(common, venv), deps=deps_of(common))


@guard.verb(venv=_VENV)
def remove(*, common: Common, venv: Path | None = None) -> int:
    """Remove the guard from a virtual environment.

    \b
    dartsctl guard remove
    dartsctl guard remove --venv ~/venvs/app
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.guard import remove as run_remove

    return run_remove(_request(common, venv), deps=deps_of(common))


@guard.verb(venv=_VENV)
def status(*, common: Common, venv: Path | None = None) -> int:
    """List virtual environments and their guards.

    Shows those of this project, and all on this machine that have a guard.

    \b
    dartsctl guard status
    dartsctl guard status --json | jq '.guards[] | select(.active | not) | .venv'
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.guard import status as run_status

    return run_status(_request(common, venv), deps=deps_of(common))


def _request(common: Common, venv: Path | None) -> GuardRequest:
    from dartsctl.commands.guard import GuardRequest

    return GuardRequest(common.settings(), venv=venv, dry_run=common.dry_run)
