"""The table of causes. Adding one: a member of findings.Cause, a module here, and its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.causes import (
    app_exited,
    certificate,
    closes_early,
    crash_loop,
    engine_down,
    entry_port_taken,
    external_upstream,
    header_too_big,
    invalid_answer,
    loopback_only,
    loopback_upstream,
    missing_socket,
    misspelled_upstream,
    never_started,
    nginx_config,
    no_answer,
    no_live_upstreams,
    no_ports,
    other_container,
    other_network,
    out_of_memory,
    paused,
    port_squatter,
    proxy_cannot_start,
    proxy_down,
    published_port,
    resolver,
    reversed_dependency,
    stale_upstream,
    unhealthy,
    unknown,
    worker_killed,
    wrong_port,
    wrong_protocol,
)
from dartsctl.diagnosis.findings import Cause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.diagnosis.causes.base import CauseModule

CAUSES: tuple[CauseModule, ...] = (
    engine_down,
    entry_port_taken,
    port_squatter,
    other_container,
    out_of_memory,
    other_network,
    certificate,
    reversed_dependency,
    misspelled_upstream,
    external_upstream,
    nginx_config,
    proxy_cannot_start,
    proxy_down,
    crash_loop,
    never_started,
    app_exited,
    paused,
    no_ports,
    loopback_only,
    published_port,
    wrong_port,
    unhealthy,
    stale_upstream,
    loopback_upstream,
    resolver,
    missing_socket,
    wrong_protocol,
    header_too_big,
    invalid_answer,
    worker_killed,
    closes_early,
    no_answer,
    no_live_upstreams,
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
