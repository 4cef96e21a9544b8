"""nginx ends at every start: a name or a file is missing, or its configuration is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause, Finding
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_end import (
    FatalError,
    ends,
    fatal_error,
    fatal_trouble,
    is_config_error,
)
from dartsctl.diagnosis.repairs import NO_REPAIR, Repair, RepairAction
from dartsctl.diagnosis.trouble import Fix, Trouble
from dartsctl.errors import Advice
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts

CAUSE = Cause.PROXY_CANNOT_START


def detect(facts: Facts) -> Iterator[Trouble]:
    fatal = fatal_error(facts)
    for end in ends(facts):
        if fatal is None:
            if end.cause is Cause.CRASH_LOOP:
                yield replace(end, cause=CAUSE)
        elif not _has_own_cause(fatal):
            yield _trouble(end, fatal, facts)


def _has_own_cause(fatal: FatalError) -> bool:
    """Whether another cause claims the line with which nginx ended."""
    if fatal.kind is NginxFailure.HOST_NOT_FOUND:
        return fatal.service is None or fatal.is_about_networks
    return fatal.kind is NginxFailure.CERTIFICATE or is_config_error(fatal.line)


def _trouble(end: Trouble, fatal: FatalError, facts: Facts) -> Trouble:
    command: str | Fix = Fix()
    if fatal.kind is NginxFailure.EMERGENCY:
        command = Advice(f"correct nginx's configuration, then run `{facts.commands.up}`")
    return fatal_trouble(CAUSE, end, fatal, facts, command=command)


def repair(finding: Finding, facts: Facts) -> Repair:  # noqa: ARG001 - `detect` has decided
    """Start nginx again where the name is there by now; a wrong configuration is a person's."""
    if finding.fixable:
        return Repair(RepairAction.RESTART)
    return NO_REPAIR
