"""Reading nginx's error log: lines written by nginx 1.26 and 1.22."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.diagnosis.nginx import log
from dartsctl.diagnosis.nginx.log import NginxFailure

TAIL = (
    ', client: 10.201.0.1, server: , request: "GET / HTTP/1.1", '
    'upstream: "http://10.201.0.2:5000/", host: "localhost"'
)
RECORDED = Path(__file__).parents[2] / "data/nginx/error-lines.tsv"
HEAD = "2026/11/23 23:24:21 [error] 9#9: *1 "


@pytest.mark.parametrize(
    ("line", "failure", "upstream", "name"),
    [
        (
            f"{HEAD}connect() failed (111: Connection refused) while connecting to upstream{TAIL}",
            NginxFailure.REFUSED,
            "10.201.0.2:5000",
            "",
        ),
        (
            f"{HEAD}connect() failed (113: No route to host) while connecting to upstream{TAIL}",
            NginxFailure.NO_ROUTE,
            "10.201.0.2:5000",
            "",
        ),
        (
            f"{HEAD}connect() failed (113: Host is unreachable) while connecting to upstream{TAIL}",
            NginxFailure.NO_ROUTE,
            "10.201.0.2:5000",
            "",
        ),
        (
            (
                f"{HEAD}upstream timed out (110: Connection timed out) while connecting to "
                f"upstream{TAIL}"
            ),
            NginxFailure.CONNECT_TIMEOUT,
            "10.201.0.2:5000",
            "",
        ),
        (
            (
                f"{HEAD}upstream timed out (110: Operation timed out) while reading response "
                f"header from upstream{TAIL}"
            ),
            NginxFailure.READ_TIMEOUT,
            "10.201.0.2:5000",
            "",
        ),
        (
            (
                f"{HEAD}upstream prematurely closed connection while reading response header "
                f"from upstream{TAIL}"
            ),
            NginxFailure.CLOSED,
            "10.201.0.2:5000",
            "",
        ),
        (
            (
                f"{HEAD}recv() failed (104: Connection reset by peer) while reading response "
                f"header from upstream{TAIL}"
            ),
            NginxFailure.RESET,
            "10.201.0.2:5000",
            "",
        ),
        (
            (
                f"{HEAD}no live upstreams while connecting to upstream, client: 1.2.3.4, server: "
                f', request: "GET / HTTP/1.1", upstream: "http://pool/"'
            ),
            NginxFailure.NO_LIVE,
            "pool",
            "",
        ),
        (
            (
                f"{HEAD}app could not be resolved (3: Host not found), client: 10.201.0.1, "
                f'server: , request: "GET / HTTP/1.1", host: "localhost"'
            ),
            NginxFailure.NOT_RESOLVED,
            "",
            "app",
        ),
        (
            (
                "2026/11/23 23:24:21 [crit] 9#9: *3 SSL_do_handshake() failed (SSL: "
                "error:0A00010B:SSL routines::wrong version number) "
                "while SSL handshaking to upstream, client: 1.2.3.4, server: _, request: "
                '"GET / HTTP/1.1", upstream: "https://[fd00::5]:9443/"'
            ),
            NginxFailure.NOT_TLS,
            "[fd00::5]:9443",
            "",
        ),
        (
            (
                '2026/11/23 23:24:39 [emerg] 7#7: host not found in upstream "darts-app:5000" in '
                "/etc/nginx/nginx.conf:11"
            ),
            NginxFailure.HOST_NOT_FOUND,
            "",
            "darts-app:5000",
        ),
        (
            'nginx: [emerg] host not found in upstream "app" in /etc/nginx/nginx.conf:11',
            NginxFailure.HOST_NOT_FOUND,
            "",
            "app",
        ),
        (
            (
                "2026/11/23 23:24:45 [emerg] 8#8: cannot load certificate "
                '"/etc/nginx/certs/tls.crt": BIO_new_file() failed (SSL: error:80000002)'
            ),
            NginxFailure.CERTIFICATE,
            "",
            "/etc/nginx/certs/tls.crt",
        ),
        (
            (
                'nginx: [emerg] cannot load certificate key "/etc/nginx/certs/tls.key": '
                "PEM_read_bio_PrivateKey() failed"
            ),
            NginxFailure.CERTIFICATE,
            "",
            "/etc/nginx/certs/tls.key",
        ),
        (
            "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
            NginxFailure.BIND,
            "",
            "0.0.0.0:80",
        ),
        (
            'nginx: [emerg] unknown directive "proxy_pas" in /etc/nginx/nginx.conf:11',
            NginxFailure.EMERGENCY,
            "",
            "",
        ),
        (
            (
                f"{HEAD}connect() to unix:/run/app.sock failed (2: No such file or directory) "
                f"while connecting"
            ),
            NginxFailure.NO_SOCKET,
            "",
            "unix:/run/app.sock",
        ),
    ],
)
def test_a_line_is_classified_by_failure_upstream_and_name(
    line: str, failure: NginxFailure, upstream: str, name: str
) -> None:  # edge-cases.md#71
    row = log.parse_line(line)
    assert row is not None
    assert (row.failure, row.upstream, row.name) == (failure, upstream, name)


@pytest.mark.parametrize(
    "line",
    [
        "",
        '10.0.0.1 - - [23/Nov/2026:23:24:21 +0000] "GET /?q=connect()%20failed HTTP/1.1" 502 157',
        "2026/11/23 23:24:41 [notice] 8#8: signal 17 (SIGCHLD) received from 9",
        (
            '2026/11/23 23:24:41 [error] 8#8: *1 open() "/www/x" failed (2: No such file or '
            "directory), client: 1.2.3.4"
        ),
        '2026/11/23 23:24:41 [warn] 8#8: conflicting server name "a" on 0.0.0.0:80, ignored',
        "Traceback (most recent call last):",
        "[emerg",
    ],
)
def test_other_lines_are_no_failure(line: str) -> None:
    """The word "error" in a log proves nothing."""
    assert log.parse_line(line) is None


def refused(second: int, upstream: str = "10.0.0.2:5000") -> str:
    return (
        f"2026/11/23 23:24:{second:02} [error] 9#9: *1 connect() failed "
        f'(111: Connection refused) while connecting, upstream: "http://{upstream}/"'
    )


def test_failures_are_counted_by_upstream_and_kind_with_their_first_and_last_time() -> None:
    lines = [refused(1), refused(5, "10.0.0.3:5000"), refused(9)]
    late, other = sorted(
        log.count_failures(row for line in lines if (row := log.parse_line(line))),
        key=lambda count: -count.count,
    )
    assert (late.count, late.upstream, other.count) == (2, "10.0.0.2:5000", 1)
    assert late.first is not None
    assert late.last is not None
    assert late.last - late.first == 8


def test_the_latest_rowis_last() -> None:
    lines = [refused(1), refused(5, "10.0.0.3:5000"), refused(9)]
    assert (
        log.count_failures(row for line in lines if (row := log.parse_line(line)))[-1].upstream
        == "10.0.0.2:5000"
    )


def test_the_engine_s_time_takes_precedence_over_the_line_s() -> None:
    row = log.parse_line(refused(1), stamp="2026-11-23T21:24:01.500000000Z")
    assert row is not None
    assert row.when == log.parse_moment("2026-11-23T21:24:01.5Z")


def test_a_file_s_times_are_in_the_container_s_zone() -> None:
    """edge-cases.md#79: nginx writes local time and no zone."""
    here, there = (
        log.parse_line(refused(1)),
        log.parse_line(refused(1), offset=log.seconds_east("+0530")),
    )
    assert here is not None
    assert there is not None
    assert here.when == log.parse_moment("2026-11-23T23:24:01Z")
    assert there.when == log.parse_moment("2026-11-23T17:54:01Z")


