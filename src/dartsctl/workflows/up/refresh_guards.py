"""The step that brings the guards of production's checkouts up to date with what its stack publishes now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dartsctl.edges.project import guards, venvs
from dartsctl.edges.screen.output import Screen
from dartsctl.edges.state.guard_book import GuardBook
from dartsctl.errors import DartsctlError, UsageError
from dartsctl.ports.allocation import Allocation
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.up.preflight import Intent, Preflight


def refresh_guards(
    preflight: Preflight, intent: Intent, documented: Allocation | None, *, deps: Deps
) -> None:
    """Bring the guards of this production's checkouts up to date with what its whole stack publishes now; never a reason to fail.

    A guard whose virtual environment has gone, or was made anew without it, is told once and then forgotten.
    """
    if (
        documented is None
        or not preflight.environment.is_production
        or intent.services
        or preflight.another_stack
    ):
        return
    owners = documented.united_with(preflight.stack.published_ports).owners
    try:
        book = GuardBook(deps.state)
        for known in book.read():
            if known.project == preflight.environment.project:
                _refresh(known.venv, owners, book, deps.screen)
    except DartsctlError as error:
        deps.screen.detail(f"the guards were not brought up to date: {error.message}")


def _refresh(path: Path, owners: Mapping[int, str], book: GuardBook, screen: Screen) -> None:
    try:
        venv = venvs.at(path, source="guard")
    except UsageError:
        book.forget(path)
        return
    try:
        if not guards.is_installed(venv.site_packages):
            book.forget(path)
            screen.warn(
                f"the guard in {path} has gone; to install it again: dartsctl guard install --venv {path}"
            )
        elif guards.install(venv.site_packages, owners):
            screen.detail(f"the guard in {path} now refuses {', '.join(map(str, sorted(owners)))}")
    except DartsctlError as error:
        screen.detail(f"the guard in {path} was not brought up to date: {error.message}")
