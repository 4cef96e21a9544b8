"""Certificates that end soon, in files and as the proxy shows them."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.alerts.problem import Problem
from dartsctl.alerts.problems.of_certificate import ending_certificates
from dartsctl.diagnosis.facts import CertificateEnd, EngineFacts, ProxyFacts
from dartsctl.diagnosis.nginx.config import Config, Listen, Server
from dartsctl.records import replace
from dartsctl.stack.model import Mount
from fakes.stack_facts import NOW, facts

DAY = 86400.0
URL = "https://localhost:443/"


def ending(*rows: CertificateEnd, days: int = 14, **more: Any) -> list[Problem]:
    return list(ending_certificates(facts(certificate_ends=rows, **more), days))


def file(days: float, path: str = "/tls/a.pem") -> CertificateEnd:
    return CertificateEnd(path, NOW + days * DAY)


def served(days: float, url: str = URL) -> CertificateEnd:
    return CertificateEnd(url, NOW + days * DAY, is_served=True)


@pytest.mark.parametrize("days", [14.1, 90, 0, -3])
def test_a_certificate_that_lasts_or_has_ended_is_no_problem_here(days: float) -> None:
    assert ending(file(days), served(days)) == []


@pytest.mark.parametrize(
    ("days", "words"), [(13.5, "in 13 days"), (1.5, "in 1 day"), (0.5, "in less than a day")]
)
def test_one_that_ends_soon_is_a_warning_with_its_date(days: float, words: str) -> None:
    (problem,) = ending(file(days))
    assert problem.severity == "warning"
    assert problem.sentence.startswith("/tls/a.pem expires on 2026-")
    assert problem.sentence.endswith(words)
    assert str(problem.subject) == "certificate:/tls/a.pem"
    assert problem.command == (
        "put a new certificate into /tls/a.pem, then run `dartsctl prod restart web`"
    )


def test_the_days_are_those_of_the_settings() -> None:
    assert ending(file(20)) == []
    assert len(ending(file(20), days=30)) == 1
    assert ending(file(1), days=0) == []


def test_the_file_that_the_proxy_shows_is_one_problem() -> None:
    assert [row.subject.name for row in ending(file(3), served(3))] == ["/tls/a.pem"]


def test_a_renewed_file_that_the_proxy_does_not_show_yet_needs_a_restart() -> None:
    (problem,) = ending(file(80), served(3), served(3, "https://localhost:443/api/"))
    assert problem.sentence.startswith(f"the certificate at {URL} expires on")
    assert problem.command == "dartsctl prod restart web"


@pytest.mark.parametrize(
    ("named", "problems"),
    [
        (("/etc/nginx/tls/a.pem",), ["/tls/a.pem"]),
        (("/etc/nginx/tls/b.pem",), ["/tls/b.pem"]),
        (("/etc/nginx/tls/a.pem", "/etc/nginx/tls/b.pem"), ["/tls/a.pem", "/tls/b.pem"]),
        (("/etc/ssl/of-the-image.pem",), []),
        (("/etc/nginx/tls/$ssl_server_name.pem",), ["/tls/a.pem", "/tls/b.pem"]),
        (("tls/a.pem",), ["/tls/a.pem", "/tls/b.pem"]),
        ((), ["/tls/a.pem", "/tls/b.pem"]),
    ],
)
def test_of_several_files_those_that_nginx_names_count(
    named: tuple[str, ...], problems: list[str]
) -> None:
    config = Config((Server((Listen(443, tls=True),), certificates=named), Server((Listen(80),))))
    proxy = ProxyFacts("web", "nginx", config, mounts=(Mount("/tls", "/etc/nginx/tls/"),))
    rows = ending(file(3), file(4, "/tls/b.pem"), proxy=proxy)
    assert [row.subject.name for row in rows] == problems


def test_a_server_without_certificates_of_its_own_may_use_any_file() -> None:
    named = Server((Listen(443, tls=True),), certificates=("/etc/nginx/tls/a.pem",))
    config = Config((named, Server((Listen(444, tls=True),))))
    proxy = ProxyFacts("web", "nginx", config, mounts=(Mount("/tls", "/etc/nginx/tls"),))
    rows = ending(file(3), file(4, "/tls/b.pem"), proxy=proxy)
    assert [row.subject.name for row in rows] == ["/tls/a.pem", "/tls/b.pem"]


def test_a_file_is_looked_for_in_the_innermost_mount() -> None:
    config = Config((Server((Listen(443, tls=True),), certificates=("/etc/nginx/tls/a.pem",)),))
    mounts = (Mount("/conf", "/etc/nginx"), Mount("/tls", "/etc/nginx/tls"))
    proxy = ProxyFacts("web", "nginx", config, mounts=mounts)
    rows = ending(file(3), file(4, "/conf/tls/a.pem"), proxy=proxy)
    assert [row.subject.name for row in rows] == ["/tls/a.pem"]


def test_the_engines_clock_does_not_change_how_long_a_certificate_lasts() -> None:
    ahead = EngineFacts("unix:///x", "29.0", skew=DAY)
    now = replace(facts(certificate_ends=(file(3.5),)), now=NOW + DAY, engine=ahead)
    (problem,) = ending_certificates(now, 14)
    assert problem.sentence.endswith("in 3 days")
