"""Who owns which port: production's allocation, the dev range, and typed port numbers."""

from __future__ import annotations

import pytest

from dartsctl.errors import UsageError
from dartsctl.ports.allocation import (
    BROWSERS_REFUSE,
    DEV_RANGE,
    PRODUCTION_PORTS,
    Allocation,
    PortRange,
    candidates,
    parse_port,
)


def test_the_documented_allocation() -> None:
    assert Allocation.of(PRODUCTION_PORTS).owners == {
        80: "nginx",
        443: "nginx",
        5000: "darts-app",
        8080: "api-gateway",
        5672: "rabbitmq",
        15672: "rabbitmq",
        9443: "wso2is",
        5432: "postgres",
    }


def test_the_dev_range_is_5001_to_5099_and_never_holds_production() -> None:
    assert str(DEV_RANGE) == "5001-5099"
    assert (5000 in DEV_RANGE, 5001 in DEV_RANGE, 5099 in DEV_RANGE, 5100 in DEV_RANGE) == (
        False,
        True,
        True,
        False,
    )
    assert "5001" not in DEV_RANGE
    assert not set(Allocation.of(PRODUCTION_PORTS).owners) & set(DEV_RANGE.numbers)


def test_the_first_service_keeps_a_port_that_two_claim() -> None:
    assert Allocation.of({"web": [80], "proxy": [80, 81]}).owners == {80: "web", 81: "proxy"}


def test_a_port_of_the_settings_is_told_with_its_service_and_its_line() -> None:
    allocation = Allocation.of({"web": [80, 443]}, {"web": "dartsctl.toml:12"})
    assert allocation.claim(80) == "belongs to production's web (dartsctl.toml:12)"
    assert allocation.claim(443, plural=True) == "belong to production's web (dartsctl.toml:12)"
    assert allocation.how_to_change(80) == ()


def test_a_port_of_the_default_list_is_told_without_a_service_that_nobody_has() -> None:
    allocation = Allocation.default()
    assert allocation.is_default
    assert set(allocation.owners) == {80, 443, 5000, 8080, 5672, 15672, 9443, 5432}
    assert set(allocation.owners.values()) == {""}
    assert allocation.claim(8080) == "is reserved for production by dartsctl's default list"
    assert "  [ports.production]" in allocation.how_to_change(8080)


def test_a_port_that_production_publishes_is_told_with_its_files_before_the_default_list() -> None:
    allocation = Allocation.default().united_with({8080: "shop", 9000: "admin"}, "compose/prod.yml")
    place = "published by compose/prod.yml"
    assert allocation.claim(8080) == f"belongs to production's shop ({place})"
    assert allocation.claim(9000) == f"belongs to production's admin ({place})"
    assert allocation.claim(5432) == "is reserved for production by dartsctl's default list"
    assert not allocation.is_default


def test_an_empty_table_reserves_nothing_and_is_not_the_default_list() -> None:
    assert not Allocation.of({}).is_default


def test_what_the_stack_publishes_is_added_and_the_documented_owner_wins() -> None:
    united = Allocation({5000: "darts-app"}).united_with({5000: "other", 3000: "grafana"})
    assert united.owners == {5000: "darts-app", 3000: "grafana"}


@pytest.mark.parametrize(
    ("text", "port"),
    [("1", 1), ("5000", 5000), ("65535", 65535), ("5000 ", 5000), (" 5000\n", 5000)],
)
def test_a_port_is_a_number_from_1_to_65535(text: str, port: int) -> None:  # edge-cases.md#86
    assert parse_port(text, source="--port") == port


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0",
        "65536",
        "-1",
        "+5000",
        "http",
        "5000.0",
        "0x50",
        "50 00",
        "5000-5001",
        "\u0665\u0660\u0660\u0660",
        "5_000",
        "²",
    ],
)
def test_anything_else_is_a_usage_error_that_names_its_source(
    text: str,
) -> None:  # edge-cases.md#86
    with pytest.raises(UsageError, match=r"^PORT in \.env: "):
        parse_port(text, source="PORT in .env")


def test_browsers_ports_are_never_candidates() -> None:  # edge-cases.md#63
    assert frozenset({5060, 5061}) == BROWSERS_REFUSE
    order = candidates(DEV_RANGE, preferred=5060, start=0, avoid=frozenset())
    assert len(order) == 97
    assert not {5060, 5061} & set(order)


@pytest.mark.parametrize(
    ("preferred", "start", "avoid", "order"),
    [
        (None, 0, (), [5001, 5002, 5003, 5004]),
        (None, 2, (), [5003, 5004, 5001, 5002]),
        (None, 6, (), [5003, 5004, 5001, 5002]),
        (None, -1, (), [5004, 5001, 5002, 5003]),
        (5004, 1, (), [5004, 5002, 5003, 5001]),
        (5004, 0, (5004,), [5001, 5002, 5003]),
        (6000, 0, (), [5001, 5002, 5003, 5004]),
        (None, 7, (5001, 5002, 5003, 5004), []),
    ],
    ids=[
        "from the first",
        "from an offset",
        "offset wraps",
        "negative offset",
        "preferred first",
        "preferred avoided",
        "outside",
        "exhausted",
    ],
)
def test_the_order_in_which_a_lease_is_tried(
    preferred: int | None, start: int, avoid: tuple[int, ...], order: list[int]
) -> None:  # edge-cases.md#62, edge-cases.md#64
    assert (
        candidates(PortRange(5001, 5004), preferred=preferred, start=start, avoid=frozenset(avoid))
        == order
    )
