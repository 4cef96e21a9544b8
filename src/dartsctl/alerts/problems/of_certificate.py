"""A certificate of the proxy ends soon. One that has ended is doctor's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.errors import Advice
from dartsctl.text.phrases import day

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import CertificateEnd, Facts

CAUSE = "certificate-ends"
_DAY = 86400.0


def ending_certificates(facts: Facts, days: int) -> Iterator[Problem]:
    """Yield the certificates that end within so many days."""
    limit = days * _DAY
    now = facts.now - facts.engine.skew
    files = [row for row in facts.certificate_ends if not row.is_served]
    served: dict[float, CertificateEnd] = {}
    for row in facts.certificate_ends:
        if row.is_served:  # of several URLs with one certificate, the first
            served.setdefault(row.ends, row)
    shown = {row.ends for row in files}
    for row in files:
        if 0 < row.ends - now < limit:
            yield _problem(row, f"{row.where} expires", now, _renewal(row, facts))
    for ends, row in served.items():
        if 0 < ends - now < limit and ends not in shown:
            sentence = f"the certificate at {row.where} expires"
            yield _problem(row, sentence, now, _reload(row, files, facts))


def _problem(row: CertificateEnd, sentence: str, now: float, command: str) -> Problem:
    days = int((row.ends - now) // _DAY)
    return Problem(
        Subject("certificate", row.where),
        CAUSE,
        f"{sentence} on {day(row.ends)}, in {_days(days)}",
        command,
        severity="warning",
        data={"certificate": row.where, "ends": row.ends, "days": days},
    )


def _days(days: int) -> str:
    match days:
        case 0:
            return "less than a day"
        case 1:
            return "1 day"
    return f"{days} days"


def _renewal(row: CertificateEnd, facts: Facts) -> str:
    proxy = facts.proxy.service if facts.proxy else "the proxy"
    restart = f"{facts.commands.stack} restart {proxy}"
    return Advice(f"put a new certificate into {row.where}, then run `{restart}`")


def _reload(row: CertificateEnd, files: list[CertificateEnd], facts: Facts) -> str:
    """Return the advice for a certificate that is shown and is in none of the files."""
    proxy = facts.proxy.service if facts.proxy else "the proxy"
    if any(file.ends > row.ends for file in files):
        return f"{facts.commands.stack} restart {proxy}"
    return Advice(f"renew the certificate of {proxy}")
