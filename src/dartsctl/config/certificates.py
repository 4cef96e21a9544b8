"""The certificates that the stack's front door shows: where they are mounted, and what is wrong with them (DESIGN 5)."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dartsctl.config.secrets import Kind, Objection
from dartsctl.stack.model import Mount, Stack

SOON = 14 * 86400.0
"""Seconds before its end at which a certificate is warned about."""

HTTPS = 443

KeyState = Literal["fits", "does not fit", "unreadable", "none"]

_NAMED = re.compile(r"(?i)(?:^|[/_.-])(?:certs?|certificates?|ssl|tls|letsencrypt|pki)(?:[/_.-]|$)")


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate file, judged by the first certificate in it: the server's own. Times are seconds since the epoch."""

    path: Path
    not_before: float
    not_after: float
    key: KeyState
    """Its private key. "none": no key beside it, so that it is a CA's, or one that no server can use."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What lies in the places that one service has its certificates from."""

    certificates: tuple[Certificate, ...]
    closed: tuple[Path, ...] = ()
    """What we may not look into."""


def front_doors(stack: Stack) -> dict[str, tuple[Mount, ...]]:
    """Service -> its bind mounts, for every service that publishes its https port (443 inside the container)."""
    return {
        name: service.mounts
        for name, service in stack.services.items()
        if service.mounts
        and any(entry.target == HTTPS and entry.protocol == "tcp" for entry in service.ports)
    }


def holds_certificates(path: str) -> bool:
    """Whether a path's name says that certificates are in it: `/etc/nginx/certs`, `/etc/letsencrypt`, `/etc/ssl/shop.pem`."""
    return bool(_NAMED.search(path))


def judge(
    service: str, mounts: Sequence[Mount], shelf: Shelf, stack: Stack, now: float
) -> tuple[Objection, ...]:
    """What is wrong with the certificates of `service`. One good pair is enough: of several, the others are only warned about.

    Places without any are no fault where a container may write into them: certbot, traefik and others make theirs at run time.
    """
    usable = [one for one in shelf.certificates if one.key in ("fits", "unreadable")]
    found = [_about(one, now) for one in usable]
    faults = [one for one in found if one]
    refusing = [one for one in faults if not one.is_warning]
    if usable and len(refusing) < len(usable):
        return tuple(one if one.is_warning else _as_warning(one) for one in faults)
    if faults:
        return tuple(faults)
    if misfits := [one for one in shelf.certificates if one.key == "does not fit"]:
        return tuple(
            _fault("mismatch", one.path, "does not belong to the private key beside it")
            for one in misfits
        )
    places = [one for one in mounts if holds_certificates(one.target)]
    if shelf.closed:
        return tuple(
            _unchecked(
                path, "may not be read by this user, so the certificate in it was not checked"
            )
            for path in shelf.closed
        )
    if not places or any(_is_written(one, stack) for one in places):
        return ()
    folder = places[0].source
    sentence = f"{folder} has no certificate with its key, and {service} takes them from there"
    return (
        Objection(
            "no-certificate", folder, service, sentence, f"dartsctl init --certificate {folder}"
        ),
    )


def _is_written(place: Mount, stack: Stack) -> bool:
    return any(
        not mount.read_only
        for service in stack.services.values()
        for mount in service.mounts
        if mount.source == place.source
    )


def _about(one: Certificate, now: float) -> Objection | None:
    if now >= one.not_after:
        return _fault("expired", one.path, f"expired on {_day(one.not_after)}")
    if now < one.not_before:
        return _fault("not-yet-valid", one.path, f"is not valid before {_day(one.not_before)}")
    if one.not_after - now < SOON:
        return _fault("expiring", one.path, f"expires on {_day(one.not_after)}")
    return None


def about_dates(not_before: float, not_after: float, now: float) -> str:
    """What keeps clients from taking a certificate of these dates; empty where nothing does."""
    if now >= not_after:
        return f"expired on {_day(not_after)}"
    return f"is not valid before {_day(not_before)}" if now < not_before else ""


def _as_warning(one: Objection) -> Objection:
    return _unchecked(
        Path(one.name), f"{one.sentence.partition(' ')[2]}; another certificate beside it is valid"
    )


def _unchecked(path: Path, what: str) -> Objection:
    return Objection("unchecked", str(path), "the certificate", f"{path} {what}")


def _fault(kind: Kind, path: Path, what: str) -> Objection:
    return Objection(
        kind,
        str(path),
        "the certificate",
        f"{path} {what}",
        f"openssl x509 -noout -subject -dates -in {path}",
    )


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))
