"""The override file: numbers that nobody else has, the same each time; and what Compose reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dartsctl.config.environment import adhoc
from dartsctl.discovery.dev_stack.dev_override import (
    HEADER,
    LOOPBACK,
    Numbers,
    lacks_ports,
    new_ports,
    override_text,
)
from dartsctl.discovery.dev_stack.needed_services import DevServices, services_for_development
from dartsctl.discovery.dev_stack.shared_with_production import (
    Shared,
    published_by,
    shared_with,
)
from dartsctl.edges.engine.compose import Compose
from dartsctl.records import replace
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.model import Stack
from real_engine import has_compose


def stack(services: dict[str, Any], **more: Any) -> Stack:
    return read_stack({"name": "shop", "services": services, **more})


def port(published: str, target: int, **more: Any) -> dict[str, Any]:
    return {"target": target, "published": published, "protocol": "tcp", **more}


def free(_protocol: str, _port: int) -> bool:
    return True


FREE = Numbers(frozenset({5432, 5672, 15672, *range(5001, 5100)}), free)
QUEUE = {"image": "rabbitmq", "ports": [port("5672", 5672), port("15672", 15672)]}


def shown(dev: Stack, services: DevServices, numbers: Numbers = FREE) -> dict[str, list[str]]:
    ports = new_ports(dev, services, shared_with(dev, dev), numbers)
    return {name: [str(entry) for entry in entries] for name, entries in ports.items()}


def test_productions_ports_get_other_numbers_on_loopback_the_same_each_time() -> None:
    dev = stack({"queue": QUEUE})
    services = services_for_development(dev, [])
    first = shown(dev, services)
    assert first == {"queue": ["127.0.0.1:31672:5672/tcp", "127.0.0.1:25672:15672/tcp"]}
    assert shown(dev, services) == first


def test_two_projects_have_different_numbers_with_the_same_end() -> None:
    dev = stack({"queue": QUEUE})
    services = services_for_development(dev, [])
    other = shown(dev, services, replace(FREE, shift=3000))
    assert other == {"queue": ["127.0.0.1:18672:5672/tcp", "127.0.0.1:28672:15672/tcp"]}


def test_a_number_that_is_in_use_is_left_to_whoever_has_it() -> None:
    dev = stack({"queue": QUEUE})
    busy = replace(FREE, is_free=lambda _protocol, number: number != 31672)
    assert shown(dev, services_for_development(dev, []), busy)["queue"][0] == (
        "127.0.0.1:31673:5672/tcp"
    )


def test_the_numbers_of_an_earlier_override_stay_even_while_the_dev_stack_has_them() -> None:
    dev = stack({"queue": QUEUE})
    busy = replace(FREE, is_free=lambda _protocol, number: number != 20000)
    kept = replace(busy, kept={("queue", 5672, "tcp"): 20000, ("queue", 15672, "tcp"): 5007})
    ports = shown(dev, services_for_development(dev, []), kept)["queue"]
    assert ports == ["127.0.0.1:20000:5672/tcp", "127.0.0.1:25672:15672/tcp"]


def test_a_number_of_its_own_stays_and_only_moves_to_loopback() -> None:
    entries = [port("5432", 5432), port("18432", 8432), port("", 9999)]
    dev = stack({"db": {"image": "postgres", "ports": entries}})
    ports = shown(dev, services_for_development(dev, []))["db"]
    assert ports == [
        "127.0.0.1:31432:5432/tcp",
        "127.0.0.1:18432:8432/tcp",
        "127.0.0.1:9999/tcp",
    ]


def test_two_entries_for_two_addresses_become_one_number() -> None:
    both = [port("5432", 5432, host_ip="10.0.0.1"), port("5432", 5432, host_ip="127.0.0.1")]
    dev = stack({"db": {"image": "postgres", "ports": both}})
    assert shown(dev, services_for_development(dev, []))["db"] == ["127.0.0.1:31432:5432/tcp"]


def test_a_database_without_a_port_is_published_for_a_server_on_the_host() -> None:
    dev = stack(
        {
            "app": {"build": {"context": "."}, "depends_on": ["db", "queue"]},
            "db": {"image": "postgres"},
            "queue": {"image": "rabbitmq", "ports": [port("15672", 15672)]},
            "host-cache": {"image": "redis", "network_mode": "host"},
        }
    )
    services = services_for_development(dev, ["app"])
    assert lacks_ports(dev, services) == ("db", "queue")
    ports = new_ports(dev, services, Shared(), FREE)
    published = {entry.target: entry.host_ip for entries in ports.values() for entry in entries}
    assert published == {5432: LOOPBACK, 5672: LOOPBACK, 15672: LOOPBACK}
    assert all(entry.span[0] not in FREE.reserved for own in ports.values() for entry in own)


def test_the_file_says_who_wrote_it_and_how_to_start_the_rest() -> None:
    dev = stack({"app": {"build": {"context": "."}}, "db": {"image": "postgres"}})
    services = services_for_development(dev, ["app"])
    text = override_text(dev, services, Shared(), {}, over="compose.yaml")
    assert text.startswith(f"{HEADER}: what the dev stack has of its own, over compose.yaml.\n")
    assert "#   app: runs on the host\n" in text
    assert "dartsctl dev up --profile NAME" in text


BASE = """
name: shop
services:
  db:
    image: postgres:16
    container_name: shop-db
    ports: ["5432:5432"]
    networks: {back: {ipv4_address: 172.30.9.4, aliases: [database]}}
    volumes: ["fixed:/extra", "outside:/more", "./pg:/var/lib/postgresql/data"]
  "no":
    image: redis:7
    ports: ["6379:6379/tcp", "6379:6379/udp"]
  idp:
    image: quay.io/keycloak/keycloak
    ports: ["9443:9443"]
    profiles: [all]
  app:
    build: .
    image: registry.example.org:5000/shop/app
    environment: {REDIS: "redis://no:6379"}
    depends_on: [db, idp]
  web:
    image: nginx
    container_name: shop-web
    environment: {DATABASE: "postgres://shop-db/x"}
    ports: ["80:80"]
    depends_on: [app]
