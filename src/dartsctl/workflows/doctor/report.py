"""A diagnosis in words, and as the JSON document that programs read."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from dartsctl.diagnosis.nginx.config import Config
from dartsctl.edges.screen.output import Branch, Screen
from dartsctl.ports.conflicts import Conflict
from dartsctl.records import fields, is_record
from dartsctl.workflows.preflight.report import conflict_document

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.findings import Diagnosis, Finding


def show(facts: Facts, diagnosis: Diagnosis, screen: Screen) -> None:
    """Show each finding as a tree that ends with its cause and what repairs it."""
    for finding in diagnosis.findings:
        screen.tree(headline(finding), tree(finding), finding.sentence, finding.command)
    for line in facts.unknown:
        screen.note(f"not checked: {line}")
    if abs(facts.engine.skew) > 1:
        screen.warn(
            f"the engine's clock is {facts.engine.skew:+.0f} s from ours; "
            "the times shown are the engine's"
        )
    if diagnosis.healthy:
        services = "1 service" if len(facts.services) == 1 else f"{len(facts.services)} services"
        answers = sum(1 for http in facts.http if not http.limited)
        plural = "" if answers == 1 else "s"
        if facts.proxy and not answers:
            screen.note(f"no fault was found in {facts.project}, but no request was answered")
            return
        screen.note(f"{facts.project} is healthy: {services}, {answers} request{plural} answered")


def headline(finding: Finding) -> str:
    """`darts-app: port-squatter (certain)`."""
    subject = finding.service or finding.container or "engine"
    return f"{subject}: {finding.cause.value} ({finding.confidence})"


def tree(finding: Finding) -> list[Branch]:
    """Return the chain of a finding, each link below the one that it explains.

    The last link, the cause, is the sentence below the tree, unless it has evidence.
    """
    branches: list[Branch] = []
    for link in finding.chain:
        if link.name != "cause" or link.evidence:
            text = f"{link.name}: {link.text}"
            branches.append(
                Branch(
                    len(branches), link.mark, text=text, source=link.source, evidence=link.evidence
                )
            )
    return branches


def document(facts: Facts, diagnosis: Diagnosis) -> dict[str, Any]:
    """Return the JSON document: findings with cause, confidence and chain, and all facts."""
    return {
        "ok": diagnosis.healthy,
        "project": facts.project,
        "environment": facts.environment,
        "healthy": diagnosis.healthy,
        "symptoms": list(diagnosis.symptoms),
        "findings": list(map(finding_document, diagnosis.findings)),
        "unknown": list(facts.unknown),
        "facts": _plain(facts),
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """Return one finding for a program; `cause` is one of the values of findings.Cause."""
    return {
        "cause": finding.cause.value,
        "service": finding.service,
        "container": finding.container,
        "confidence": finding.confidence,
        "sentence": finding.sentence,
        "command": finding.command,
        "harmless": finding.harmless,
        "requests": list(finding.requests),
        "data": _plain(finding.data),
        "chain": _plain(finding.chain),
    }


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one line for each kind of value
    """Return a record as an object, an enum as its value.

    A conflict as `check --json` writes it: command lines are masked there.
    """
    match value:
        case Conflict():
            return conflict_document(value)
        case Config():
            return _config_document(value)
        case Enum():
            return value.value
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case frozenset() | set():
            return _plain(sorted(value))
        case tuple() | list():
            return list(map(_plain, value))
        case _ if is_record(value):
            return {name: _plain(getattr(value, name)) for name in fields(type(value))}
    return value


def _config_document(config: Config) -> dict[str, Any]:
    """Return nginx's configuration without the paths of its logs."""
    return {
        "files": list(config.files),
        "resolver": config.resolver,
        "servers": _plain(config.servers),
    }
