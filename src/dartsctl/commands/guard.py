"""`guard install|remove|status`: refuse production ports inside virtual environments.

The guard applies to every server that is started there, also without dartsctl.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dartsctl.config.settings import PRODUCTION, Settings
from dartsctl.edges.project import guards, venvs
from dartsctl.edges.state.guard_book import GuardBook
from dartsctl.errors import Advice, DartsctlError, ExitCode
from dartsctl.records import as_dict, record
from dartsctl.text.phrases import shell_command
from dartsctl.workflows.preflight.production_ports import production_ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dartsctl.edges.project.venvs import VirtualEnvironment
    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.deps import Deps


@record
class GuardRequest:
    """Which virtual environment: `venv` (the flag), else the first one that is detected."""

    settings: Settings
    venv: Path | None = None
    dry_run: bool = False

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where to search: the server's folder, then that of the settings."""
        return (self.settings.server.directory, self.settings.root)

    @property
    def project(self) -> str:
        """Production's Compose project; its `prod check` keeps the ports up to date."""
        return self.settings.environments[PRODUCTION].project


@record
class GuardState:
    """A virtual environment in `status --json`."""

    venv: str
    source: str
    """How it was found: .venv, VIRTUAL_ENV, poetry, --venv; `installed before`: in the book."""
    project: str
    installed: bool
    active: bool
    """Whether a program that starts in it now is refused.

    False in a container, and with DARTSCTL_GUARD=off.
    """
    ports: Mapping[int, str]
    version: int | None
    up_to_date: bool
    damaged: bool
    """Whether `guard install` or `guard remove` is needed to repair it."""


def install(request: GuardRequest, *, deps: Deps) -> ExitCode:
    """Install the guard, or update it.

    Raises UsageError for a --venv that is no virtual environment; DartsctlError where none is
    found, or it cannot be written.
    """
    screen = deps.screen
    venv, others = _chosen(request, deps, "install")
    production = _production_ports(request, deps)
    owners = production.united_with(guards.read(venv.site_packages))
    if request.dry_run:
        screen.result(
            {**_document(venv, changed=False), "dry_run": True},
            [f"would refuse ports {_listed(owners)} in {venv.path}"],
        )
        return ExitCode.OK
    changed = guards.install(venv.site_packages, owners)
    _record(venv, request.project, deps)
    active = guards.would_be_active(venv.python, venv.site_packages)
    document = {
        **_document(venv, changed=changed),
        "active": active,
        "ports": dict(sorted(owners.items())),
    }
    refuses = "refuses" if changed else "already refuses"
    screen.result(
        document, [f"the guard in {venv.path} {refuses} production ports {_listed(owners)}"]
    )
    if not active:
        _warn_inactive(screen)
    for other in others:
        if guards.read(other.site_packages) is None:
            command = shell_command("dartsctl", "guard", "install", "--venv", other.path)
            screen.note(f"no guard in another virtual environment, {other.source}: {command}")
    return ExitCode.OK


def remove(request: GuardRequest, *, deps: Deps) -> ExitCode:
    """Remove the guard without a trace; a missing guard is no error. Raises as `install`."""
    screen = deps.screen
    venv, others = _chosen(request, deps, "remove")
    is_installed = guards.read(venv.site_packages) is not None
    if request.dry_run:
        line = f"no guard in {venv.path}"
        if is_installed:
            line = f"would remove the guard from {venv.path}"
        screen.result({**_document(venv, changed=False), "dry_run": True}, [line])
        return ExitCode.OK
    changed = guards.remove(venv.site_packages)
    GuardBook(deps.state).forget(venv.path)
    document = _document(venv, changed=changed)
    if changed:
        screen.result(document, [f"removed the guard from {venv.path}"])
    else:
        screen.result(document, [])
        screen.note(f"no guard in {venv.path}")
    for other in others:
        if guards.read(other.site_packages) is not None:
            command = shell_command("dartsctl", "guard", "remove", "--venv", other.path)
            screen.note(f"a guard in another virtual environment, {other.source}: {command}")
    return ExitCode.OK


def status(request: GuardRequest, *, deps: Deps) -> ExitCode:
    """Show the virtual environments that are detected here, and all that have a guard."""
    screen, book = deps.screen, GuardBook(deps.state)
    states = _states(request, book, deps)
    others = () if request.venv else book.of_others()
    if screen.as_json:
        screen.document(
            {
                "ok": True,
                "exit_code": 0,
                "guards": [as_dict(state) for state in states],
                "of_others": [as_dict(other) for other in others],
            }
        )
        return ExitCode.OK
    screen.table(
        ("VENV", "FOUND BY", "GUARD", "PORTS"),
        [(state.venv, state.source, _word(state), _listed(state.ports) or "-") for state in states],
    )
    if not states:
        screen.note("no virtual environment here, and no guard on this machine")
    elif not any(state.installed for state in states):
        screen.note("no guard is installed; to install it: dartsctl guard install")
    for other in others:
        screen.note(f"guard of another user ({other.user}), not checked: {other.venv}")
    for state in states:
        if state.damaged:
            command = shell_command("dartsctl", "guard", "install", "--venv", state.venv)
            screen.note(f"to repair it: {command}")
    return ExitCode.OK