networks:
  back: {name: shared-net, ipam: {config: [{subnet: 172.30.9.0/24}]}}
  edge: {name: proxy-net, external: true}
volumes:
  fixed: {name: shop-fixed}
  outside: {name: shop-outside, external: true}
"""


@pytest.mark.skipif(not has_compose(), reason="needs Compose")
def test_compose_reads_a_stack_that_shares_nothing(tmp_path: Path) -> None:
    """Every kind of sharing at once: with the override nothing is left of any."""
    base, override = tmp_path / "compose.yaml", tmp_path / "compose.dartsctl.yaml"
    base.write_text(BASE)
    production = resolved(base, profiles=("all",))
    services = services_for_development(production, ["app"], of_production=True)
    shared = shared_with(production, production)
    assert shared.words() == (
        "container names, host ports, image tags, data folders, volumes, networks"
    )
    reserved = {number for _, number in published_by(production)}
    ports = new_ports(production, services, shared, Numbers(reserved, free))
    override.write_text(override_text(production, services, shared, ports, over=base.name))

    dev = resolved(base, override)
    assert set(dev.services) == {"db", "no"}
    assert dev.services["db"].volumes == ("fixed", "outside", "db-data")
    networks = Compose(adhoc(files=(base, override), directory=tmp_path)).config().model
    aliases = networks["services"]["db"]["networks"]["back"]["aliases"]
    assert aliases == ["database", "shop-db"]
    for profiles in ((), ("app",), ("web",), ("*",)):
        dev = resolved(base, override, profiles=profiles)
        assert shared_with(production, dev).is_nothing, profiles
        assert not lacks_ports(dev, services)
    assert dev.services["app"].image == ""
    assert set(resolved(base, override, profiles=("idp",)).services) == {"db", "no", "idp"}
    assert set(resolved(base, override, profiles=("app",)).services) == {
        "db",
        "no",
        "idp",
        "app",
    }


def resolved(*files: Path, profiles: tuple[str, ...] = ()) -> Stack:
    environment = adhoc(files=files, profiles=profiles, directory=files[0].parent)
    return read_stack(Compose(environment).config().model)
