"""How engines bind ports, by version.

Sources: engine-rules.md#versions, engine-rules.md#ranges, engine-rules.md#networks,
engine-rules.md#one-implementation.
"""

from __future__ import annotations

import pytest

from dartsctl.stack.engine_rules import EngineRules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.engine_rules import EngineKind


@pytest.mark.parametrize(
    ("version", "release"),
    [
        ("20.10.24+dfsg1", (20, 10)),
        ("26.1.5+dfsg1", (26, 1)),
        ("28.5.2+dfsg4", (28, 5)),
        ("28.0.0-rc.1", (28, 0)),
        ("v29.1", (29, 1)),
        ("100.2.3", (100, 2)),
        ("", None),
        ("dev", None),
        ("28", None),
    ],
)
def test_the_release_is_the_leading_two_numbers(
    version: str, release: tuple[int, int] | None
) -> None:
    assert EngineRules(version=version).release == release


@pytest.mark.parametrize(
    ("version", "reuses_udp_addresses", "walks_ranges", "honours_gateway_modes"),
    [
        ("20.10.24", False, False, False),
        ("26.1.5", False, False, False),
        ("27.0.3", False, True, False),
        ("27.5.1", False, True, False),
        ("28.0.0", True, True, True),
        ("28.5.2+dfsg4", True, True, True),
        ("29.0.0", False, True, True),
        ("", False, True, True),
    ],
)
def test_the_major_version_decides_what_an_engine_does(
    version: str, reuses_udp_addresses: bool, walks_ranges: bool, honours_gateway_modes: bool
) -> None:
    engine = EngineRules(version=version)
    assert engine.reuses_udp_addresses is reuses_udp_addresses
    assert engine.walks_ranges is walks_ranges
    assert engine.honours_gateway_modes is honours_gateway_modes


@pytest.mark.parametrize(
    ("kind", "here"),
    [("local", True), ("rootless", True), ("unknown", True), ("desktop", False), ("remote", False)],
)
def test_local_probes_are_valid_only_for_an_engine_on_this_host(
    kind: EngineKind, here: bool
) -> None:  # edge-cases.md#43, edge-cases.md#44
    assert EngineRules(kind=kind).is_here is here


def test_an_unknown_setup_is_the_default() -> None:
    assert (
        EngineRules().userland_proxy,
        EngineRules().has_ipv6,
        EngineRules().default_address,
    ) == (
        True,
        True,
        "",
    )
