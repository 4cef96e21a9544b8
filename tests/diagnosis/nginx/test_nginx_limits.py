"""The site's own limits, in nginx's configuration and in its log (edge-cases.md#72)."""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.nginx import config as nginx_config
from dartsctl.diagnosis.nginx.config import Config
from dartsctl.diagnosis.nginx.limits import Limit, parse_limited
from dartsctl.diagnosis.nginx.log import parse_line

ZONES = """
limit_req_zone $binary_remote_addr zone=site:10m rate=1r/s;
limit_req_zone $server_name zone=slow:1m rate=30r/m;
limit_conn_zone $binary_remote_addr zone=addr:10m;
"""
PASS = "proxy_pass http://app:5000;"


def config(server: str, http: str = "", main: str = "") -> Config:
    text = f"{main} http {{ {ZONES} {http} server {{ {server} }} }}"
    return nginx_config.read({"/etc/nginx/nginx.conf": text})


def limits(server: str, http: str = "", main: str = "") -> tuple[Limit, ...]:
    (route,) = config(server, http, main).routes
    return route.limits


def location(inner: str) -> str:
    return f"location / {{ {inner} {PASS} }}"


@pytest.mark.parametrize(
    ("server", "http", "expected"),
    [
        (location("limit_req zone=site;"), "", [Limit("site", 1.0)]),
        (location("limit_req zone=site burst=5 nodelay;"), "", [Limit("site", 1.0)]),
        (location("limit_req burst=5 zone=site;"), "", [Limit("site", 1.0, delayed=5)]),
        (location("limit_req zone=site burst=8 delay=3;"), "", [Limit("site", 1.0, delayed=5)]),
        (location("limit_req zone=slow;"), "", [Limit("slow", 0.5)]),
        ("limit_req zone=site;" + location(""), "", [Limit("site", 1.0)]),
        (location(""), "limit_req zone=site;", [Limit("site", 1.0)]),
        (location("limit_req zone=slow;"), "limit_req zone=site;", [Limit("slow", 0.5)]),
        (
            location("limit_req zone=site; limit_req zone=slow;"),
            "",
            [Limit("site", 1.0), Limit("slow", 0.5)],
        ),
        (location("limit_conn addr 2;"), "", [Limit("addr", connections=2)]),
        (
            location("limit_req zone=site; limit_req_status 429;"),
            "limit_conn_status 420;",
            [Limit("site", 1.0, status=429)],
        ),
        (location("limit_conn addr 1; limit_conn_status 429;"), "",
         [Limit("addr", connections=1, status=429)]),
        (location("limit_req zone=site; limit_req_dry_run on;"), "", []),
        (location("limit_req zone=none;"), "", []),
        (location("limit_req zone=$zone;"), "", []),
        (location("limit_req;"), "", []),
        (location("limit_conn addr;"), "", []),
        (location(""), "", []),
    ],
)  # fmt: skip
def test_the_limits_of_a_location_are_its_own_or_inherited(
    server: str, http: str, expected: list[Limit]
) -> None:
    assert list(limits(server, http)) == expected


def test_a_server_has_the_limits_of_its_own_level() -> None:
    (server,) = config("limit_req zone=site; " + location("limit_req zone=slow;")).servers
    assert [limit.zone for limit in server.limits] == ["site"]


@pytest.mark.parametrize(
    ("inner", "main", "is_logged"),
    [
        ("", "", True),
        ("", "error_log /var/log/nginx/error.log;", True),
        ("", "error_log stderr info;", True),
        ("", "error_log stderr crit;", False),
        ("", "error_log syslog:server=10.0.0.1;", False),
        ("", "error_log /dev/null;", False),
        ("limit_req_log_level warn;", "", False),
        ("limit_req_log_level warn;", "error_log stderr warn;", True),
        ("error_log /own.log crit;", "error_log stderr;", False),
    ],
)
def test_a_refusal_is_logged_from_its_level_on(inner: str, main: str, is_logged: bool) -> None:
    (limit,) = limits(location("limit_req zone=site; " + inner), main=main)
    assert limit.is_logged is is_logged


def test_a_pause_is_longer_than_the_rate_asks_for() -> None:
    assert 1.0 < Limit("site", 1.0).pause < 1.5
    assert Limit("addr", connections=2).pause == 0.0
    assert Limit("site", 2.0, delayed=6).longest_delay == 3.0


@pytest.mark.parametrize(
    ("line", "zone", "is_refused"),
    [
        (
            (
                "2026/11/26 13:15:07 [error] 9#9: *39 limiting requests, excess: 3.414 by zone "
                '"site", client: 10.0.0.1, server: , request: "GET /other/?q=1 HTTP/1.1"'
            ),
            "site",
            True,
        ),
        (
            (
                '2026/11/26 13:15:07 [error] 9#9: *4 limiting connections by zone "addr", client: '
                '10.0.0.1, server: , request: "GET /other/?q=1 HTTP/2.0", host: "localhost"'
            ),
            "addr",
            True,
        ),
        (
            (
                '2026/11/26 13:15:07 [warn] 9#9: *4 delaying request, excess: 0.5, by zone "site", '
                'client: 10.0.0.1, server: , request: "GET /other/?q=1 HTTP/2.0", host: "localhost"'
            ),
            "site",
            False,
        ),
    ],
)
def test_a_limited_request_is_read_from_the_log_and_is_no_failure(
    line: str, zone: str, is_refused: bool
) -> None:
    limited = parse_limited(line, stamp="2026-11-26T13:15:07.5Z")
    assert limited
    assert (limited.zone, limited.path, limited.is_refused) == (zone, "/other/?q=1", is_refused)
    assert limited.when == 1795698907.5
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "2026/11/26 13:15:07 [error] 9#9: *39 open() failed (2: No such file or directory)",
        (
            "2026/11/26 13:15:07 [error] 9#9: *1 limiting requests, dry run, excess: 3.4 by zone "
            '"site", client: 10.0.0.1, request: "GET / HTTP/1.1"'
        ),
        'GET /limiting requests by zone "site"',
    ],
)
def test_other_lines_are_about_no_limit(line: str) -> None:
    assert parse_limited(line) is None
