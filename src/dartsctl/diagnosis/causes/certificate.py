"""Clients refuse the certificate of the proxy or of an upstream, or nginx cannot load it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import answer_trouble, bad_answers
from dartsctl.diagnosis.findings import Cause, Link
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_end import FatalError, ends, fatal_error, fatal_trouble
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.trouble import Rank, Scope, Trouble
from dartsctl.errors import Advice
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import CertificateFacts, Facts

CAUSE = Cause.CERTIFICATE
_SILENT = "browsers refuse the certificate; the requests of doctor accept any"


def detect(facts: Facts) -> Iterator[Trouble]:
    refused = _refused(facts)
    fatal = fatal_error(facts)
    for end in ends(facts):
        if fatal and fatal.kind is NginxFailure.CERTIFICATE:
            yield _not_loaded(end, fatal, facts)
        elif fatal is None and refused:
            yield replace(
                refused, is_aside=False, rank=end.rank, links=(*end.links, *refused.links)
            )
    if refused:
        yield refused
    for answer in bad_answers(facts):
        is_handshake = answer.failure and answer.failure.failure is NginxFailure.HANDSHAKE
        if is_handshake and answer.starting is None:
            yield answer_trouble(CAUSE, answer, facts, confidence="likely")


def _not_loaded(end: Trouble, fatal: FatalError, facts: Facts) -> Trouble:
    command: str = Advice(f"restore {fatal.line.name}, then run `{facts.commands.up}`")
    for certificate in facts.certificates:
        if certificate.advice:
            command = certificate.advice
            break
    trouble = fatal_trouble(CAUSE, end, fatal, facts, command=command)
    return replace(trouble, silent_symptom=_SILENT)


def _refused(facts: Facts) -> Trouble | None:
    """Return the trouble of a proxy that has TLS and shows a certificate that is refused."""
    proxy, service = facts.proxy, facts.proxy_service
    if proxy is None or service is None:
        return None
    if proxy.config and not any(listen.tls for listen in proxy.listens):
        return None
    refused = next((row for row in facts.certificates if row.refusing), None)
    if refused is None:
        return None
    return Trouble(
        cause=CAUSE,
        service=service.name,
        container=service.first.name if service.first else "",
        sentence=f"{service.name}: {refused.sentence}",
        command=_renewal(refused, service.name, facts),
        rank=Rank(Scope.PATH),
        links=(Link("proxy", "bad", refused.sentence, source=refused.source),),
        data={"certificate": refused.where},
        silent_symptom=_SILENT,
        is_aside=True,
    )


def _renewal(refused: CertificateFacts, service: str, facts: Facts) -> str:
    if refused.advice.startswith("dartsctl"):
        return refused.advice
    return Advice(
        f"put a valid certificate into {refused.where}, "
        f"then run `{facts.commands.stack} restart {service}`"
    )


repair = by_hand
