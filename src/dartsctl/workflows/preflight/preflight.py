"""The preflight: read the stack, the engine and this host, and say what `up` would meet.

It changes nothing.
"""

from __future__ import annotations

from functools import partial

from dartsctl.edges.host import sockets
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.ports import collisions, lint
from dartsctl.ports.attribution import Attribution
from dartsctl.ports.availability import Availability
from dartsctl.ports.collisions import Collision, ProjectTaken
from dartsctl.ports.conflicts import BindingVerdict, PortVerdicts, Verdict
from dartsctl.ports.host_ports import without_own
from dartsctl.ports.localhost import ambiguous_localhost
from dartsctl.ports.shared import SharedResource
from dartsctl.ports.unmet_needs import MissingExternal, NothingToStart, UnmetNeed
from dartsctl.ports.verdicts import judge
from dartsctl.records import field, record, replace
from dartsctl.stack.containers import Container, of_services
from dartsctl.stack.convergence import Convergence, converge, split_new_and_held
from dartsctl.stack.host_network import host_bindings
from dartsctl.stack.port_origins import PortOrigins
from dartsctl.stack.publishing import stack_bindings
from dartsctl.stack.same_stack import SameStack, find_same_stack
from dartsctl.workflows.preflight import fixed_addresses, orphans, shared_resources
from dartsctl.workflows.preflight.inputs import Inputs, Intent, files_of_compose, read_inputs
from dartsctl.workflows.preflight.port_origins import port_origins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from dartsctl.config.environment import Environment
    from dartsctl.config.secrets import Objection
    from dartsctl.edges.engine.compose import Compose
    from dartsctl.ports.holders import Holder
    from dartsctl.ports.notices import Notice
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.stack.engine_rules import EngineRules
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.host import Host


@record
class Preflight:
    """What is known about one `up` before it."""

    environment: Environment
    engine: EngineRules
    stack: Stack
    containers: tuple[Container, ...]
    """Every container of the engine, other projects included."""
    convergence: Convergence
    verdicts: PortVerdicts
    collisions: tuple[Collision, ...]
    notices: tuple[Notice, ...]
    objections: tuple[Objection, ...] = ()
    """What is unsafe about production, warnings included; empty for other environments."""
    files: tuple[Path, ...] = ()
    """The Compose files, including those that Compose found by itself."""
    services: tuple[str, ...] = ()
    """The services that were named; all without a name."""
    port_origins: PortOrigins = field(default_factory=PortOrigins)
    """Which file each `ports` entry comes from, where the stack is in its own way."""
    shared: tuple[SharedResource, ...] = ()
    """What it would share with another stack, images that are not built included."""
    files_error: DartsctlError | None = None
    """Why the files could not be read: the stack is what the containers' labels say."""

    @property
    def blocking_objections(self) -> tuple[Objection, ...]:
        """The objections that keep the stack from starting."""
        if not self.environment.refuses_unsafe:
            return ()
        return tuple(objection for objection in self.objections if not objection.is_warning)

    @property
    def another_stack(self) -> ProjectTaken | SameStack | None:
        """The stack that `up` would replace, or of which it would start a second copy."""
        for collision in self.collisions:
            if isinstance(collision, ProjectTaken | SameStack):
                return collision
        return None

    @property
    def unmet_needs(self) -> tuple[UnmetNeed, ...]:
        """What `up` cannot start without. No answer to a conflict changes it."""
        needs = (NothingToStart, MissingExternal)
        return tuple(need for need in self.collisions if isinstance(need, needs))

    @property
    def is_clear(self) -> bool:
        """Whether there is no conflict and no collision. An uncertain binding may be tried."""
        return not self.verdicts.conflicts and not self.collisions


def exit_code_of(preflight: Preflight) -> ExitCode:
    """Return the exit code of a preflight.

    A refusal goes before a conflict, and a conflict before an unmet need.
    """
    if preflight.another_stack or preflight.blocking_objections:
        return ExitCode.REFUSED
    if preflight.is_clear:
        return ExitCode.OK
    has_only_needs = len(preflight.unmet_needs) == len(preflight.collisions)
    if has_only_needs and not preflight.verdicts.conflicts:
        return ExitCode.FAILED
    return ExitCode.CONFLICT


