"""Where the services are, from what the stacks publish."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dartsctl.discovery.app.addresses import addresses_of
from dartsctl.discovery.app.app import App
from dartsctl.discovery.app.app_service import AppService
from dartsctl.discovery.app.entry_point import EntryChoice
from dartsctl.discovery.app.sources import Sources
from dartsctl.discovery.stack_facts import StackFacts
from dartsctl.ports.allocation import Allocation
from dartsctl.stack.compose_model import read_stack


def facts(name: str, **services: dict[str, Any]) -> StackFacts:
    stack = read_stack({"name": "shop", "services": services})
    return StackFacts(name, (Path("compose.yaml"),), stack=stack)


def port(target: int, published: str, protocol: str = "tcp") -> dict[str, Any]:
    return {"target": target, "published": published, "protocol": protocol}


def test_a_host_port_leads_to_the_service_that_publishes_it_by_tcp() -> None:
    dev = facts(
        "dev",
        web={"image": "x", "ports": [port(80, "8000")]},
        db={"image": "postgres", "container_name": "shop-db", "ports": [port(5432, "15432")]},
        dns={"image": "x", "ports": [port(53, "53", "udp"), port(54, "54")]},
    )
    production = facts("prod", db={"image": "postgres", "ports": [port(5432, "5432")]})
    whole = facts("dev", web={"image": "x"}, db={"image": "x"}, idp={"image": "x"})
    service = AppService("web", ports=frozenset({80}), host_ports=frozenset({8000}))
    app = App(Path("/"), Sources({}), EntryChoice(), (service,), service, whole)
    stack = addresses_of(app, {"dev": dev, "prod": production}, None, Allocation({}))
    assert stack.targets == {"db": {5432}, "dns": {54}}
    assert stack.published == {
        8000: ("web", 80),
        15432: ("db", 5432),
        54: ("dns", 54),
        5432: ("db", 5432),
    }
    assert stack.names == {"shop-db": "db"}
    assert stack.own == {"web"}
    assert stack.own_ports == {80, 8000}
    assert stack.left_out == {"idp"}
    assert stack.same_ports["dns"] == {53, 54}
    assert stack.same_ports["db"] == frozenset()
