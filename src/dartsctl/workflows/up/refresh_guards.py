"""Update the guards of production's checkouts with the ports that its stack publishes now."""

from __future__ import annotations

from dartsctl.errors import DartsctlError, UsageError
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dartsctl.edges.screen.output import Screen
    from dartsctl.edges.state.guard_book import GuardBook
    from dartsctl.ports.allocation import Allocation
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.inputs import Intent
    from dartsctl.workflows.preflight.preflight import Preflight


def refresh_guards(
    preflight: Preflight, intent: Intent, documented: Allocation | None, *, deps: Deps
) -> None:
    """Update the guards after a preflight of the whole production stack.

    A failure is shown with --verbose and does not stop the verb. A guard that is gone (no virtual
    environment, or a new one without it) is reported once, then forgotten.
    """
    if documented is None or not preflight.environment.is_production:
        return
    if intent.services or preflight.another_stack:
        return
    from dartsctl.edges.state.guard_book import GuardBook

    owners = documented.united_with(preflight.stack.published_ports).owners
    try:
        book = GuardBook(deps.state)
        for guard in book.read():
            if guard.project == preflight.environment.project:
                _refresh(guard.venv, owners, book, deps.screen)
    except DartsctlError as error:
        deps.screen.detail(f"guards not updated: {error.message}")


def _refresh(path: Path, owners: Mapping[int, str], book: GuardBook, screen: Screen) -> None:
    from dartsctl.edges.project import guards, venvs

    try:
        venv = venvs.at(path, source="guard")
    except UsageError:
        book.forget(path)
        return
    try:
        if not guards.is_installed(venv.site_packages):
            book.forget(path)
            command = shell_command("dartsctl", "guard", "install", "--venv", path)
            screen.warn(f"the guard in {path} is gone; to reinstall it: {command}")
        elif guards.install(venv.site_packages, owners):
            ports = ", ".join(str(port) for port in sorted(owners))
            screen.detail(f"the guard in {path} now refuses {ports}")
    except DartsctlError as error:
        screen.detail(f"guard in {path} not updated: {error.message}")
