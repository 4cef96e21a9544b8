"""Which services have certificates, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from dartsctl.config.certificates import (
    Certificate,
    CertificateScan,
    date_problem,
    holds_certificates,
    https_mounts,
    judge,
)
from dartsctl.config.secrets import Objection
from dartsctl.stack.model import Mount, PortEntry, Service, Stack

DAY = 86400.0
NOW = 1_800_000_000.0
CERTS = Mount("/srv/certs", "/etc/nginx/certs", read_only=True)
Key = Literal["fits", "does not fit", "unreadable", "none"]


def certificate(
    days: float = 100, *, name: str = "tls.crt", key: Key = "fits", since: float = -100
) -> Certificate:
    """A certificate that ends in `days` and began `since` days from now."""
    return Certificate(Path("/srv/certs") / name, NOW + since * DAY, NOW + days * DAY, key)


def stack_of(*mounts: Mount, port: int = 443, beside: Service | None = None) -> Stack:
    nginx = Service("nginx", ports=(PortEntry(port, "tcp", str(port)),), mounts=mounts)
    return Stack("shop", {"nginx": nginx, **({beside.name: beside} if beside else {})}, {})


def judged(
    scan: CertificateScan, *, mount: Mount = CERTS, beside: Service | None = None
) -> tuple[Objection, ...]:
    return judge("nginx", (mount,), scan, stack=stack_of(mount, beside=beside), now=NOW)


def kinds(
    *certificates: Certificate, mount: Mount = CERTS, beside: Service | None = None
) -> list[str]:
    objections = judged(CertificateScan(certificates), mount=mount, beside=beside)
    return [objection.kind for objection in objections]


def test_only_services_that_publish_https_and_have_mounts_are_judged() -> None:
    assert https_mounts(stack_of(CERTS)) == {"nginx": (CERTS,)}
    assert https_mounts(stack_of(CERTS, port=80)) == {}
    assert https_mounts(stack_of()) == {}


@pytest.mark.parametrize(
    "path",
    [
        "/etc/nginx/certs",
        "/certs",
        "/etc/ssl/shop.pem",
        "/etc/letsencrypt",
        "/tls",
        "/etc/nginx/ssl/",
        "/app/my-cert.pem",
        "/etc/pki/x",
    ],
)
def test_a_path_for_certificates_is_recognized_by_its_name(path: str) -> None:
    assert holds_certificates(path)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/nginx",
        "/usr/share/nginx/html",
        "/app/concerts",
        "/etc/nginx/conf.d",
        "/var/lib/excerts",
    ],
)
def test_other_paths_are_not(path: str) -> None:
    assert not holds_certificates(path)


def test_nothing_is_reported_about_a_valid_certificate() -> None:
    assert kinds(certificate()) == []
    assert kinds(certificate(key="unreadable")) == []


def test_an_expired_certificate_is_refused_with_its_date() -> None:
    (objection,) = judged(CertificateScan((certificate(-1),)))
    assert objection.kind == "expired"
    assert not objection.is_warning
    assert objection.sentence == "/srv/certs/tls.crt expired on 2027-01-14"
    assert objection.advice == "openssl x509 -noout -subject -dates -in /srv/certs/tls.crt"


def test_an_expired_certificate_is_refused_even_with_an_unreadable_key() -> None:
    assert kinds(certificate(-1, key="unreadable")) == ["expired"]


def test_a_certificate_that_is_not_valid_yet_is_refused() -> None:
    assert kinds(certificate(since=1)) == ["not-yet-valid"]


@pytest.mark.parametrize(("days", "expected"), [(13.9, ["expiring"]), (14, []), (0, ["expired"])])
def test_the_last_fourteen_days_are_warned_about(days: float, expected: list[str]) -> None:
    objections = judged(CertificateScan((certificate(days),)))
    assert [objection.kind for objection in objections] == expected
    assert all(objection.is_warning for objection in objections) == (expected != ["expired"])


def test_one_valid_pair_is_enough_and_faults_of_the_others_are_warnings() -> None:
    (objection,) = judged(CertificateScan((certificate(-1, name="old.crt"), certificate())))
    assert (objection.kind, objection.is_warning) == ("unchecked", True)
    assert "old.crt expired on" in objection.sentence
    assert kinds(certificate(-1), certificate(-2, name="b.crt")) == ["expired", "expired"]


def test_the_certificate_of_an_authority_is_not_judged() -> None:
    assert kinds(certificate(), certificate(-500, name="ca.crt", key="none")) == []


def test_a_key_that_belongs_to_another_certificate_is_refused() -> None:
    assert kinds(certificate(key="does not fit")) == ["mismatch"]
    assert kinds(certificate(key="does not fit"), certificate(name="b.crt")) == []


def test_an_expired_certificate_does_not_hide_that_another_one_has_the_wrong_key() -> None:
    expired, foreign = certificate(-1), certificate(name="b.crt", key="does not fit")
    assert kinds(expired, foreign) == ["expired", "mismatch"]


def test_an_empty_folder_for_certificates_is_refused_with_the_command_to_create_one() -> None:
    (objection,) = judged(CertificateScan(()))
    assert (objection.kind, objection.is_warning) == ("no-certificate", False)
    assert objection.advice == "dartsctl init --certificate /srv/certs"
    assert kinds(certificate(key="none")) == ["no-certificate"]


def test_nothing_is_missing_where_the_stack_creates_it() -> None:
    certbot = Service("certbot", mounts=(Mount("/srv/certs", "/etc/letsencrypt"),))
    assert kinds(beside=certbot) == []
    assert kinds(mount=Mount("/srv/certs", "/letsencrypt", read_only=False)) == []  # traefik, caddy


def test_nothing_is_missing_where_no_mount_is_for_certificates() -> None:
    assert kinds(mount=Mount("/srv/nginx", "/etc/nginx", read_only=True)) == []


def test_an_unreadable_folder_is_a_warning() -> None:
    (objection,) = judged(CertificateScan((), (Path("/srv/certs"),)))
    assert (objection.kind, objection.is_warning) == ("unchecked", True)


@pytest.mark.parametrize(
    ("shift", "problem"), [(-2, "is not valid before"), (0, ""), (40, "expired on")]
)
def test_the_dates_of_a_served_certificate_are_judged_as_clients_do(
    shift: int, problem: str
) -> None:
    begin = 1_795_000_000.0
    result = date_problem(begin, begin + 30 * 86400, begin + shift * 86400)
    assert result.startswith(problem)
    assert bool(result) is bool(problem)
