"""What Compose's and the engine's error texts mean: the tables of EDGE-CASES.md, engine-rules.md#error-texts, engine-rules.md#compose-config and engine-rules.md#error-texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dartsctl.stack.bindings import HIGHEST_PORT, Endpoint, normal_address, parse_protocol
from dartsctl.text.numbers import parse_digits

FailureKind = Literal[
    "port",
    "address",
    "privileged",
    "unsupported",
    "image",
    "paused",
    "name",
    "network",
    "engine",
    "unhealthy",
    "other",
]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an `up` failed. `endpoint` is set where the text names one; `raw` is the engine's own sentence, for --json."""

    kind: FailureKind
    sentence: str
    raw: str
    endpoint: Endpoint | None = None
    container: str = ""


_PATTERNS: tuple[tuple[str, FailureKind, str], ...] = (
    (r"port is already allocated", "port", "another container has this port"),
    (r"all ports are allocated", "port", "every number of the range is taken"),
    (r"unable to find a node with port", "port", "no node of the swarm has this port free"),
    (
        r"forbidden by its access permissions",
        "port",
        "Windows keeps this port in an excluded range: netsh int ipv4 show excludedportrange tcp",
    ),
    (
        r"[Pp]orts are not available|Only one usage of each socket address|EADDRINUSE|HNS failed with error",
        "port",
        "the port is in use on this host",
    ),
    (r"address already in use", "port", "the port is in use on this host"),
    (
        r"cannot assign requested address|failed to bind host port .*invalid argument",
        "address",
        "this host has no such address",
    ),
    (
        r"cannot expose privileged port|bind: permission denied|failed to bind.*permission denied",
        "privileged",
        "the engine may not bind ports this low",
    ),
    (
        r"address family not supported|protocol not supported",
        "unsupported",
        "this kernel does not know the address family or protocol",
    ),
    (
        r"cannot start a paused container",
        "paused",
        "the container is paused: docker compose unpause",
    ),
    (r"container name .* is already in use", "name", "another container has this name"),
    (
        r"network .* (declared as external, but could not be found|not found)",
        "network",
        "a network is missing",
    ),
    # before the image: "unable to get image 'x': Cannot connect to the Docker daemon"
    (
        r"[Cc]annot connect to the Docker daemon|error during connect|permission denied while trying to connect",
        "engine",
        "the Docker engine does not answer",
    ),
    (
        r"unable to get image|pull access denied|manifest (unknown|for)|No such image|failed to resolve reference",
        "image",
        "an image cannot be had",
    ),
    (
        r"dependency failed to start|is unhealthy",
        "unhealthy",
        "a service that others wait for is not healthy",
    ),
)

_ENDPOINT = re.compile(
    r"(?:listen (?:tcp|udp)[46]? |failed to bind host port(?: \d+)? for |failed to bind host port |failed to bind port |exposing port (?:TCP|UDP) )"
    r"(\[[0-9a-f:.]+\]|[0-9.]+):(\d+)"
)
_BOOKED = re.compile(
    r"Bind for ([0-9a-f:.]+):(\d+) failed"
)  # here IPv6 stands without brackets: `:::5000`, `::1:5000`
_CONTAINER = re.compile(r"on endpoint (\S+) \([0-9a-f]{64}\)")
_UNSET = re.compile(r'The \\?"(\w+)\\?" variable is not set')


def classify(text: str) -> Failure:
    """The Failure that `text`, the output of a failed `up`, tells of: its last line that says anything known, else its last line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        for pattern, kind, sentence in _PATTERNS:
            if re.search(pattern, line):
                container = _CONTAINER.search(line)
                return Failure(
                    kind, sentence, line, _endpoint(line), container[1] if container else ""
                )
    last = lines[-1] if lines else "no output"
    return Failure("other", plain(last), last)


def _endpoint(line: str) -> Endpoint | None:
    match = _BOOKED.search(line) or _ENDPOINT.search(line)
    if not match:
        return None
    protocol = "udp" if re.search(r"listen udp|/udp|exposing port UDP", line) else "tcp"
    port = parse_digits(match[2], HIGHEST_PORT)
    try:
        return (
            None
            if port is None
            else Endpoint(port, normal_address(match[1]), parse_protocol(protocol))
        )
    except ValueError:
        return None


def plain(line: str) -> str:
    """One line of Compose's stderr without its decoration: level and time of a log line, "Error response from daemon: "."""
    if match := re.search(r'level=\w+ msg="((?:[^"\\]|\\.)*)"', line):
        line = match[1].replace('\\"', '"')
    return (
        line.removeprefix("Error response from daemon: ")
        .removeprefix("error during connect: ")
        .strip()
    )


def without_env_text(line: str) -> str:
    """Compose's complaint about an env file without the text that it quotes: what it cannot read there may be a secret."""
    return re.sub(
        r"(failed to read .*: line \d+): .*",
        r"\1: not a NAME=value line, or a quote is not closed",
        line,
    )


def unset_variables(stderr: str) -> tuple[str, ...]:
    """Names of the variables that Compose replaced by an empty string."""
    return tuple(dict.fromkeys(_UNSET.findall(stderr)))


_CONFIG_HINTS: tuple[tuple[str, str], ...] = (
    (r"required variable (\w+) is missing", "set {0} in the environment's env file"),
    (r"env file (\S+) not found", "create {0}, or take it out of env_file"),
    (r"^yaml: |mapping values|did not find expected", "check the indentation of the line it names"),
    (
        r"additional propert|must be a|validating ",
        "compare with https://docs.docker.com/reference/compose-file/",
    ),
    (
        r"invalid (?:hostPort|containerPort|ranges|IP address|proto|port)",
        "write ports as [ADDRESS:]HOST:CONTAINER[/tcp|udp], e.g. 127.0.0.1:8080:80",
    ),
    (r"no configuration file provided", "name one: dartsctl check -f FILE"),
    (r"open (\S+): no such file", "check the path {0}"),
    (r"empty compose file", "add a services: section"),
    (r"no such service: (\S+)", "docker compose config --services shows the names"),
    (r"depends on undefined service", "add the service or take it out of depends_on"),
    (r"container name must be unique", "remove container_name or the replicas"),
)


def config_hint(line: str) -> str:
    """What to do about an error of `docker compose config`."""
    for pattern, hint in _CONFIG_HINTS:
        if match := re.search(pattern, line):
            return hint.format(*match.groups())
    return "docker compose config"