@pytest.mark.parametrize(
    ("zone", "seconds"), [("+0000", 0), ("+0530", 19800), ("-0330", -12600), ("CET", 0), ("", 0)]
)
def test_a_zone_is_read_as_date_prints_it(zone: str, seconds: int) -> None:
    assert log.seconds_east(zone) == seconds


@pytest.mark.parametrize("stamp", ["", "0001-01-01T00:00:00Z", "yesterday", "2026-13-40T99:00:00Z"])
def test_an_invalid_time_is_none(stamp: str) -> None:
    assert log.parse_moment(stamp) is None


def test_an_impossible_date_leaves_the_rowwithout_a_time() -> None:
    row = log.parse_line(refused(1).replace("2026/11/23", "2026/02/31"))
    assert row is not None
    assert row.when is None


# --- recorded lines ---------------------------------------------------------------------------


@pytest.mark.parametrize("row", RECORDED.read_text().splitlines())
def test_each_recorded_line_of_nginx_1_22_is_classified(row: str) -> None:
    failure, upstream, name, line = row.split("\t")
    parsed = log.parse_line(line)
    assert parsed is not None
    assert (parsed.failure.name, parsed.upstream, parsed.name) == (failure, upstream, name)


def test_a_count_knows_the_path_of_its_last_request_and_the_line_of_the_configuration() -> None:
    rows = [row.split("\t")[3] for row in RECORDED.read_text().splitlines()]
    counts = log.count_failures(filter(None, map(log.parse_line, rows)))
    assert {count.path for count in counts} >= {"/loop/", "/typo/", "/pool/", ""}
    assert [count.place for count in counts if count.place] == ["/etc/nginx/nginx.conf:3"]
