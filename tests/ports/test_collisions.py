"""What else breaks an `up` or harms somebody: names, project names, paused containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.ports.collisions import Collision, NameTaken, Paused, ProjectTaken, find
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import converge
from dartsctl.stack.model import Service, Stack
from fakes.kernel import container

FILES = ("/srv/demo/compose.yml",)


def collisions(
    *containers: Container,
    services: tuple[Service, ...] = (Service("web"),),
    files: tuple[str, ...] = FILES,
) -> tuple[Collision, ...]:
    stack = Stack("demo", {service.name: service for service in services}, {})
    return find(stack, containers, converge(stack, containers, {"web": "same"}), files)


NAMED = (Service("web", container_name="front"),)


@pytest.mark.parametrize(
    "holder",
    [
        container("other", "web", name="front"),
        container("demo", "api", name="front"),
        container("demo", "web", name="front", one_off=True),
        container("other", "web", name="front", state="exited"),
        Container("1", "front", "busybox", "created"),
    ],
    ids=["another project", "another service", "a one-off", "stopped", "without labels"],
)
def test_a_container_name_that_somebody_else_has_is_taken(holder: Container) -> None:
    assert collisions(holder, services=NAMED) == (NameTaken("web", holder),)


def test_the_services_own_container_may_have_its_name() -> None:
    assert collisions(container("demo", "web", name="front"), services=NAMED) == ()


def test_composes_own_names_may_be_taken_too() -> None:
    holder, far = (
        Container("1", "demo-web-1", "busybox", "exited"),
        Container("2", "demo-web-3", "b", ""),
    )
    assert collisions(holder, far) == (NameTaken("web", holder, is_default=True),)
    replicas = (Service("web", replicas=3),)
    assert len(collisions(holder, far, services=replicas)) == 2
    assert collisions(holder, services=(Service("web", replicas=0),)) == ()


def test_compose_counts_on_from_the_containers_that_exist() -> None:
    own = container("demo", "web", number=2)
    first, third = (Container(name, name, "b", "exited") for name in ("demo-web-1", "demo-web-3"))
    assert collisions(own, first, third) == (), "nothing new is made"
    services = (Service("web", replicas=2),)
    taken = (NameTaken("web", third, is_default=True),)
    assert collisions(own, first, third, services=services) == taken


def test_a_service_that_is_not_started_takes_no_name() -> None:  # edge-cases.md#55
    assert (
        collisions(
            container("other", "web", name="front"),
            services=(Service("web", container_name="front", replicas=0),),
        )
        == ()
    )


def test_a_service_without_a_fixed_name_never_collides() -> None:
    assert collisions(container("other", "web", name="")) == ()


def test_other_files_under_the_same_project_name_are_another_stack() -> None:  # edge-cases.md#37
    theirs = container("demo", "web", files="/srv/production/compose.yml,/srv/production/tls.yml")
    (collision,) = collisions(theirs)
    assert collision == ProjectTaken(
        "demo", (theirs,), ("/srv/production/compose.yml", "/srv/production/tls.yml"), "/srv/demo"
    )


@pytest.mark.parametrize(
    "files",
    ["/srv/demo/compose.yml", "/srv/demo/compose.yml,/srv/demo/override.yml"],
    ids=["the same", "with an overlay"],
)
def test_one_file_in_common_makes_it_our_own_stack(files: str) -> None:
    assert collisions(container("demo", "web", files=files)) == ()


def test_an_overlay_of_another_environment_makes_it_another_stack() -> None:
    dev = container("demo", "web", files="/srv/demo/compose.yml,/srv/demo/compose.dev.yml")
    stack = Stack("demo", {"web": Service("web")}, {})
    convergence = converge(stack, [dev], {"web": "other"})
    files_of_others = ("/srv/demo/compose.dev.yml",)
    (collision,) = find(stack, [dev], convergence, FILES, files_of_others=files_of_others)
    assert isinstance(collision, ProjectTaken), "production would go on with its volumes"


def test_stopped_containers_count_as_the_other_stack_too() -> None:
    theirs = container("demo", "web", files="/srv/production/compose.yml", state="exited")
    assert collisions(theirs) == (
        ProjectTaken("demo", (theirs,), ("/srv/production/compose.yml",), "/srv/demo"),
    )


@pytest.mark.parametrize(
    "bystander",
    [
        container("other", "web", files="/srv/other/compose.yml"),
        container(
            "demo",
            "web",
            files="/srv/production/compose.yml",
            one_off=True,
            name="demo-web-run-1",
        ),
    ],
    ids=["another project", "a one-off"],
)
def test_neither_another_project_nor_a_one_off_takes_the_name(bystander: Container) -> None:
    assert collisions(bystander) == ()


def test_two_folders_may_share_a_project_as_long_as_no_service_is_in_both() -> None:
    theirs = container("demo", "worker", files="/srv/other/compose.yml")
    stack = Stack("demo", {"web": Service("web")}, {})
    assert find(stack, [theirs], converge(stack, [theirs], {}), FILES) == ()
    (collision,) = find(stack, [theirs], converge(stack, [theirs], {}, remove_orphans=True), FILES)
    assert isinstance(collision, ProjectTaken), "it would be removed as an orphan"
    assert (
        find(
            stack,
            [theirs],
            converge(stack, [theirs], {}, remove_orphans=True, inactive=("worker",)),
            FILES,
        )
        == ()
    )


def test_an_override_of_moved_ports_in_common_does_not_make_two_stacks_one() -> None:
    override = "/home/dev/state/overrides/demo.yml"
    theirs = container("demo", "web", files=f"/srv/production/compose.yml,{override}")
    (collision,) = collisions(theirs, files=(*FILES, override))
    assert isinstance(collision, ProjectTaken)
    assert collision.config_files == ("/srv/production/compose.yml",)


def test_a_symbolic_link_to_our_file_is_our_file(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").touch()
    (tmp_path / "link.yml").symlink_to("compose.yml")
    assert (
        collisions(
            container("demo", "web", files=str(tmp_path / "link.yml")),
            files=(str(tmp_path / "compose.yml"),),
        )
        == ()
    )


def test_without_files_of_our_own_nothing_can_be_compared() -> None:
    assert collisions(container("demo", "web", files="/srv/production/compose.yml"), files=()) == ()


def test_a_paused_container_that_up_would_keep_is_in_its_way() -> None:
    paused = container("demo", "web", state="paused")
    assert collisions(paused) == (Paused(paused),)
    assert collisions(container("demo", "web", state="paused", config_hash="other")) == ()
    assert collisions(container("other", "web", state="paused")) == ()