def run_preflight(environment: Environment, intent: Intent, *, deps: Deps) -> Preflight:
    """Return the preflight of an `up` with `intent`.

    Raises DartsctlError if Compose cannot read the files, DockerUnavailable without an engine, and
    Refused if production's files require variables that nothing sets.
    """
    compose = deps.compose_on(environment)
    host = deps.host()  # before Compose is waited for: its modules are loaded meanwhile
    inputs, convergence = _read(environment, intent, compose, deps)
    compose.spare(_names_of(inputs.containers))
    files = environment.files or files_of_compose(environment, deps.environ)
    own_orphans, others = orphans.split(convergence.orphans, list(map(str, files)))
    verdicts = verdicts_of(inputs, convergence, host, own_orphans)
    origins = port_origins(environment, files, inputs.stack, verdicts, deps)
    shared = shared_resources.find(environment, inputs)
    return Preflight(
        environment=environment,
        engine=inputs.engine,
        stack=inputs.stack,
        containers=inputs.containers,
        convergence=convergence,
        verdicts=verdicts,
        collisions=(
            *_collisions(environment, inputs, convergence, list(map(str, files))),
            *shared_resources.in_the_way(environment, shared, builds=intent.build),
        ),
        notices=(
            *_notices(inputs, verdicts),
            *_ambiguous_localhost(inputs, convergence, verdicts, host),
            *lint.appended(inputs.stack, origins),
            *lint.shared_project(inputs.stack, others, str(_folder(files, environment))),
            *shared_resources.notices(environment, shared, builds=intent.build),
        ),
        objections=_objections(inputs, compose, deps.now()),
        files=files,
        services=intent.services,
        port_origins=origins,
        shared=shared,
    )


def without_shared(preflight: Preflight) -> Preflight:
    """Return the preflight of a start that creates nothing: nothing new is shared."""
    kept = tuple(item for item in preflight.collisions if not isinstance(item, SharedResource))
    return replace(preflight, collisions=kept)


def _read(
    environment: Environment, intent: Intent, compose: Compose, deps: Deps
) -> tuple[Inputs, Convergence]:
    """Return what there is, and which containers `up` would keep of it."""
    try:
        inputs = read_inputs(environment, intent, compose, deps, starts_hashes=True)
        return inputs, _converge(inputs, intent, compose)
    finally:
        compose.end_hashes()


def _converge(inputs: Inputs, intent: Intent, compose: Compose) -> Convergence:
    """Decide which containers `up` keeps. Compose is asked for hashes only if there are any."""
    stack = inputs.stack
    hashes: Mapping[str, str] = {}
    if of_services(inputs.containers, stack.project, stack.services):
        hashes = compose.hashes(tuple(stack.services))
    inactive = frozenset(
        container.service
        for container in inputs.containers
        if container.belongs_to(stack.project) and container.service not in stack.services
    )
    if intent.remove_orphans:
        inactive = compose.all_services() - stack.services.keys()
    elif inactive:  # without a list, nobody is called an orphan
        inactive &= orphans.services_of_files(compose) or inactive
    return converge(
        stack,
        inputs.containers,
        hashes,
        force_recreate=intent.force_recreate,
        remove_orphans=intent.remove_orphans,
        inactive=inactive,
    )


def _folder(files: Sequence[Path], environment: Environment) -> Path:
    """Return the folder of the Compose files, as their containers' labels have it."""
    return files[0].parent if files else environment.directory


def _names_of(containers: Sequence[Container]) -> set[str]:
    """Return the names that are shown even if a password is the same word."""
    names: set[str] = set()
    for container in containers:
        names |= {container.project, container.service, container.name}
    return names


def verdicts_of(
    inputs: Inputs, convergence: Convergence, host: Host, own_orphans: Sequence[Container] = ()
) -> PortVerdicts:
    """Judge every binding of the stack."""
    published = stack_bindings(inputs.stack, inputs.engine)
    on_host = host_bindings(inputs.stack)
    new, held = split_new_and_held(published.bindings, convergence)
    new += on_host.listened
    attribution = Attribution(
        inputs.stack,
        inputs.containers,
        host,
        orphans=own_orphans,
        reservations=host.reservations,
    )
    host.expect({port for binding in (*new, *on_host.exposed) for port in binding.numbers})
    judge_all = partial(
        judge,
        engine=inputs.engine,
        availability=_availability(inputs, convergence, host),
        attribute=attribution.holders,
        doubtful=published.uncertain,
    )
    # Apart from the others: what is exposed only may be listened on at another address.
    verdicts = (*judge_all(new, held=held), *judge_all(on_host.exposed))
    marked = tuple(_with_reservation(checked, inputs.stack.project, host) for checked in verdicts)
    return PortVerdicts(without_own(marked, convergence), published.unbound)


