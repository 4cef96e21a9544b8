"""Under which project name a stack exists, and which name it needs to stay the same stack.

Another name means other volumes: production would start with an empty database.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.records import record
from dartsctl.stack import compose_files
from dartsctl.text.phrases import relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dartsctl.stack.containers import Container

_ALIVE = ("running", "paused", "restarting")


@record
class Existing:
    """A project whose containers are of an environment's stack. `files`: where they come from."""

    project: str
    containers: tuple[Container, ...]
    files: tuple[str, ...]

    @property
    def is_running(self) -> bool:
        return any(container.state in _ALIVE for container in self.containers)

    def evidence(self, root: Path) -> str:
        """Return what is there: `6 containers of project darts run from docker-compose.yml`."""
        count = len(self.containers)
        words = "1 container" if count == 1 else f"{count} containers"
        verb = "runs" if count == 1 else "run"
        if not self.is_running:
            verb = "stopped,"
        files = ", ".join(relative(root, Path(file)) for file in self.files)
        return f"{words} of project {self.project} {verb} from {files}"


def existing_projects(
    stacks: Mapping[str, Sequence[Path]], containers: Sequence[Container]
) -> dict[str, list[Existing]]:
    """Return the projects of each environment that were started from its files, `stacks`.

    The files decide. Containers from files that several environments have belong to the one that
    has exactly these files, and to none where that does not tell.
    """
    owners = {name: _identities(files) for name, files in stacks.items()}
    projects: dict[str, list[Existing]] = {}
    by_origin: dict[tuple[str, tuple[str, ...]], list[Container]] = {}
    for container in containers:
        files = files_of(container)
        if container.project and files and not container.is_one_off:
            by_origin.setdefault((container.project, files), []).append(container)
    for (project, files), own in by_origin.items():
        name = _owner(owners, compose_files.identities(files))
        if name:
            projects.setdefault(name, []).append(Existing(project, tuple(own), files))
    return projects


def files_of(container: Container) -> tuple[str, ...]:
    """Return the Compose files of a container as absolute paths. Compose v1 wrote relative ones."""
    folder = Path(container.working_dir or "/")
    return tuple(str(folder / file) for file in container.own_config_files)


def _identities(files: Iterable[Path]) -> frozenset[str]:
    return compose_files.identities(map(str, files))


def _owner(owners: Mapping[str, frozenset[str]], files: frozenset[str]) -> str:
    """Return the environment whose files these are, empty where that does not tell."""
    exact = [name for name, own in owners.items() if own == files]
    if len(exact) == 1:
        return exact[0]
    special: set[str] = set()
    for file in files:
        having = [name for name, own in owners.items() if file in own]
        if len(having) == 1:
            special.update(having)
    return special.pop() if len(special) == 1 else ""


@record
class ProjectName:
    """The project name that an environment needs. `why`: the evidence for it."""

    name: str
    why: str = ""
    notes: tuple[str, ...] = ()


def production_name(
    composes: str, default: str, existing: Sequence[Existing], root: Path
) -> ProjectName:
    """Return production's project: the one that exists, else the one that Compose would use.

    `composes` is that name, empty if it is unknown.
    """
    if not existing:
        return ProjectName(composes or default, "as Compose itself names the project of its files")
    notes = tuple(project.evidence(root) for project in existing)
    chosen = chosen_of(existing, default)
    if chosen is None:
        names = ", ".join(project.project for project in existing)
        problem = f"which of {names} is production is unknown; [prod] project says it"
        return ProjectName(default, notes=(*notes, problem))
    return ProjectName(chosen.project, chosen.evidence(root), notes)


def dev_name(
    named: str, default: str, existing: Sequence[Existing], taken: str, root: Path
) -> ProjectName:
    """Return dev's project: one that exists, else one that its files name; never `taken`.

    `taken` is production's project. `named`: the name that the files say; empty where Compose
    derives it from a folder.
    """
    notes = tuple(project.evidence(root) for project in existing)
    chosen = chosen_of([project for project in existing if project.project != taken], default)
    if chosen:
        return ProjectName(chosen.project, chosen.evidence(root), notes)
    if named not in ("", taken):
        return ProjectName(named, "as its Compose files or COMPOSE_PROJECT_NAME name it", notes)
    if default == taken:
        return ProjectName(f"{taken}-dev", f"{taken} is production's", notes)
    return ProjectName(default, notes=notes)


def chosen_of(existing: Sequence[Existing], default: str) -> Existing | None:
    """Return the project that runs, or the only one; the default among several of a kind."""
    candidates = [project for project in existing if project.is_running] or list(existing)
    for project in candidates:
        if project.project == default:
            return project
    return candidates[0] if len(candidates) == 1 else None
