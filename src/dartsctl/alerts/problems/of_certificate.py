"""A certificate of the proxy ends soon. One that has ended is doctor's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.errors import Advice
from dartsctl.text.phrases import day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dartsctl.diagnosis.facts import CertificateEnd, Facts
    from dartsctl.stack.model import Mount

CAUSE = "certificate-ends"
_DAY = 86400.0


def ending_certificates(facts: Facts, days: int) -> Iterator[Problem]:
    """Yield the certificates that end within so many days."""
    limit = days * _DAY
    now = facts.now - facts.engine.skew
    files = [row for row in facts.certificate_ends if not row.is_served]
    used = _files_in_use(facts)
    if used is not None:
        files = [row for row in files if row.where in used]
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


def _files_in_use(facts: Facts) -> frozenset[str] | None:
    """Return the files that nginx's configuration names, None where it does not tell.

    An old file may lie beside the one that is in use.
    """
    proxy = facts.proxy
    if proxy is None or proxy.config is None:
        return None
    paths: list[str] = []
    for server in proxy.config.servers:
        if any(listen.tls for listen in server.listens):
            if not server.certificates:  # it may have those of the http block
                return None
            paths += server.certificates
    if not paths or any(not path.startswith("/") or "$" in path for path in paths):
        return None
    return frozenset(_on_host(path, proxy.mounts) for path in paths)


def _on_host(path: str, mounts: Sequence[Mount]) -> str:
    """Return where the file of a container is on the host; empty if it is the image's."""
    for mount in sorted(mounts, key=lambda mount: len(mount.target), reverse=True):
        target = mount.target.rstrip("/")
        if path == target or path.startswith(f"{target}/"):
            return mount.source.rstrip("/") + path.removeprefix(target)
    return ""


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
