"""What a stack would share with another one, as the engine knows it."""

from __future__ import annotations

from dartsctl.ports import shared
from dartsctl.ports.notices import Notice
from dartsctl.ports.shared import Neighbours, SharedResource
from dartsctl.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.workflows.preflight.inputs import Inputs


def find(environment: Environment, inputs: Inputs) -> tuple[SharedResource, ...]:
    """Return what the stack would share.

    Production, and files without settings, keep the names of their files: only a subnet that the
    engine would refuse is in their way. Production is told of data and images that another
    environment made.
    """
    stack, control = inputs.stack, inputs.control
    networks = control.networks() if control and _declares_subnets(inputs) else ()
    if not environment.has_copies and not environment.is_production:
        return tuple(shared.subnets_taken(stack, networks))
    base = environment.copy_of or stack.project
    neighbours = Neighbours(inputs.containers, environment.siblings, networks, base)
    if control:
        neighbours = replace(neighbours, owner=control.owner)
    if environment.has_copies:
        return tuple(shared.find(stack, neighbours))
    subnets = shared.subnets_taken(stack, networks)
    return (*shared.made_by_others(neighbours, stack), *subnets)


def _declares_subnets(inputs: Inputs) -> bool:
    return any(network.subnets for network in inputs.stack.networks.values())


def in_the_way(
    environment: Environment, resources: Sequence[SharedResource], *, builds: bool
) -> tuple[SharedResource, ...]:
    """Return what keeps `up` from starting. An image is replaced only by a build."""
    if not environment.has_copies:
        return tuple(resource for resource in resources if resource.kind == "subnet")
    return tuple(resource for resource in resources if builds or resource.kind != "image")


def notices(
    environment: Environment, resources: Sequence[SharedResource], *, builds: bool
) -> list[Notice]:
    """Return the warnings: images that a later build would replace, data of another stack."""
    warnings: list[Notice] = []
    for resource in resources:
        if resource.kind == "volume" and environment.is_production:
            sentence = (
                f"volume {resource.name} was made by {resource.owner}: it has that one's data"
            )
            warnings.append(Notice("shared-volume", resource.services[0], sentence))
        if resource.kind == "image" and environment.is_production and not builds:
            sentence = (
                f"image {resource.name} was built by {resource.owner}: `--build` builds this one's"
            )
            warnings.append(Notice("shared-image", resource.key, sentence))
        elif resource.kind == "image" and not builds:
            sentence = (
                f"{resource.owner} has the same image {resource.name}: `--build` would replace it"
            )
            warnings.append(Notice("shared-image", resource.key, sentence))
    return warnings
