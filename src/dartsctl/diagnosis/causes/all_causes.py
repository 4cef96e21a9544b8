"""The table of causes. Adding one: a member of findings.Cause, a module here, and its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dartsctl.diagnosis.causes import (
    app_exited,
    certificate,
    crash_loop,
    engine_down,
    entry_port_taken,
    loopback_only,
    never_started,
    no_ports,
    other_container,
    other_network,
    out_of_memory,
    port_squatter,
    proxy_cannot_start,
    proxy_down,
    stale_upstream,
    unhealthy,
    unknown,
)
from dartsctl.diagnosis.findings import Cause

if TYPE_CHECKING:
    from dartsctl.diagnosis.causes.base import CauseModule

CAUSES: tuple[CauseModule, ...] = (
    engine_down,
    entry_port_taken,
    port_squatter,
    other_container,
    out_of_memory,
    other_network,
    certificate,
    proxy_cannot_start,
    proxy_down,
    crash_loop,
    never_started,
    app_exited,
    no_ports,
    loopback_only,
    unhealthy,
    stale_upstream,
    unknown,
)
"""Of two troubles of one service with equal ranks, the one whose cause stands first is reported."""

MODULES: Mapping[Cause, CauseModule] = {module.CAUSE: module for module in CAUSES}
"""The module of each cause."""

REPORTED_FIRST = (
    Cause.ENGINE_DOWN,
    Cause.ENTRY_PORT_TAKEN,
    Cause.PORT_SQUATTER,
    Cause.OTHER_CONTAINER,
)
"""Causes whose findings come first, in this order; the others are sorted by service."""
