"""Addresses inside container networks, as Compose's model and the engine write them."""

from __future__ import annotations

from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.subnets import NetworkUse, Subnet, read_use
from dartsctl.text.strict_json import Cursor, Source


def test_the_engines_document_has_subnets_and_who_has_which_address() -> None:
    """Recorded from 28.5.2, shortened."""
    document = {
        "IPAM": {
            "Config": [
                {
                    "Subnet": "10.213.7.0/24",
                    "IPRange": "10.213.7.128/25",
                    "Gateway": "10.213.7.1/24",
                    "AuxiliaryAddresses": {"x": "10.213.7.9"},
                }
            ]
        },
        "Containers": {
            "2c9f": {"Name": "a-1", "IPv4Address": "10.213.7.2/24", "IPv6Address": ""},
            "3d00": {"Name": "b-1", "IPv4Address": "", "IPv6Address": "fd00:0:0::2/64"},
        },
    }
    subnet = Subnet("10.213.7.0/24", "10.213.7.1", "10.213.7.128/25", {"x": "10.213.7.9"})
    addresses = {"10.213.7.2": "2c9f", "fd00::2": "3d00"}
    assert read_use(Cursor(document, Source("the engine"))) == NetworkUse((subnet,), addresses)
    assert read_use(Cursor({"IPAM": {"Config": None}}, Source("the engine"))).subnets == ()


def test_the_model_has_fixed_addresses_and_subnets() -> None:
    options = {"ipv4_address": "10.0.0.5", "ipv6_address": "fd00:0::5"}
    services = {"web": {"networks": {"n": options, "m": None}}}
    networks = {"n": {"ipam": {"config": [{"subnet": "10.0.0.0/24"}]}}, "m": {"ipam": {}}}
    stack = read_stack({"name": "demo", "services": services, "networks": networks})
    assert stack.services["web"].fixed_addresses == {"n": ("10.0.0.5", "fd00::5")}
    assert stack.networks["n"].subnets == (Subnet("10.0.0.0/24"),)
    assert not stack.networks["n"].has_own_ipam
    own = read_stack(
        {"name": "demo", "services": {}, "networks": {"n": {"ipam": {"driver": "infoblox"}}}}
    )
    assert own.networks["n"].has_own_ipam


def test_dynamic_addresses_come_from_the_range_if_there_is_one() -> None:
    subnet = Subnet("10.0.0.0/24", ip_range="10.0.0.128/25")
    assert subnet.includes("10.0.0.5")
    assert not subnet.gives_out("10.0.0.5")
    assert subnet.gives_out("10.0.0.200")
    assert Subnet("10.0.0.0/24").gives_out("10.0.0.5")
    assert not Subnet("fd00::/64").includes("10.0.0.5")
    assert not Subnet("no subnet").includes("no address")
