"""What two stacks would share by a name in their files, and whose it is (edge-cases.md#89)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dartsctl.ports.shared import Neighbours, SharedResource, find, made_by_others
from dartsctl.records import replace
from dartsctl.stack.containers import PROJECT_LABEL, Container
from dartsctl.stack.model import Network, Service, Stack
from dartsctl.stack.subnets import NetworkInUse, Subnet

SERVICE_LABEL = "com.docker.compose.service"

STACK = Stack(
    "shop-dev",
    {
        "db": Service(
            "db",
            volumes=("data", "cache", "theirs"),
            networks={"back": 0},
            fixed_addresses={"back": ("172.29.1.5",)},
        ),
        "app": Service("app", networks={"back": 0}, image="shop/app:1", is_built=True),
    },
    {
        "back": Network("shop_back", subnets=(Subnet("172.29.1.0/24"),)),
        "outside": Network("outside", external=True, subnets=(Subnet("172.29.2.0/24"),)),
    },
    external_volumes={"theirs": "theirs"},
    own_volumes={"data": "shop_data", "cache": "npm-cache", "own": "shop-dev_own"},
)


def container(project: str, service: str, **more: object) -> Container:
    labels = {PROJECT_LABEL: project, SERVICE_LABEL: service}
    plain = Container(f"id-{service}", f"{project}-{service}", "x", "running", labels=labels)
    return replace(plain, **more)


def shared(
    *containers: Container,
    owners: Mapping[str, str] | None = None,
    networks: tuple[NetworkInUse, ...] = (),
    stack: Stack = STACK,
    base: str = "",
) -> dict[str, SharedResource]:
    """What is shared with the engine as it is, by the kind."""
    known = owners or {}
    neighbours = Neighbours(
        containers, {"shop"}, networks, base, owner=lambda _kind, name: known.get(name)
    )
    return {resource.kind: resource for resource in find(stack, neighbours)}


def test_what_production_made_is_shared_also_while_production_is_down() -> None:
    owners = {"shop_data": "shop", "shop_back": "shop", "shop/app:1": "shop"}
    resources = shared(owners=owners)
    assert {kind: resource.owner for kind, resource in resources.items()} == dict.fromkeys(
        ("volume", "network", "image"), "project shop"
    )
    assert [resource.instead for resource in resources.values()] == [
        "shop-dev_data",
        "shop-dev_back",
        "shop-dev-app",
    ]


def test_production_is_told_of_a_volume_or_image_that_another_environment_made_by_any_name() -> (
    None
):
    production = Stack(
        "shop",
        {
            "db": Service("db", volumes=("data", "logs"), image="postgres:16"),
            "app": Service("app", image="shop/app:1", is_built=True),
            "own": Service("own", image="shop/own:1", is_built=True),
            "off": Service("off", image="shop/off:1", is_built=True, replicas=0),
        },
        {},
        own_volumes={"data": "shop_data", "logs": "shop_logs", "unused": "shop_unused"},
    )
    made = {"shop_data": "shop-dev", "shop_logs": "shop", "shop_unused": "shop-dev"}
    made |= {"postgres:16": "shop-dev", "shop/app:1": "shop-dev", "shop/off:1": "shop-dev"}
    made |= {"shop/own:1": "shop"}
    neighbours = Neighbours((), {"shop-dev"}, owner=lambda _kind, name: made.get(name))
    assert [
        (made.kind, made.key, made.name, made.services, made.owner)
        for made in made_by_others(neighbours, production)
    ] == [
        ("volume", "data", "shop_data", ("db",), "project shop-dev"),
        ("image", "app", "shop/app:1", ("app",), "project shop-dev"),
    ]


def test_a_copy_of_the_stack_is_known_by_a_container_of_the_same_service() -> None:
    copy = container("elsewhere", "db", volumes=("shop_data",), networks=("shop_back",))
    resources = shared(copy)
    assert set(resources) == {"volume", "network"}
    assert resources["volume"].owner == "project elsewhere (container elsewhere-db)"
    assert resources["volume"].line == (
        "db would use the data of project elsewhere (container elsewhere-db): volume shop_data"
    )


@pytest.mark.parametrize(
    ("other", "owners"),
    [
        (container("tools", "worker", volumes=("npm-cache",)), {"npm-cache": "tools"}),
        (container("tools", "proxy", networks=("shop_back",)), {"shop_back": "tools"}),
        (container("shop-dev", "db", volumes=("shop_data",)), {"shop_data": "shop-dev"}),
        (container("", "", volumes=("shop_data",)), {"shop_data": ""}),
        (container("tools", "db", volumes=("theirs",)), {"theirs": "shop"}),
    ],
    ids=["a cache", "a proxy's network", "its own", "no project's", "external"],
)
def test_what_may_be_shared_by_intention_is_left_alone(
    other: Container, owners: Mapping[str, str]
) -> None:
    assert shared(other, owners=owners) == {}


def test_what_another_checkout_made_is_shared_also_while_that_is_down() -> None:
    owners = {"shop_data": "shop-dev-fix", "shop_back": "shop-development"}
    assert set(shared(owners=owners, base="shop-dev")) == {"volume"}
    assert shared(owners=owners) == {}


def test_an_image_is_shared_by_its_tag_only_where_this_stack_builds_it() -> None:
    theirs = container("shop", "web", image="shop/app:1")
    assert shared(theirs)["image"].line == (
        "a build of app would replace the image shop/app:1 of project shop (container shop-web)"
    )
    pulled = replace(STACK.services["app"], is_built=False)
    services = {**STACK.services, "app": pulled}
    assert shared(theirs, stack=replace(STACK, services=services)) == {}
    latest = replace(STACK.services["app"], image="shop/app")
    services = {**STACK.services, "app": latest}
    newest = container("shop", "web", image="shop/app:latest")
    assert set(shared(newest, stack=replace(STACK, services=services))) == {"image"}


@pytest.mark.parametrize(
    ("theirs", "is_taken"),
    [
        ("172.29.1.0/24", True),
        ("172.29.1.128/25", True),
        ("172.29.0.0/16", True),
        ("172.29.3.0/24", False),
        ("fd00::/64", False),
        ("nonsense", False),
    ],
)
def test_a_subnet_is_taken_where_another_network_has_a_part_of_it(
    theirs: str, is_taken: bool
) -> None:
    other = NetworkInUse("shop_other", "shop", (Subnet(theirs),))
    resources = shared(networks=(other,))
    assert ("subnet" in resources) is is_taken
    if is_taken:
        assert resources["subnet"].line == (
            "network back wants the subnet 172.29.1.0/24: project shop (network shop_other) has it"
        )
        assert resources["subnet"].move == (
            "network back has a free subnet instead of 172.29.1.0/24 and no fixed addresses"
        )


def test_the_subnet_of_a_network_that_exists_is_not_asked_for_again() -> None:
    existing = NetworkInUse("shop_back", "shop-dev", (Subnet("172.29.1.0/24"),))
    assert shared(networks=(existing,)) == {}
