"""`guard install|remove|status`: production's ports refused inside the app's own virtual environment, to whatever is started without dartsctl."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dartsctl.edges.project import guards, venvs
from dartsctl.edges.project.venvs import VirtualEnvironment
from dartsctl.edges.screen.output import Screen
from dartsctl.edges.state.guard_book import GuardBook
from dartsctl.errors import DartsctlError, ExitCode


@dataclass(frozen=True, slots=True)
class GuardRequest:
    """Which virtual environment: `venv` (the flag), else the first that is found from `folders` (the server's, the settings') and `environ`."""

    folders: tuple[Path, ...]
    environ: Mapping[str, str]
    project: str
    """Production's Compose project: its ports are refused, and its `prod check` keeps the list up to date."""
    owners: Mapping[int, str]
    """Production's ports and their services."""
    complete: bool = True
    """False where the production stack could not be asked for what it publishes: then no port is taken off a list."""
    venv: Path | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class GuardState:
    """One virtual environment in `status --json`."""

    venv: str
    source: str
    """How it was found: .venv, VIRTUAL_ENV, poetry, --venv; `installed before` where only the book knows it."""
    project: str
    installed: bool
    active: bool
    """Whether a program that starts in it now is refused; not in a container, nor with DARTSCTL_GUARD=off."""
    ports: Mapping[int, str]
    version: int | None
    up_to_date: bool
    damaged: bool
    """Whether `guard install` or `guard remove` is needed to mend it."""


def install(request: GuardRequest, *, book: GuardBook, screen: Screen) -> ExitCode:
    """Install the guard, or bring it up to date.

    Raises UsageError for a --venv that is none, DartsctlError where none is found, or it cannot be written.
    """
    venv, others = _chosen(request)
    owners = _owners(request, guards.read(venv.site_packages))
    if request.dry_run:
        screen.result(
            {**_document(venv, changed=False), "dry_run": True},
            [f"would refuse ports {_listed(owners)} in {venv.path}"],
        )
        return ExitCode.OK
    changed = guards.install(venv.site_packages, owners)
    try:
        book.add(venv.path, request.project)
    except DartsctlError as error:  # the guard is in place all the same
        screen.warn(f"`prod check` will not keep its ports up to date: {error.message}")
    active = guards.would_be_active(venv.python, venv.site_packages)
    document = {
        **_document(venv, changed=changed),
        "active": active,
        "ports": dict(sorted(owners.items())),
    }
    screen.result(
        document,
        [
            f"{venv.path}: production's ports {_listed(owners)} are refused"
            + ("" if changed else ", as before")
        ],
    )
    if not active:
        screen.warn(
            "not active now: a container (DARTSCTL_GUARD=on insists), DARTSCTL_GUARD=off, a Python before 3.8, or one that does not start"
        )
    for other in others:
        if guards.read(other.site_packages) is None:
            screen.note(
                f"there is another one, {other.source}: dartsctl guard install --venv {other.path}"
            )
    return ExitCode.OK


def remove(request: GuardRequest, *, book: GuardBook, screen: Screen) -> ExitCode:
    """Remove the guard without a trace; nothing to remove is no error. Raises as `install`."""
    venv, others = _chosen(request)
    there = guards.read(venv.site_packages) is not None
    if request.dry_run:
        words = (
            f"would remove the guard from {venv.path}"
            if there
            else f"there is no guard in {venv.path}"
        )
        screen.result({**_document(venv, changed=False), "dry_run": True}, [words])
        return ExitCode.OK
    changed = guards.remove(venv.site_packages)
    book.forget(venv.path)
    screen.result(
        _document(venv, changed=changed), [f"removed the guard from {venv.path}"] if changed else []
    )
    if not changed:
        screen.note(f"there is no guard in {venv.path}")
    for other in others:
        if guards.read(other.site_packages) is not None:
            screen.note(
                f"there is one in another, {other.source}: dartsctl guard remove --venv {other.path}"
            )
    return ExitCode.OK


def status(request: GuardRequest, *, book: GuardBook, screen: Screen) -> ExitCode:
    """Every virtual environment that is found here, and every one of this machine that has a guard; other users' are only named."""
    states = _states(request, book)
    others = () if request.venv else book.of_others()
    if screen.as_json:
        guards_of_others = [asdict(record) for record in others]
        screen.document(
            {
                "ok": True,
                "exit_code": 0,
                "guards": [asdict(one) for one in states],
                "of_others": guards_of_others,
            }
        )
        return ExitCode.OK
    screen.table(
        ("VENV", "FOUND BY", "GUARD", "PORTS"),
        [(one.venv, one.source, _word(one), _listed(one.ports) or "-") for one in states],
    )
    if not states:
        screen.note("there is no virtual environment here, and no guard on this machine")
    elif not any(one.installed for one in states):
        screen.note("no guard is installed; to install it: dartsctl guard install")
    for record in others:
        screen.note(f"a guard of another user ({record.user}), not looked at: {record.venv}")
    for state in states:
        if state.damaged:
            screen.note(f"to mend it: dartsctl guard install --venv {state.venv}")
    return ExitCode.OK


def _owners(request: GuardRequest, installed: guards.Guard | None) -> Mapping[int, str]:
    """What the guard is to refuse."""
    return (
        request.owners
        if request.complete or installed is None
        else {**installed.ports, **request.owners}
    )


def _states(request: GuardRequest, book: GuardBook) -> list[GuardState]:
    here = (
        [venvs.at(request.venv, source="--venv")]
        if request.venv
        else list(venvs.find(request.folders, request.environ))
    )
    projects = {one.path: request.project for one in here}
    if not request.venv:
        for known in book.read():
            if known.venv not in projects and (venv := _still_there(known.venv)):
                here.append(venv)
            projects[known.venv] = known.project
    return [_state(venv, projects[venv.path], request) for venv in here]


def _still_there(path: Path) -> VirtualEnvironment | None:
    try:
        return venvs.at(path, source="installed before")
    except DartsctlError:
        return None


def _state(venv: VirtualEnvironment, project: str, request: GuardRequest) -> GuardState:
    guard = guards.read(venv.site_packages)
    if guard is None:
        return GuardState(
            str(venv.path),
            venv.source,
            project,
            installed=False,
            active=False,
            ports={},
            version=None,
            up_to_date=False,
            damaged=False,
        )
    fits = project != request.project or guard.ports == _owners(
        request, guard
    )  # another production's ports are not known here
    active = (
        bool(guard.ports)
        and not guard.damaged
        and guards.would_be_active(venv.python, venv.site_packages)
    )
    fine = guard.current and fits and not guard.damaged
    return GuardState(
        str(venv.path),
        venv.source,
        project,
        True,
        active,
        guard.ports,
        guard.version,
        up_to_date=fine,
        damaged=guard.damaged,
    )


def _chosen(request: GuardRequest) -> tuple[VirtualEnvironment, Sequence[VirtualEnvironment]]:
    """The one to act on, and the others that were found. Raises UsageError."""
    if request.venv:
        return venvs.at(request.venv, source="--venv"), ()
    found = venvs.find(request.folders, request.environ)
    if not found:
        conda = (
            "a conda environment is none: the guard goes into virtual environments alone; "
            if request.environ.get("CONDA_PREFIX")
            else ""
        )
        raise DartsctlError(
            f"there is no virtual environment in {' or '.join(map(str, dict.fromkeys(request.folders)))}",
            details=(
                "looked for: .venv, venv, env, UV_PROJECT_ENVIRONMENT, VIRTUAL_ENV, poetry's",
            ),
            hint=f"{conda}name it: --venv PATH",
        )
    return found[0], found[1:]


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
