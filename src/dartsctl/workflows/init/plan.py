"""Plan what `init` has to write. Reads, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.discovery.changes import PRIVATE
from dartsctl.discovery.settings_text import merged
from dartsctl.edges.project import env_files
from dartsctl.errors import Advice, UsageError
from dartsctl.records import record
from dartsctl.workflows.init.build_contexts import find_docker_ignored
from dartsctl.workflows.init.bundled import find_bundled
from dartsctl.workflows.init.certificate import find_certificate
from dartsctl.workflows.init.dev_stack import find_dev_stack, without_override
from dartsctl.workflows.init.env_files import find_env_files
from dartsctl.workflows.init.ignore_files import find_ignored
from dartsctl.workflows.init.literals import find_literals
from dartsctl.workflows.init.production import find_production_ports, find_wait_timeouts
from dartsctl.workflows.init.read_project import read_project
from dartsctl.workflows.init.refusals import refuse_empty, refuse_frameworks
from dartsctl.workflows.init.running_project import find_projects
from dartsctl.workflows.init.server import find_app, find_server
from dartsctl.workflows.init.server_env import find_server_env
from dartsctl.workflows.init.settings_file import plan_settings
from dartsctl.workflows.init.stack_settings import find_stacks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.discovery.changes import Change
    from dartsctl.discovery.proposal import Proposal, ProposedSetting, Task
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.init.project import InitRequest, Project


@record
class InitPlan:
    """Every file that is needed, in the order of writing; files that are kept are included."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...] = ()
    """What was found, as sentences with their evidence."""
    settings: tuple[ProposedSetting, ...] = ()
    tasks: tuple[Task, ...] = ()
    """What is left to a person."""
    environments: tuple[str, ...] = ()
    """Those that have services."""

    @property
    def new(self) -> tuple[Change, ...]:
        """The changes that write something."""
        return tuple(change for change in self.changes if change.action != "keep")

    @property
    def is_incomplete(self) -> bool:
        """Whether something is to be written, or a person has to do something first."""
        gaps = any(change.to_fill_in or change.missing for change in self.changes)
        return bool(self.new) or gaps or any(task.is_required for task in self.tasks)


def plan(request: InitRequest, *, deps: Deps) -> InitPlan:
    """Return what there is to write, and what already exists.

    Raises UsageError where several Compose files could belong to an environment, and for an
    unreadable file.
    """
    if request.settings.source and any(request.named.values()):
        raise UsageError(
            f"settings already exist: {request.settings.source}",
            hint=Advice('add the files there: [prod] files = ["FILE"]'),
        )
    project = read_project(request, deps=deps)
    plain = without_override(project)
    app = find_app(plain)
    refuse_frameworks(app, request.settings)
    server = find_server(plain, app)
    refuse_empty(project, server)
    proposal = find_bundled(project)
    proposal += find_projects(project)
    dev = find_dev_stack(project, plain, app)
    server += find_server_env(app, plain, dev.project)
    project = dev.project
    literals = find_literals(project)
    proposal += literals.proposal + dev.proposal
    proposal += find_stacks(project, proposal.settings)
    proposal += find_production_ports(project) + find_wait_timeouts(project)
    proposal += server
    env = find_env_files(project, literals.facts)
    proposal += env + _find_private(project, env)
    settings = merged(proposal.settings)
    proposal = plan_settings(project, settings) + proposal
    return InitPlan(
        changes=proposal.changes,
        notes=proposal.notes,
        settings=settings,
        tasks=proposal.tasks,
        environments=project.environments,
    )


def _find_private(project: Project, env: Proposal) -> Proposal:
    """Return the certificates, and what keeps them and the env files out of git and images."""
    certificate = find_certificate(project, _values(env, project.deps.environ))
    keys = [change for change in certificate.changes if change.mode == PRIVATE]
    private = [*env.changes, *keys]
    proposal = certificate + find_ignored(project.root, private)
    return proposal + find_docker_ignored(project, [change.path for change in private])


def _values(env: Proposal, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the env files, planned or kept; the environment wins."""
    values: dict[str, str] = {}
    for change in env.changes:
        values |= _values_of(change, environ)
    return values | dict(environ)


def _values_of(change: Change, environ: Mapping[str, str]) -> dict[str, str]:
    if change.action in ("create", "edit"):
        return env_files.values_in(change.text)
    try:
        entries = env_files.read((change.path,), environ)
    except UsageError:
        return {}
    return {name: entry.value for name, entry in entries.items()}
