"""Error texts as Compose and the engines write them.

Sources: engine-rules.md#error-texts and engine-rules.md#compose-config.
"""

from __future__ import annotations

import pytest

from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.compose_errors import (
    classify,
    plain_message,
    unset_variables,
    without_env_text,
)

ID = "a44463d6bdeb4bf4bc9aca91686b8f1296ce2a1c8e0c7c8cb7f78027102cdf96"
DRIVER = f"driver failed programming external connectivity on endpoint demo-a-1 ({ID}): "
OLD = f"Error response from daemon: {DRIVER}"
NEW = f"Error response from daemon: failed to set up container networking: {DRIVER}"
PROXY = "Error starting userland proxy: "
FORBIDDEN = (
    "Ports are not available: exposing port TCP 0.0.0.0:5000 -> 0.0.0.0:0: listen tcp "
    "0.0.0.0:5000: bind: "
    "An attempt was made to access a socket in a way forbidden by its access permissions."
)


@pytest.mark.parametrize(
    "text",
    [
        # 28.5 and 20.10
        "Error response from daemon: failed to set up container networking: Address already in use",
        "Error response from daemon: Address already in use",
        "no configured subnet or ip-range contain the IP address 10.213.8.4",
        (
            "user specified IP address is supported only when connecting to networks with user"
            " configured subnets"
        ),
    ],
)
def test_an_address_of_a_container_is_no_port(text: str) -> None:
    assert classify(text).kind == "container-address"


@pytest.mark.parametrize(
    ("text", "kind", "endpoint"),
    [
        # 20.10 and 26.1
        (
            OLD + PROXY + "listen tcp4 0.0.0.0:21201: bind: address already in use",
            "port",
            Endpoint(21201, "0.0.0.0"),
        ),
        (
            OLD + PROXY + "listen tcp6 [::]:21201: bind: address already in use",
            "port",
            Endpoint(21201, "::"),
        ),
        (
            OLD + PROXY + "listen tcp6 [::1]:21201: bind: address already in use",
            "port",
            Endpoint(21201, "::1"),
        ),
        (
            OLD + PROXY + "listen udp4 0.0.0.0:53: bind: address already in use",
            "port",
            Endpoint(53, "0.0.0.0", "udp"),
        ),
        (
            OLD + PROXY + "listen udp6 [::]:53: bind: address already in use",
            "port",
            Endpoint(53, "::", "udp"),
        ),
        (
            OLD + "Bind for 0.0.0.0:21203 failed: port is already allocated",
            "port",
            Endpoint(21203, "0.0.0.0"),
        ),
        (
            OLD + "Bind for 127.0.0.1:21203 failed: port is already allocated",
            "port",
            Endpoint(21203, "127.0.0.1"),
        ),
        (
            OLD + "Bind for :::21203 failed: port is already allocated",
            "port",
            Endpoint(21203, "::"),
        ),
        (OLD + "all ports are allocated", "port", None),
        (
            OLD + PROXY + "listen tcp4 10.9.9.9:21204: bind: cannot assign requested address",
            "address",
            Endpoint(21204, "10.9.9.9"),
        ),
        (OLD + PROXY + "protocol not supported", "unsupported", None),
        # 28
        (
            NEW + "failed to bind host port for 0.0.0.0:21000:172.28.0.2:80/tcp: address already "
            "in use",
            "port",
            Endpoint(21000, "0.0.0.0"),
        ),
        (
            NEW
            + "failed to bind host port for [::]:21000:172.28.0.2:80/tcp: address already in use",
            "port",
            Endpoint(21000, "::"),
        ),
        (
            NEW
            + "failed to bind host port for [::1]:21000:172.28.0.2:80/udp: address already in use",
            "port",
            Endpoint(21000, "::1", "udp"),
        ),
        (
            NEW + "failed to bind host port 21002 for 0.0.0.0:21002-21004:172.28.0.2:80/tcp: "
            "address already in use",
            "port",
            Endpoint(21002, "0.0.0.0"),
        ),
        (
            NEW + "failed to bind host port for 10.9.9.9:21000:172.28.0.2:80/tcp: cannot assign "
            "requested address",
            "address",
            Endpoint(21000, "10.9.9.9"),
        ),
        (
            NEW
            + "failed to bind host port for [fe80::1]:21000:172.28.0.2:80/tcp: invalid argument",
            "address",
            Endpoint(21000, "fe80::1"),
        ),
        (NEW + "failed to listen on TCP socket: address already in use", "port", None),
        (
            NEW + "Bind for 0.0.0.0:21000 failed: port is already allocated",
            "port",
            Endpoint(21000, "0.0.0.0"),
        ),
        (
            NEW + "Bind for ::1:21000 failed: port is already allocated",
            "port",
            Endpoint(21000, "::1"),
        ),
        (
            NEW + "Bind for fd00::2:21000 failed: port is already allocated",
            "port",
            Endpoint(21000, "fd00::2"),
        ),
        (NEW + "all ports are allocated", "port", None),
        (
            NEW + "error starting userland proxy: failed to listen on 0.0.0.0:21000: protocol "
            "not supported",
            "unsupported",
            None,
        ),
        # 29
        (
            NEW + "failed to bind host port 0.0.0.0:21000/tcp: address already in use",
            "port",
            Endpoint(21000, "0.0.0.0"),
        ),
        (NEW + "failed to listen on tcp socket: address already in use", "port", None),
    ],
)
def test_a_bind_failure_of_an_engine_on_linux(
    text: str, kind: str, endpoint: Endpoint | None
) -> None:
    failure = classify(text)
    assert (failure.kind, failure.endpoint, failure.container, failure.raw) == (
        kind,
        endpoint,
        "demo-a-1",
        text,
    )


