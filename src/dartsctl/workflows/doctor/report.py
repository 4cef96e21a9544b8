"""A diagnosis in words, and as the JSON document that programs read. Decides nothing, prints nothing."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from dartsctl.diagnosis.facts import Facts
from dartsctl.diagnosis.findings import Diagnosis, Finding, Link
from dartsctl.diagnosis.nginx.config import Config
from dartsctl.edges.screen.output import Branch
from dartsctl.ports.conflicts import Conflict
from dartsctl.workflows.up.report import conflict_document


def document(facts: Facts, diagnosis: Diagnosis) -> dict[str, Any]:
    """The JSON document: findings with cause, confidence and chain, and all facts."""
    return {
        "ok": diagnosis.healthy,
        "project": facts.project,
        "environment": facts.environment,
        "healthy": diagnosis.healthy,
        "symptoms": list(diagnosis.symptoms),
        "findings": [finding_document(one) for one in diagnosis.findings],
        "unknown": list(facts.unknown),
        "facts": _plain(facts),
    }


def finding_document(one: Finding) -> dict[str, Any]:
    """One finding for a program; `cause` is a closed set (findings.Cause)."""
    return {
        "cause": one.cause.value,
        "service": one.service,
        "container": one.container,
        "confidence": one.confidence,
        "sentence": one.sentence,
        "command": one.command,
        "harmless": one.harmless,
        "data": _plain(one.data),
        "chain": [_plain(link) for link in one.chain],
    }


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one line for each kind of value
    """Records as objects, enums as their words; a conflict as `check --json` writes it, so that command lines are masked there."""
    match value:
        case Conflict():
            return conflict_document(value)
        case Config():
            return {
                "files": list(value.files),
                "resolver": value.resolver,
                "servers": _plain(value.servers),
            }
        case Enum():
            return value.value
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case tuple() | list() | frozenset() | set():
            return [
                _plain(one)
                for one in (sorted(value) if isinstance(value, frozenset | set) else value)
            ]
        case _ if is_dataclass(value):
            return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return value


def tree(one: Finding) -> list[Branch]:
    """The chain of a finding, each link below the one that it explains."""
    return [
        Branch(depth, link.mark, f"{link.name}: {link.text}", link.source, link.evidence)
        for depth, link in enumerate(_shown(one))
    ]


def _shown(one: Finding) -> tuple[Link, ...]:
    """Without the last link, the cause: it is the sentence below the tree."""
    return tuple(link for link in one.chain if link.name != "cause" or link.evidence)


def headline(one: Finding) -> str:
    """`darts-app: port-squatter (certain)`."""
    return f"{one.service or one.container or 'engine'}: {one.cause.value} ({one.confidence})"
