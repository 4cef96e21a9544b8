"""The certificates of the services that publish https: where they are mounted, what is wrong."""

from __future__ import annotations

from pathlib import Path

from dartsctl.config.secrets import Objection
from dartsctl.records import record
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import day, shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from dartsctl.config.secrets import Kind
    from dartsctl.stack.model import Mount, Stack

    KeyState = Literal["fits", "does not fit", "unreadable", "none"]

SOON = 14 * 86400.0
"""Seconds before its end at which a certificate is warned about."""

HTTPS = 443


_NAMED = regex(r"(?i)(?:^|[/_.-])(?:certs?|certificates?|ssl|tls|letsencrypt|pki)(?:[/_.-]|$)")


@record
class Certificate:
    """A certificate file, judged by its first certificate: that of the server.

    Times are seconds since the epoch.
    """

    path: Path
    not_before: float
    not_after: float
    key: KeyState
    """The state of its private key. "none": no key beside it, so that no server can use it."""


@record
class CertificateScan:
    """What the mounted folders of a service contain."""

    certificates: tuple[Certificate, ...]
    unreadable: tuple[Path, ...] = ()
    """Folders that this user may not read."""


def https_mounts(stack: Stack) -> dict[str, tuple[Mount, ...]]:
    """Return service -> bind mounts, for each service that publishes port 443 of its container."""
    return {
        name: service.mounts
        for name, service in stack.services.items()
        if service.mounts
        and any(entry.target == HTTPS and entry.protocol == "tcp" for entry in service.ports)
    }


def holds_certificates(path: str) -> bool:
    """Return whether a path's name says that it contains certificates.

    `/etc/nginx/certs`, `/etc/letsencrypt`, `/etc/ssl/shop.pem`.
    """
    return bool(_NAMED.search(path))


def judge(
    service: str, mounts: Sequence[Mount], scan: CertificateScan, *, stack: Stack, now: float
) -> tuple[Objection, ...]:
    """Return what is wrong with the certificates of `service`.

    One valid pair is enough; faults of the others are then warnings. An empty folder is no fault
    where a container may write to it: certbot, traefik and others create theirs at run time.
    """
    usable = [pair for pair in scan.certificates if pair.key in ("fits", "unreadable")]
    faults = [*filter(None, [_date_fault(pair, now) for pair in usable])]
    refusing = [fault for fault in faults if not fault.is_warning]
    if usable and len(refusing) < len(usable):
        return tuple(map(_as_warning, faults))
    faults += [
        _fault("mismatch", pair.path, "does not match the private key beside it")
        for pair in scan.certificates
        if pair.key == "does not fit"
    ]
    if faults:
        return tuple(faults)
    if scan.unreadable:
        what = "is not readable by this user; its certificate was not checked"
        return tuple(_unchecked(path, what) for path in scan.unreadable)
    return _no_certificate(service, mounts, stack)


def _no_certificate(service: str, mounts: Sequence[Mount], stack: Stack) -> tuple[Objection, ...]:
    folders = [mount for mount in mounts if holds_certificates(mount.target)]
    if not folders or any(_is_written(folder, stack) for folder in folders):
        return ()
    source = folders[0].source
    objection = Objection(
        kind="no-certificate",
        name=source,
        where=service,
        sentence=f"{source} contains no certificate with its key; {service} reads it there",
        advice=shell_command("dartsctl", "init", "--certificate", source),
    )
    return (objection,)


def _is_written(place: Mount, stack: Stack) -> bool:
    """Return whether a container mounts the same source with write access."""
    for service in stack.services.values():
        for mount in service.mounts:
            if mount.source == place.source and not mount.read_only:
                return True
    return False


def _date_fault(pair: Certificate, now: float) -> Objection | None:
    if now >= pair.not_after:
        return _fault("expired", pair.path, f"expired on {day(pair.not_after)}")
    if now < pair.not_before:
        return _fault("not-yet-valid", pair.path, f"is not valid before {day(pair.not_before)}")
    if pair.not_after - now < SOON:
        return _fault("expiring", pair.path, f"expires on {day(pair.not_after)}")
    return None


def date_problem(not_before: float, not_after: float, now: float) -> str:
    """Return why clients reject a certificate with these dates; empty where they do not."""
    if now >= not_after:
        return f"expired on {day(not_after)}"
    if now < not_before:
        return f"is not valid before {day(not_before)}"
    return ""


def _as_warning(fault: Objection) -> Objection:
    if fault.is_warning:
        return fault
    problem = fault.sentence.partition(" ")[2]
    return _unchecked(Path(fault.name), f"{problem}; another certificate beside it is valid")


def _unchecked(path: Path, what: str) -> Objection:
    return Objection("unchecked", str(path), "the certificate", f"{path} {what}")


def _fault(kind: Kind, path: Path, what: str) -> Objection:
    return Objection(
        kind=kind,
        name=str(path),
        where="the certificate",
        sentence=f"{path} {what}",
        advice=shell_command("openssl", "x509", "-noout", "-subject", "-dates", "-in", path),
    )