@pytest.mark.parametrize(
    ("text", "kind", "endpoint"),
    [
        (
            (
                "failed to bind port 0.0.0.0:5000/tcp: Error starting userland proxy: address "
                "already in use"
            ),
            "port",
            Endpoint(5000, "0.0.0.0"),
        ),
        (
            (
                "Ports are not available: exposing port TCP 0.0.0.0:5000 -> 127.0.0.1:0: listen "
                "tcp 0.0.0.0:5000: bind: address already in use"
            ),
            "port",
            Endpoint(5000, "0.0.0.0"),
        ),
        (
            (
                "ports are not available: exposing port UDP 0.0.0.0:53 -> 0.0.0.0:0: listen udp "
                "0.0.0.0:53: bind: address already in use"
            ),
            "port",
            Endpoint(53, "0.0.0.0", "udp"),
        ),
        (
            (
                "Ports are not available: listen tcp 0.0.0.0:80: bind: Only one usage of each "
                "socket address (...) is normally permitted."
            ),
            "port",
            Endpoint(80, "0.0.0.0"),
        ),
        (
            FORBIDDEN,
            "port",
            Endpoint(5000, "0.0.0.0"),
        ),
        (
            "driver failed programming external connectivity: Failed to bind: EADDRINUSE",
            "port",
            None,
        ),
        ("unexpected error (Failure EADDRINUSE)", "port", None),
        (
            (
                "HNS failed with error : The process cannot access the file because it is being "
                "used by another process."
            ),
            "port",
            None,
        ),
        ("unable to find a node with port 5000 available", "port", None),
        (
            PROXY + "error while calling PortManager.AddPort(): cannot expose privileged port 80, "
            "...: listen tcp4 0.0.0.0:80: bind: permission denied",
            "privileged",
            Endpoint(80, "0.0.0.0"),
        ),
        (
            OLD + PROXY + "listen tcp4 0.0.0.0:80: bind: permission denied",
            "privileged",
            Endpoint(80, "0.0.0.0"),
        ),
        (
            NEW + "failed to bind host port for 0.0.0.0:80:172.28.0.2:80/tcp: permission denied",
            "privileged",
            Endpoint(80, "0.0.0.0"),
        ),
        (
            OLD + PROXY + "listen tcp6 [::]:80: socket: address family not supported by protocol",
            "unsupported",
            Endpoint(80, "::"),
        ),
    ],
    ids=[
        "newer engine",
        "desktop",
        "desktop udp",
        "windows in use",
        "windows excluded range",
        "old mac",
        "older mac",
        "windows containers",
        "swarm",
        "rootless",
        "not allowed, old",
        "not allowed, new",
        "ipv6 off",
    ],
)
def test_a_bind_failure_elsewhere(text: str, kind: str, endpoint: Endpoint | None) -> None:
    # edge-cases.md#17, edge-cases.md#40, edge-cases.md#44, edge-cases.md#45, edge-cases.md#46
    assert (classify(text).kind, classify(text).endpoint) == (kind, endpoint)


