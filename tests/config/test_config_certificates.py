"""Which services have certificates, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from dartsctl.config.certificates import (
    Certificate,
    Shelf,
    about_dates,
    front_doors,
    holds_certificates,
    judge,
)
from dartsctl.stack.model import Mount, PortEntry, Service, Stack

DAY = 86400.0
NOW = 1_800_000_000.0
CERTS = Mount("/srv/certs", "/etc/nginx/certs", read_only=True)
Key = Literal["fits", "does not fit", "unreadable", "none"]


def certificate(
    days: float = 100, *, name: str = "tls.crt", key: Key = "fits", since: float = -100
) -> Certificate:
    """One that ends in `days` and began `since` days from now."""
    return Certificate(Path("/srv/certs") / name, NOW + since * DAY, NOW + days * DAY, key)


def stack_of(*mounts: Mount, port: int = 443, beside: Service | None = None) -> Stack:
    nginx = Service("nginx", ports=(PortEntry(port, "tcp", str(port)),), mounts=mounts)
    return Stack("shop", {"nginx": nginx, **({beside.name: beside} if beside else {})}, {})


def kinds(
    *certificates: Certificate, mount: Mount = CERTS, beside: Service | None = None
) -> list[str]:
    return [
        one.kind
        for one in judge(
            "nginx", (mount,), Shelf(certificates), stack_of(mount, beside=beside), NOW
        )
    ]


def test_only_a_service_that_publishes_https_and_mounts_something_is_a_front_door() -> None:
    assert front_doors(stack_of(CERTS)) == {"nginx": (CERTS,)}
    assert front_doors(stack_of(CERTS, port=80)) == {}
    assert front_doors(stack_of()) == {}


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
def test_a_paths_name_says_that_certificates_are_in_it(path: str) -> None:
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
def test_another_name_does_not(path: str) -> None:
    assert not holds_certificates(path)


def test_a_certificate_that_is_valid_for_long_is_said_nothing_about() -> None:
    assert kinds(certificate()) == []
    assert kinds(certificate(key="unreadable")) == []


def test_one_that_has_ended_is_refused_with_its_day() -> None:
    (one,) = judge("nginx", (CERTS,), Shelf((certificate(-1),)), stack_of(CERTS), NOW)
    assert one.kind == "expired"
    assert not one.is_warning
    assert one.sentence == "/srv/certs/tls.crt expired on 2027-01-14"
    assert one.advice == "openssl x509 -noout -subject -dates -in /srv/certs/tls.crt"


def test_an_ended_one_is_refused_even_where_its_key_cannot_be_read() -> None:
    assert kinds(certificate(-1, key="unreadable")) == ["expired"]


def test_one_that_is_not_valid_yet_is_refused() -> None:
    assert kinds(certificate(since=1)) == ["not-yet-valid"]


@pytest.mark.parametrize(("days", "told"), [(13.9, ["expiring"]), (14, []), (0, ["expired"])])
def test_the_last_fourteen_days_are_warned_about(days: float, told: list[str]) -> None:
    found = judge("nginx", (CERTS,), Shelf((certificate(days),)), stack_of(CERTS), NOW)
    assert [one.kind for one in found] == told
    assert all(one.is_warning for one in found) == (told != ["expired"])


def test_of_several_one_good_pair_is_enough_and_the_others_are_warned_about() -> None:
    found = judge(
        "nginx",
        (CERTS,),
        Shelf((certificate(-1, name="old.crt"), certificate())),
        stack_of(CERTS),
        NOW,
    )
    assert [(one.kind, one.is_warning) for one in found] == [("unchecked", True)]
    assert "old.crt expired on" in found[0].sentence
    assert kinds(certificate(-1), certificate(-2, name="b.crt")) == ["expired", "expired"]


def test_a_certificate_of_an_authority_is_not_the_servers() -> None:
    assert kinds(certificate(), certificate(-500, name="ca.crt", key="none")) == []


def test_a_key_that_belongs_to_another_certificate_is_refused() -> None:
    assert kinds(certificate(key="does not fit")) == ["mismatch"]
    assert kinds(certificate(key="does not fit"), certificate(name="b.crt")) == []


def test_a_folder_for_certificates_without_any_is_refused_with_the_command_that_makes_one() -> None:
    (one,) = judge("nginx", (CERTS,), Shelf(()), stack_of(CERTS), NOW)
    assert (one.kind, one.is_warning) == ("no-certificate", False)
    assert one.advice == "dartsctl init --certificate /srv/certs"
    assert kinds(certificate(key="none")) == ["no-certificate"]


def test_nothing_is_missing_where_the_stack_makes_it_itself() -> None:
    certbot = Service("certbot", mounts=(Mount("/srv/certs", "/etc/letsencrypt"),))
    assert kinds(beside=certbot) == []
    assert kinds(mount=Mount("/srv/certs", "/letsencrypt", read_only=False)) == []  # traefik, caddy


def test_nothing_is_missing_where_no_mount_is_for_certificates() -> None:
    assert kinds(mount=Mount("/srv/nginx", "/etc/nginx", read_only=True)) == []


def test_a_folder_that_we_may_not_read_is_told_and_not_refused() -> None:
    found = judge("nginx", (CERTS,), Shelf((), (Path("/srv/certs"),)), stack_of(CERTS), NOW)
    assert [(one.kind, one.is_warning) for one in found] == [("unchecked", True)]


@pytest.mark.parametrize(
    ("shift", "said"), [(-2, "is not valid before"), (0, ""), (40, "expired on")]
)
def test_the_dates_of_a_certificate_that_was_shown_are_judged_as_a_client_does(
    shift: int, said: str
) -> None:
    begin = 1_795_000_000.0
    found = about_dates(begin, begin + 30 * 86400, begin + shift * 86400)
    assert found.startswith(said)
    assert bool(found) is bool(said)
