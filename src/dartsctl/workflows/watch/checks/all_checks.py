"""The table of checks. Adding one: a module here, and its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.workflows.watch.checks import certificate_end, disk, no_network, stranger

if TYPE_CHECKING:
    from dartsctl.workflows.watch.checks.base import Check

CHECKS: tuple[Check, ...] = (stranger, certificate_end, no_network, disk)
"""Of two problems of one subject the one of the earlier row is reported, after doctor's."""