def test_windows_excluded_ranges_differ_from_a_port_in_use() -> None:  # edge-cases.md#46
    assert "excludedportrange" in classify(FORBIDDEN).sentence
    assert (
        "excludedportrange"
        not in classify(
            "listen tcp 0.0.0.0:5000: bind: Only one usage of each socket address"
        ).sentence
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            (
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the "
                "docker daemon running?"
            ),
            "engine",
        ),
        (
            (
                "unable to get image 'busybox:local': Cannot connect to the Docker daemon at "
                "unix:///x.sock. Is the docker daemon running?"
            ),
            "engine",
        ),
        (
            (
                "permission denied while trying to connect to the Docker daemon socket at "
                "unix:///var/run/docker.sock: Get ..."
            ),
            "engine",
        ),
        (
            (
                "error during connect: Get http://host:2375/v1.47/info: dial tcp: lookup host: "
                "no such host"
            ),
            "engine",
        ),
        (
            "unable to get image 'nope:1': Error response from daemon: No such image: nope:1",
            "image",
        ),
        (
            (
                "Error response from daemon: pull access denied for nope, repository does not "
                "exist or may require 'docker login'"
            ),
            "image",
        ),
        (
            (
                "Error response from daemon: manifest for busybox:none not found: manifest "
                "unknown: manifest unknown"
            ),
            "image",
        ),
        (
            (
                "Error response from daemon: failed to resolve reference "
                '"docker.io/library/nope:1": not found'
            ),
            "image",
        ),
        (
            "Error response from daemon: cannot start a paused container, try unpause instead",
            "paused",
        ),
        (
            (
                'Error response from daemon: Conflict. The container name "/front" is already in '
                'use by container "0123".'
            ),
            "name",
        ),
        ("network company declared as external, but could not be found", "network"),
        (
            (
                "Error response from daemon: failed to set up container networking: network 0123 "
                "not found"
            ),
            "network",
        ),
        ("dependency failed to start: container demo-db-1 is unhealthy", "unhealthy"),
        ("dependency failed to start: container demo-db-1 exited (1)", "unhealthy"),
        (
            (
                "Error response from daemon: conflicting options: port publishing and the "
                "container type network mode"
            ),
            "other",
        ),
    ],
)
def test_other_failures_of_up(text: str, kind: str) -> None:
    failure = classify(text)
    assert (failure.kind, failure.endpoint, failure.raw) == (kind, None, text)


def test_the_last_line_with_a_known_text_decides() -> None:
    text = "\n".join(
        [
            " Network demo_default  Created",
            " Container demo-b-1  Error response from daemon: No such image: nope:1",
            NEW + "Bind for 0.0.0.0:21000 failed: port is already allocated",
            " Container demo-c-1  Created",
            "",
        ]
    )
    assert (classify(text).kind, classify(text).endpoint) == ("port", Endpoint(21000, "0.0.0.0"))
    assert classify(text).raw.startswith("Error response from daemon: failed to set up")


def test_an_unknown_failure_is_shown_in_the_engines_words() -> None:
    failure = classify("Container a  Created\nError response from daemon: something new\n")
    assert (failure.kind, failure.sentence, failure.raw) == (
        "other",
        "something new",
        "Error response from daemon: something new",
    )


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_failure_without_output_says_so(text: str) -> None:
    assert (classify(text).kind, classify(text).sentence) == ("other", "no output")


@pytest.mark.parametrize(
    ("line", "bare"),
    [
        ("Error response from daemon: no such thing", "no such thing"),
        ('time="2026-11-23T20:19:37Z" level=error msg="say \\"why\\" not"', 'say "why" not'),
        ("  yaml: line 4: x  ", "yaml: line 4: x"),
    ],
)
def test_a_line_is_shown_without_its_decoration(line: str, bare: str) -> None:
    assert plain_message(line) == bare


def test_unset_variables_are_listed_once_and_in_order() -> None:  # edge-cases.md#48
    warning = (
        'time="2026-11-23T20:19:37Z" level=warning msg="The \\"{}\\" variable is not set. '
        'Defaulting to a blank string."\n'
    )
    assert unset_variables(
        "".join(warning.format(name) for name in ("WEB_PORT", "TOKEN", "WEB_PORT"))
    ) == ("WEB_PORT", "TOKEN")
    assert unset_variables('level=warning msg="the attribute `version` is obsolete"') == ()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [  # Compose 2.40: both quote the text of the file
        (
            "failed to read /srv/.env: line 2: unterminated quoted value 'canary",
            "failed to read /srv/.env: line 2",
        ),
        (
            (
                'failed to read /srv/.env: line 1: unexpected character "/" in variable name '
                '"canary/x"'
            ),
            "failed to read /srv/.env: line 1",
        ),
    ],
)
def test_the_quoted_text_of_an_env_file_is_left_out(raw: str, shown: str) -> None:
    assert without_env_text(raw) == f"{shown}: not a NAME=value line, or a quote is not closed"
    assert without_env_text("env file /srv/x.env not found") == "env file /srv/x.env not found"
