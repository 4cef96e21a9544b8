"""What a dev stack shares with production: each kind is seen, and what Compose separates is not."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.discovery.dev_stack.shared_with_production import Shared, shared_with
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.model import Stack


def stack(services: dict[str, Any], project: str = "shop", **more: Any) -> Stack:
    return read_stack({"name": project, "services": services, **more})


def port(number: int, protocol: str = "tcp", target: int = 80) -> dict[str, Any]:
    return {"target": target, "published": str(number), "protocol": protocol, "mode": "ingress"}


def mount(source: str, target: str, **more: Any) -> dict[str, Any]:
    return {"type": "bind", "source": source, "target": target, **more}


DATABASE = {"image": "postgres:16"}


def test_container_names_and_host_ports() -> None:
    production = stack({"db": {**DATABASE, "container_name": "shop-db", "ports": [port(5432)]}})
    dev = stack({"database": {**DATABASE, "container_name": "shop-db", "ports": [port(5432)]}})
    shared = shared_with(production, dev)
    assert shared == Shared(names=("database",), ports=("database",))
    assert shared.words() == "container names, host ports"


def test_the_same_number_of_another_protocol_is_another_port() -> None:
    production = stack({"dns": {"image": "x", "ports": [port(53, "udp")]}})
    assert shared_with(production, stack({"dns": {"image": "x", "ports": [port(53)]}})).is_nothing


def test_a_number_inside_a_range_is_shared() -> None:
    wide = {"target": 80, "published": "8000-8010", "protocol": "tcp"}
    production = stack({"web": {"image": "x", "ports": [wide]}})
    dev = stack({"web": {"image": "x", "ports": [port(8005)]}})
    assert shared_with(production, dev).ports == ("web",)


@pytest.mark.parametrize("is_external", [False, True])
def test_volumes_and_networks_with_the_same_name_are_one(is_external: bool) -> None:
    entry = {"name": "shop_shared", "external": is_external}
    production = stack({"db": DATABASE}, volumes={"data": entry}, networks={"back": entry})
    dev = stack({"db": DATABASE}, "other", volumes={"pg": entry}, networks={"net": entry})
    shared = shared_with(production, dev)
    assert (shared.volumes, shared.networks) == (("pg",), ("net",))
    own = {**entry, "name": "shop_dev"}
    dev = stack({"db": DATABASE}, "other", volumes={"data": own}, networks={"back": own})
    assert shared_with(production, dev).is_nothing


def test_names_that_compose_derives_from_the_project_are_not_shared() -> None:
    """Both are resolved under the folder's name; `dev` is started under another one."""
    own: dict[str, Any] = {
        "volumes": {"data": {"name": "shop_data"}},
        "networks": {"back": {"name": "shop_back"}},
    }
    assert shared_with(stack({"db": DATABASE}, **own), stack({"db": DATABASE}, **own)).is_nothing


def test_networks_with_overlapping_addresses() -> None:
    def network(*subnets: str) -> dict[str, Any]:
        return {"name": "shop_back", "ipam": {"config": [{"subnet": text} for text in subnets]}}

    production = stack({"db": DATABASE}, networks={"back": network("172.30.0.0/16", "fd00::/64")})
    inside = stack({"db": DATABASE}, networks={"back": network("172.30.9.0/24")})
    outside = stack({"db": DATABASE}, networks={"back": network("172.31.9.0/24", "fd01::/64")})
    assert shared_with(production, inside).subnets == ("back",)
    assert shared_with(production, outside).is_nothing


def test_a_build_that_would_replace_productions_image() -> None:
    built = {"build": {"context": "."}, "image": "shop/app:1"}
    production = stack({"app": built, "db": DATABASE})
    shared = shared_with(production, stack({"app": built, "db": DATABASE}))
    assert shared.images == ("app",)


def test_a_data_folder_of_the_host_is_shared_and_a_configuration_is_not() -> None:
    """Two databases that write one folder destroy it."""
    volumes = [
        mount("/srv/shop/pg", "/var/lib/postgresql/data"),
        mount("/srv/shop/init.sql", "/docker-entrypoint-initdb.d/init.sql"),
        mount("/srv/shop/seed", "/var/lib/postgresql/seed", read_only=True),
    ]
    database = {**DATABASE, "volumes": volumes}
    shared = shared_with(stack({"db": database}), stack({"db": database}))
    assert [(name, folder.target) for name, folder in shared.folders] == [
        ("db", "/var/lib/postgresql/data")
    ]
    assert shared.words() == "data folders"
    own = {**DATABASE, "volumes": [mount("/srv/shop/dev", "/var/lib/postgresql/data")]}
    assert shared_with(stack({"db": database}), stack({"db": own})).is_nothing


def test_a_stack_with_nothing_of_productions() -> None:
    production = stack({"db": {**DATABASE, "container_name": "shop-db", "ports": [port(5432)]}})
    dev = stack({"db": {**DATABASE, "container_name": "shop-dev-db", "ports": [port(15432)]}})
    shared = shared_with(production, dev)
    assert shared.is_nothing
    assert shared.words() == ""


def test_a_service_on_the_hosts_network_publishes_nothing_that_could_move() -> None:
    own = {"image": "x", "network_mode": "host", "expose": ["8080"]}
    production = stack({"web": {"image": "x", "ports": [port(8080)]}, "agent": own})
    assert shared_with(production, stack({"agent": own})).is_nothing
