"""Which environments have a stack in a project's folder, and what Compose calls a plain one.

No Compose is asked here: every command reads the settings.
"""

from __future__ import annotations

import os

from dartsctl.config import conventional_names
from dartsctl.config.conventional_names import PRODUCTION
from dartsctl.config.listing import names_in, profiles_mentioned, project_name
from dartsctl.config.values import normal_project
from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from dartsctl.config.compose_variables import ComposeVariables


@record
class StacksHere:
    """The environments of a folder."""

    root: Path
    names: frozenset[str]
    """Those that the settings mention, or that have Compose files here; always dev."""
    compose: Mapping[str, ComposeVariables]
    plain_project: str
    """The project that `docker compose up` gives the dev stack here; empty if it is not plain."""
    plain_production: str
    """The same of a production whose file is the plain one; empty if it is another."""

    def default_project(self, environment: str, name: str, *, is_picked: bool) -> str:
        """Return the project of an environment that sets none; `name` is the settings' name.

        A plain stack is that of `docker compose up`, and keeps its name: its volumes belong to it.
        For dev, only without production beside it. `is_picked`: neither its files nor a name are
        in the settings.
        """
        own = self.compose[environment].project
        production = self.compose[PRODUCTION].project or name
        if is_picked and self.plain_production and not self.compose[PRODUCTION].project:
            production = self.plain_production
        if environment == PRODUCTION:
            return production
        has_production = PRODUCTION in self.names
        if own and not (has_production and own == production):
            return own
        if environment == "dev" and is_picked and not has_production and self.plain_project:
            return self.plain_project
        return f"{name}-{environment}"


def stacks_here(
    root: Path,
    declared: Collection[str],
    compose: Mapping[str, ComposeVariables],
    *,
    dev_files: Sequence[Path] | None = None,
) -> StacksHere:
    """Return the environments of `root`; `declared`: those that the settings mention.

    `dev_files`: what the settings name for dev.
    """
    listed = names_in(root)
    names = {"dev", *declared}
    named = named_for_dev(root, dev_files, compose["dev"])
    if _has_production(root, listed, compose[PRODUCTION], named):
        names.add(PRODUCTION)
    production = conventional_names.plain_of_production(listed, named)
    return StacksHere(
        root,
        frozenset(names),
        compose,
        plain_project=_plain_project(root, listed, compose["dev"]),
        plain_production=_composes_project(root, production),
    )


def named_for_dev(
    root: Path, configured: Sequence[Path] | None, compose: ComposeVariables
) -> tuple[str, ...]:
    """Return the files that the settings, else COMPOSE_FILE, name for dev, relative to the root."""
    files = configured or [root / file for file in compose.files]
    return tuple(os.path.relpath(file, root) for file in files)


def _has_production(
    root: Path, listed: Collection[str], compose: ComposeVariables, dev_files: Collection[str]
) -> bool:
    if compose.files or conventional_names.specific_files(PRODUCTION, listed):
        return True
    if conventional_names.plain_of_production(listed, dev_files):
        return True
    plain = [root / file for file in conventional_names.plain_files(listed)[:1]]
    return bool(profiles_mentioned(plain, conventional_names.profile_words(PRODUCTION)))


def _plain_project(root: Path, listed: Collection[str], compose: ComposeVariables) -> str:
    files = compose.files
    if not files:
        if conventional_names.specific_files("dev", listed):
            return ""
        files = conventional_names.plain_files(listed)
    return _composes_project(root, files)


def _composes_project(root: Path, files: Collection[str]) -> str:
    """Return what Compose calls the project of files in the root; empty for those elsewhere."""
    paths = [root / file for file in files]
    if not paths or paths[0].parent != root:
        return ""
    return project_name(paths) or normal_project(root.name)
