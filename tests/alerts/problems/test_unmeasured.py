"""What a look could not measure is as it was."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.problems.unmeasured import carried_over
from dartsctl.alerts.state import Episode, Phase
from dartsctl.diagnosis.facts import CertificateEnd
from fakes.stack_facts import NOW, answer, facts

URL = answer(200).url
TLS = "https://localhost:443/"


def carried(
    subject: Subject,
    *,
    phase: Phase = "open",
    requests: tuple[str, ...] = (),
    has_files: bool = True,
    **more: Any,
) -> bool:
    problem = Problem(subject, "no-answer", "app fails", data={"requests": list(requests)})
    episode = Episode("1", problem, NOW, phase)
    rows = carried_over([episode], facts(**more), (URL,), has_files=has_files)
    return list(rows) == [problem]


APP = Subject("service", "app")


@pytest.mark.parametrize(
    ("http", "is_carried"),
    [
        ((answer(200),), False),
        ((answer(503, limited="the site's limit"),), True),
        ((), True),
    ],
)
def test_a_failed_request_has_to_be_asked_again(http: tuple[Any, ...], is_carried: bool) -> None:
    assert carried(APP, requests=(URL,), http=http) is is_carried
    assert not carried(APP, http=http)


def test_a_url_that_is_no_longer_asked_does_not_keep_an_episode() -> None:
    assert not carried(APP, requests=("http://localhost/gone",), http=())


def test_what_is_only_suspected_is_not_carried_over() -> None:
    assert not carried(APP, requests=(URL,), http=(), phase="pending")
    assert carried(APP, requests=(URL,), http=(), phase="closing")


def test_without_the_files_a_service_without_a_container_is_unknown() -> None:
    gone = Subject("service", "db")
    assert carried(gone, has_files=False)
    assert not carried(gone, has_files=True)
    assert not carried(APP, has_files=False)
    assert not carried(Subject("site"), has_files=False)


@pytest.mark.parametrize(
    ("where", "ends", "is_carried"),
    [
        (TLS, (), True),
        (TLS, (CertificateEnd(TLS, NOW + 9, is_served=True),), False),
        (TLS, (CertificateEnd("https://localhost:8443/", NOW + 9, is_served=True),), True),
        ("/tls/a.pem", (), False),
    ],
)
def test_a_certificate_that_was_shown_has_to_be_shown_again(
    where: str, ends: tuple[CertificateEnd, ...], is_carried: bool
) -> None:
    assert carried(Subject("certificate", where), certificate_ends=ends) is is_carried


def test_engine_port_and_disk_are_always_measured() -> None:
    for subject in (Subject("engine"), Subject("port", "5000/tcp"), Subject("disk")):
        assert not carried(subject, has_files=False, http=())