@record
class _ProductionPorts:
    owners: Mapping[int, str]
    complete: bool
    """False where Compose could not be asked: then no port is removed from a list."""

    def united_with(self, guard: guards.Guard | None) -> Mapping[int, str]:
        """Return the ports that the guard has to refuse."""
        if self.complete or guard is None:
            return self.owners
        return {**guard.ports, **self.owners}


def _production_ports(request: GuardRequest, deps: Deps) -> _ProductionPorts:
    allocation, problem = production_ports(request.settings, deps.compose_on)
    if problem:
        deps.screen.note(
            f"cannot read the published ports of the production stack: {problem.message}"
        )
    return _ProductionPorts(allocation.owners, complete=problem is None)


def _record(venv: VirtualEnvironment, project: str, deps: Deps) -> None:
    try:
        GuardBook(deps.state).add(venv.path, project)
    except DartsctlError as error:  # the guard works all the same
        deps.screen.warn(
            f"`dartsctl prod check` will not keep its ports up to date: {error.message}"
        )


def _warn_inactive(screen: Screen) -> None:
    screen.warn(
        "the guard is not active now: in a container (DARTSCTL_GUARD=on activates it), with "
        "DARTSCTL_GUARD=off, or with a Python that is older than 3.8 or does not start"
    )


def _states(request: GuardRequest, book: GuardBook, deps: Deps) -> list[GuardState]:
    production = _production_ports(request, deps)
    if request.venv:
        venv = venvs.at(request.venv, source="--venv")
        return [_state(venv, request.project, request, production)]
    environments = list(venvs.find(request.folders, deps.environ))
    projects = {venv.path: request.project for venv in environments}
    for known in book.read():
        if known.venv not in projects:
            environments += _still_there(known.venv)
        projects[known.venv] = known.project
    return [_state(venv, projects[venv.path], request, production) for venv in environments]


def _still_there(path: Path) -> list[VirtualEnvironment]:
    try:
        return [venvs.at(path, source="installed before")]
    except DartsctlError:
        return []


def _state(
    venv: VirtualEnvironment, project: str, request: GuardRequest, production: _ProductionPorts
) -> GuardState:
    guard = guards.read(venv.site_packages)
    if guard is None:
        return GuardState(
            venv=str(venv.path),
            source=venv.source,
            project=project,
            installed=False,
            active=False,
            ports={},
            version=None,
            up_to_date=False,
            damaged=False,
        )
    # the ports of another production stack are unknown here
    fits = project != request.project or guard.ports == production.united_with(guard)
    is_usable = bool(guard.ports) and not guard.damaged
    return GuardState(
        venv=str(venv.path),
        source=venv.source,
        project=project,
        installed=True,
        active=is_usable and guards.would_be_active(venv.python, venv.site_packages),
        ports=guard.ports,
        version=guard.version,
        up_to_date=guard.current and fits and not guard.damaged,
        damaged=guard.damaged,
    )


def _chosen(
    request: GuardRequest, deps: Deps, verb: str
) -> tuple[VirtualEnvironment, Sequence[VirtualEnvironment]]:
    """Return the virtual environment to change, and the others here. Raises UsageError."""
    if request.venv:
        return venvs.at(request.venv, source="--venv"), ()
    environments = venvs.find(request.folders, deps.environ)
    if environments:
        return environments[0], environments[1:]
    details = ["searched: .venv, venv, env, UV_PROJECT_ENVIRONMENT, VIRTUAL_ENV, poetry's"]
    if deps.environ.get("CONDA_PREFIX"):
        details.append("conda environments are not supported, only virtual environments")
    folders = " or ".join(map(str, dict.fromkeys(request.folders)))
    raise DartsctlError(
        f"no virtual environment in {folders}",
        details=tuple(details),
        hint=Advice(f"name another one: dartsctl guard {verb} --venv PATH"),
    )


def _document(venv: VirtualEnvironment, *, changed: bool) -> dict[str, Any]:
    return {
        "ok": True,
        "exit_code": 0,
        "venv": str(venv.path),
        "source": venv.source,
        "changed": changed,
    }


def _word(state: GuardState) -> str:
    if not state.installed:
        return "none"
    if state.damaged:
        return "damaged"
    word = "active" if state.active else "not active here"
    return word if state.up_to_date else f"{word}, out of date"


def _listed(ports: Mapping[int, str]) -> str:
    return ", ".join(map(str, sorted(ports)))
