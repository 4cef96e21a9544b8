"""What is read from Compose's JSON, as recorded by record_compose.py in tests/data/compose.

Source: engine-rules.md#compose-config.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dartsctl.errors import DartsctlError
from dartsctl.stack.compose_errors import unset_variables
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.model import Network, PortEntry, Stack

RECORDED = Path(__file__).parents[1] / "data" / "compose"


def recorded(name: str) -> Stack:
    document: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return read_stack(document["model"], unset_variables=unset_variables(document["stderr"]))


@pytest.mark.parametrize(
    ("service", "entries"),
    [
        ("fixed", [PortEntry(80, "tcp", "21080")]),
        ("loopback", [PortEntry(80, "tcp", "21081", "127.0.0.1")]),
        ("loopback6", [PortEntry(80, "tcp", "21082", "::1")]),
        ("any4", [PortEntry(80, "tcp", "21085", "0.0.0.0")]),
        ("any6", [PortEntry(80, "tcp", "21083", "::")]),
        ("udp", [PortEntry(80, "udp", "21084")]),
        ("sctp", [PortEntry(80, "sctp", "21093")]),
        ("expanded", [PortEntry(80, "tcp", "21086"), PortEntry(81, "tcp", "21087")]),
        (
            "expanded-udp",
            [
                PortEntry(87, "udp", "21091", "127.0.0.1"),
                PortEntry(88, "udp", "21092", "127.0.0.1"),
            ],
        ),
        ("range", [PortEntry(80, "tcp", "21088-21090")]),
        ("long-range", [PortEntry(80, "tcp", "21103-21105")]),
        ("zero", [PortEntry(80, "tcp", "0")]),
        ("long-zero", [PortEntry(80, "tcp", "0")]),
        ("long-empty", [PortEntry(80, "tcp")]),
        ("ephemeral", [PortEntry(82, "tcp"), PortEntry(89, "tcp"), PortEntry(83, "udp")]),
        ("ephemeral-range", [PortEntry(84, "tcp"), PortEntry(85, "tcp")]),
        ("ephemeral-loopback", [PortEntry(86, "tcp", "", "127.0.0.1")]),
        ("long", [PortEntry(80, "tcp", "21100", "127.0.0.1")]),
        ("unquoted", [PortEntry(22, "tcp", "22")]),
        ("twice", [PortEntry(80, "tcp", "21094"), PortEntry(80, "tcp", "21094")]),
        ("exposed", []),
        ("silent", []),
    ],
)
def test_every_way_to_write_a_port(
    service: str, entries: list[PortEntry]
) -> None:  # edge-cases.md#48, edge-cases.md#50, edge-cases.md#54, edge-cases.md#55
    assert list(recorded("ports").services[service].ports) == entries


@pytest.mark.parametrize(
    ("service", "replicas"),
    [("deployed", 2), ("scaled", 3), ("none", 0), ("unscaled", 0), ("named", 1)],
)
def test_replicas_are_from_scale_or_deploy_or_1(
    service: str, replicas: int
) -> None:  # edge-cases.md#55
    assert recorded("replicas").services[service].replicas == replicas


def test_scale_takes_precedence_over_deploy() -> None:
    body = {"image": "busybox", "scale": 4, "deploy": {"replicas": 2}}
    assert read_stack({"name": "demo", "services": {"a": body}}).services["a"].replicas == 4


def test_names_dependencies_and_health_checks() -> None:
    services = recorded("replicas").services
    assert services["named"].container_name == "the-name"
    assert services["named"].depends_on == ("scaled",)
    assert services["named"].image == "busybox"
    assert [services[name].has_health_check for name in ("named", "disabled", "scaled")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("health_check", "has"),
    [
        ({"test": ["CMD", "true"]}, True),
        ({"test": ["NONE"]}, False),
        ({"test": ["CMD", "true"], "disable": True}, False),
        ({"interval": "5s"}, False),
        (None, False),
    ],
    ids=["a command", "NONE", "disabled by an overlay", "only an interval", "absent"],
)
def test_only_a_health_check_that_runs_counts(
    health_check: dict[str, Any] | None, has: bool
) -> None:  # edge-cases.md#73
    body = {"image": "busybox"} | ({"healthcheck": health_check} if health_check else {})
    assert (
        read_stack({"name": "demo", "services": {"a": body}}).services["a"].has_health_check is has
    )


@pytest.mark.parametrize(
    ("needs", "conditions"),
    [
        (["db"], {"db": "service_started"}),
        ({"db": {"required": True}}, {"db": "service_started"}),
        ({"db": {"condition": "service_healthy"}}, {"db": "service_healthy"}),
        (None, {}),
    ],
)
def test_what_is_waited_for_of_a_dependency(needs: Any, conditions: dict[str, str]) -> None:
    body = {"image": "busybox", "depends_on": needs}
    service = read_stack({"name": "demo", "services": {"a": body}}).services["a"]
    assert service.conditions == conditions
    assert service.depends_on == tuple(conditions)


def test_an_image_without_a_name_has_the_one_that_compose_makes_up() -> None:
    stack = read_stack({"name": "demo", "services": {"a": {"build": {}}, "b": {"image": "x:1"}}})
    assert [stack.image_of(service) for service in stack.services.values()] == ["demo-a", "x:1"]
    assert [service.is_built for service in stack.services.values()] == [True, False]


def test_a_network_is_read_with_the_options_that_decide_about_addresses() -> None:
    assert recorded("networks").networks == {
        "default": Network("demo_default"),
        "inner": Network("demo_inner", internal=True),
        "outer": Network("demo_outer"),
        "loopback": Network("demo_loopback", host_binding_ipv4="127.0.0.1"),
        "routed": Network("demo_routed", gateway_mode_ipv4="routed", gateway_mode_ipv6="nat"),
        "only6": Network("demo_only6", ipv4=False, ipv6=True),
        "lan": Network("demo_lan", driver="macvlan"),
        "shared": Network("company", external=True),
    }
    assert recorded("networks").external_networks == ("company",)


def test_a_service_has_networks_with_gateway_priorities_or_a_network_mode() -> None:
    services = recorded("networks").services
    assert services["both"].networks == {"inner": 0, "outer": 0}
    assert services["preferred"].networks == {"loopback": 1, "outer": 0}
    assert (services["host"].network_mode, services["host"].networks) == ("host", {})
    assert services["borrowed"].network_mode == "service:default"


@pytest.mark.parametrize(
    ("recording", "services"),
    [
        ("profiles-off", {"web", "db", "other"}),
        ("profiles-on", {"web", "db", "other", "debugger"}),
        ("subset", {"web", "db"}),
    ],
)
def test_the_stack_has_exactly_what_up_would_start(
    recording: str, services: set[str]
) -> None:  # edge-cases.md#52, edge-cases.md#56, edge-cases.md#58
    assert set(recorded(recording).services) == services


def test_overlays_append_ports_unless_they_override_or_reset() -> None:  # edge-cases.md#51
    services = recorded("merged").services
    assert services["kept"].ports == (
        PortEntry(80, "tcp", "21500"),
        PortEntry(80, "tcp", "21500", "127.0.0.1"),
    )
    assert services["replaced"].ports == (PortEntry(80, "tcp", "21511", "127.0.0.1"),)
    assert services["emptied"].ports == ()
    assert services["same"].ports == (PortEntry(80, "tcp", "21503"),)


def test_extends_adds_the_parents_ports() -> None:  # edge-cases.md#52
    assert [entry.published for entry in recorded("extended").services["child"].ports] == [
        "21600",
        "21601",
    ]


def test_a_port_of_an_unset_variable_is_ephemeral() -> None:  # edge-cases.md#48
    model = recorded("unset")
    assert model.services["a"].ports == (PortEntry(80, "tcp"),)
    assert model.unset_variables == ("UNSET_PORT", "UNSET_TOKEN")


BASE: dict[str, Any] = {
    "name": "demo",
    "services": {"web": {"image": "x", "ports": [{"target": 80, "published": "8080"}]}},
}


def changed(**web: Any) -> dict[str, Any]:
    return {"name": "demo", "services": {"web": {**BASE["services"]["web"], **web}}}


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ([], "expected a mapping, got a list"),
        ({}, "name: expected text, got nothing"),
        (BASE | {"services": [1]}, "services: expected a mapping, got a list"),
        (BASE | {"services": {"web": None}}, "services.web: expected a value, got nothing"),
        (changed(ports={}), "services.web.ports: expected a list, got a mapping"),
        (
            changed(ports=[{"target": [80]}]),
            "services.web.ports[0].target: expected a number from 0 to 65535, got a list",
        ),
        (
            changed(ports=[{"published": "80"}]),
            "services.web.ports[0].target: expected a number from 0 to 65535, got nothing",
        ),
        (
            changed(ports=[{"target": 70000}]),
            "services.web.ports[0].target: expected a number from 0 to 65535, got 70000",
        ),
        (
            changed(ports=[{"target": 80, "protocol": "quic"}]),
            "services.web.ports[0].protocol: expected tcp, udp or sctp",
        ),
        (
            changed(ports=[{"target": 80, "host_ip": "localhost"}]),
            "services.web.ports[0].host_ip: expected an IP address",
        ),
        *(
            (
                changed(ports=[{"target": 80, "published": text}]),
                "services.web.ports[0].published: expected a port number",
            )
            for text in ("x", "65536", "90-80", "80-", "-80", "1-2-3", "\u00b2", "9" * 5000)
        ),
        (changed(scale=10**9), "services.web.scale: expected a number from 0 to 10000"),
        (
            changed(deploy={"replicas": -1}),
            "services.web.deploy.replicas: expected a number from 0 to 10000, got -1",
        ),
        (
            changed(networks={"default": {"gw_priority": "high"}}),
            "services.web.networks.default.gw_priority",
        ),
        (
            changed(volumes=[{"type": "bind", "source": "a\0b", "target": "/a"}]),
            "services.web.volumes[0].source: it contains a NUL character",
        ),
        (changed(environment={"A": []}), "services.web.environment.A: expected text, got a list"),
        (
            BASE
            | {
                "networks": {
                    "n": {"driver_opts": {"com.docker.network.bridge.host_binding_ipv4": "x"}}
                }
            },
            "host_binding_ipv4: expected an IP",
        ),
        (
            BASE | {"networks": {"n": {"internal": "false"}}},
            "networks.n.internal: expected true or false, got text",
        ),
    ],
)
def test_a_model_of_another_structure_is_an_error_that_names_the_place(
    model: Any, sentence: str
) -> None:
    with pytest.raises(DartsctlError) as caught:
        read_stack(model)
    assert caught.value.message.startswith("Compose's model: ")
    assert sentence in caught.value.message


def test_other_parts_of_the_model_are_ignored() -> None:
    assert read_stack(
        changed(develop=7, secrets="x", volumes=[{"type": "tmpfs", "source": 3}]) | {"x-own": [1]}
    ) == read_stack(BASE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": True},
        {"target": 65536},
        {"target": -1},
        {"published": "65536"},
        {"protocol": "icmp"},
        {"host_ip": []},
        {"host_ip": "127.0.0"},
    ],
    ids=str,
)
def test_one_wrong_entry_among_plain_ones_is_named(wrong: dict[str, object]) -> None:
    plain: list[dict[str, object]] = [
        {"mode": "ingress", "target": port, "published": str(port), "protocol": "udp"}
        for port in range(8000, 8020)
    ]
    plain[7] |= wrong
    with pytest.raises(DartsctlError, match=r"services\.web\.ports\[7\]"):
        read_stack({"name": "demo", "services": {"web": {"ports": plain}}})


def test_what_the_engine_takes_as_a_note_in_expose_is_left_out() -> None:
    body = {"expose": ["80/tcpx", "abc", "", "5000"]}
    stack = read_stack({"name": "demo", "services": {"web": body}})
    assert stack.services["web"].exposed == (PortEntry(5000, "tcp", "5000"),)