def _with_reservation(checked: BindingVerdict, project: str, host: Host) -> BindingVerdict:
    """Return a verdict that says where a free port is what our own watch reserves."""
    if checked.verdict is not Verdict.FREE or not host.has_met_reservations:
        return checked
    for endpoint in checked.binding.endpoints(checked.binding.first):
        if own := host.reservation_of(project, endpoint):
            return replace(checked, reservation=own.evidence)
    return checked


def _availability(inputs: Inputs, convergence: Convergence, host: Host) -> Availability:
    """Return what the engine could bind, with what this stack's own watch reserves."""
    reserved = partial(host.reserved_for, inputs.stack.project)
    return Availability(inputs.engine, convergence, host, reserved=reserved)


def _ambiguous_localhost(
    inputs: Inputs, convergence: Convergence, verdicts: PortVerdicts, host: Host
) -> tuple[Notice, ...]:
    """Return where `localhost` would mean this stack and somebody else."""
    availability = _availability(inputs, convergence, host)
    attribution = Attribution(inputs.stack, inputs.containers, host, reservations=host.reservations)

    def listeners_on(endpoint: Endpoint) -> Sequence[Holder]:
        obstacle = availability.obstacle(endpoint)
        if obstacle is None or not obstacle.certain:
            return ()
        if not obstacle.containers and not any(
            row.state == "listen" and row.overlaps(endpoint) for row in host.blockers(endpoint.port)
        ):
            return ()
        return attribution.holders(endpoint, obstacle)

    def heard_among(ports: Collection[int]) -> Collection[int]:
        heard = host.heard_among(ports)
        if heard is None:
            return ports
        listed = (at.port for container in inputs.containers for at in container.published)
        return heard.union(listed)

    if not inputs.engine.is_here:
        return ()
    return ambiguous_localhost(verdicts.bindings, listeners_on, heard_among=heard_among)


def _collisions(
    environment: Environment, inputs: Inputs, convergence: Convergence, files: Sequence[str]
) -> tuple[Collision, ...]:
    """Return the collisions. A project named on the command line may be another stack's."""
    seen = collisions.find(
        inputs.stack,
        inputs.containers,
        convergence,
        files,
        files_of_others=environment.files_of_others,
    )
    taken = fixed_addresses.find(inputs.stack, inputs.containers, convergence, inputs.control)
    seen = (*seen, *taken, *inputs.needs)
    if environment.project_named:
        return tuple(collision for collision in seen if not isinstance(collision, ProjectTaken))

    def wanted_ports(container: Container) -> tuple[int, ...] | None:
        if inputs.control is None:
            return None
        inspected = inputs.control.inspect(container.id)
        if inspected is None:  # removed since it was listed: it publishes nothing
            return ()
        return tuple(wanted.endpoint.port for wanted in inspected.facts.wanted)

    elsewhere = find_same_stack(
        inputs.stack,
        inputs.containers,
        files,
        siblings=environment.siblings,
        has_copies=environment.has_copies,
        wanted_ports=wanted_ports,
    )
    return (elsewhere, *seen) if elsewhere else seen


def _notices(inputs: Inputs, verdicts: PortVerdicts) -> tuple[Notice, ...]:
    ephemeral_range = sockets.ephemeral_range() if inputs.engine.is_here else None
    about_engine = lint.unmeasured_engine(inputs.engine)
    return about_engine + lint.notices(
        inputs.stack,
        verdicts.bindings,
        ephemeral_range=ephemeral_range,
        are_externals_checked=inputs.control is not None,
        containers=inputs.containers,
        restarting_wants=_ports_of_crash_loops(inputs),
    )


def _ports_of_crash_loops(inputs: Inputs) -> dict[str, tuple[int, ...]]:
    """Return the ports that containers in a crash loop will take when they start again.

    Between two starts they hold nothing (engine-rules.md#other-containers).
    """
    wanted: dict[str, tuple[int, ...]] = {}
    if inputs.control is None:
        return wanted
    for container in inputs.containers:
        if container.state == "restarting":
            inspected = inputs.control.inspect(container.id)
            if inspected:
                wanted[container.id] = inspected.fixed_ports
    return wanted


def _objections(inputs: Inputs, compose: Compose, now: float) -> tuple[Objection, ...]:
    if inputs.env_files is None:
        return ()
    from dartsctl.workflows.preflight.production_checks import objections_to

    return objections_to(
        inputs.env_files,
        inputs.stack,
        inputs.engine,
        written=compose.written_environments,
        now=now,
    )
