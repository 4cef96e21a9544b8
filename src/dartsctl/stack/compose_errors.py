"""Classify the error texts of Compose and the engine.

Sources: engine-rules.md#error-texts, engine-rules.md#compose-config.
"""

from __future__ import annotations

import re

from dartsctl.records import record, replace
from dartsctl.stack.bindings import HIGHEST_PORT, Endpoint, normal_address, parse_protocol
from dartsctl.text.numbers import parse_digits
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    FailureKind = Literal[
        "port",
        "address",
        "privileged",
        "unsupported",
        "image",
        "paused",
        "name",
        "container-address",
        "network",
        "engine",
        "unhealthy",
        "other",
    ]


@record
class ComposeFailure:
    """Why an `up` failed.

    `endpoint` and `container` are set if the text names them. `raw` is the engine's own sentence.
    """

    kind: FailureKind
    sentence: str
    raw: str
    endpoint: Endpoint | None = None
    container: str = ""
    """The container, or the service whose image is missing, if the output tells it."""
    advice: str = ""
    """What to do, if it is known."""


_PATTERNS: tuple[tuple[str, FailureKind, str], ...] = (
    (r"port is already allocated", "port", "another container has this port"),
    (r"all ports are allocated", "port", "every number of the range is taken"),
    (r"unable to find a node with port", "port", "no swarm node has this port free"),
    (
        r"forbidden by its access permissions",
        "port",
        "Windows reserves this port: netsh int ipv4 show excludedportrange tcp",
    ),
    (
        (
            r"[Pp]orts are not available|Only one usage of each socket address|EADDRINUSE"
            r"|HNS failed with error"
        ),
        "port",
        "the port is in use on this host",
    ),
    # of the engine's IPAM; a bind's error has a small letter
    (r"\bAddress already in use", "container-address", "a fixed container address is taken"),
    (
        (r"no configured subnet or ip-range contain|user specified IP address is supported only"),
        "container-address",
        "a fixed container address does not fit its network",
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
        "the engine is not allowed to bind ports this low",
    ),
    (
        r"address family not supported|protocol not supported",
        "unsupported",
        "this kernel does not support the address family or protocol",
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
    # before "image": "unable to get image 'x': Cannot connect to the Docker daemon"
    (
        (
            r"[Cc]annot connect to the Docker daemon|error during connect"
            r"|permission denied while trying to connect"
        ),
        "engine",
        "the Docker engine does not answer",
    ),
    (
        (
            r"unable to get image|(?:Get|Head) \"https?://[^\"]+/v2/|pull access denied"
            r"|manifest (unknown|for)|No such image"
            r"|failed to resolve reference"
        ),
        "image",
        "image not available",
    ),
    (
        r"dependency failed to start|is unhealthy",
        "unhealthy",
        "a service that others depend on is unhealthy",
    ),
)

_ENDPOINT = regex(
    r"(?:listen (?:tcp|udp)[46]? |failed to bind host port(?: \d+)? for "
    r"|failed to bind host port |failed to bind port |exposing port (?:TCP|UDP) )"
    r"(\[[0-9a-f:.]+\]|[0-9.]+):(\d+)"
)
_ALLOCATED = regex(r"Bind for ([0-9a-f:.]+):(\d+) failed")
"""Here IPv6 has no brackets: `:::5000`, `::1:5000`."""
_CONTAINER = regex(r"on endpoint (\S+) \([0-9a-f]{64}\)")
_NAMED_KINDS = ("other", "image", "network", "name")
"""Kinds whose texts contain a name that the sentence should have."""
_UNSET = regex(r'The \\?"(\w+)\\?" variable is not set')


_BUILD_FAILED = regex(r"^(?:target \S+: )?failed to solve: ")
_BUILD_STEP = regex(r"^> \[(?P<service>\S+) ")
_GOES_ON = regex(r"^#\d+ |^\S+ Warning ")
"""What a build prints, and images that cannot be pulled but built."""


def classify(text: str) -> ComposeFailure:
    """Return the failure that the output of a failed `up` describes.

    The last line with a known text decides. If there is none, the last line is the failure. What
    the steps of a build print is none: a program under test may say anything.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        if _BUILD_FAILED.match(line):
            return _failed_build(line, lines)
        failure = None if _GOES_ON.match(line) else _known_failure(line)
        if failure:
            return _named(failure, lines)
    from dartsctl.stack.start_errors import without_wrappers  # only a failure pays for its patterns

    last = lines[-1] if lines else "no output"
    sentence = without_wrappers(plain_message(last))
    return _named(ComposeFailure("other", sentence, last), lines)


def _failed_build(line: str, lines: list[str]) -> ComposeFailure:
    """Return the failure of a build, and the service whose step the output shows."""
    from dartsctl.stack.start_errors import explain_start

    steps = [match["service"] for each in lines if (match := _BUILD_STEP.match(each))]
    service = steps[-1] if steps else ""
    error = explain_start(line)
    if error:
        return ComposeFailure("other", error.sentence, line, None, service, error.advice)
    return ComposeFailure("other", plain_message(line), line, container=service)


def _named(failure: ComposeFailure, lines: list[str]) -> ComposeFailure:
    """Return the failure with the names in its text, and the container that it belongs to."""
    from dartsctl.stack.start_errors import explain_start, whose

    if not failure.container and failure.kind != "name":
        failure = replace(failure, container=whose(lines, failure.raw))
    if failure.kind not in _NAMED_KINDS:
        return failure
    last_two = "\n".join(lines[-2:])  # an error of the engine may have two lines
    error = explain_start(failure.raw)
    if error is None and failure.raw in last_two:
        error = explain_start(last_two)
    if error is None:
        return failure
    return replace(failure, sentence=error.sentence, advice=error.advice)


def _known_failure(line: str) -> ComposeFailure | None:
    for pattern, kind, sentence in _PATTERNS:
        if re.search(pattern, line):
            container = _CONTAINER.search(line)
            name = container[1] if container else ""
            return ComposeFailure(kind, sentence, line, endpoint=_endpoint(line), container=name)
    return None


def _endpoint(line: str) -> Endpoint | None:
    match = _ALLOCATED.search(line) or _ENDPOINT.search(line)
    if not match:
        return None
    port = parse_digits(match[2], HIGHEST_PORT)
    if port is None:
        return None
    is_udp = re.search(r"listen udp|/udp|exposing port UDP", line)
    protocol = parse_protocol("udp" if is_udp else "tcp")
    try:
        return Endpoint(port, normal_address(match[1]), protocol)
    except ValueError:
        return None


def plain_message(line: str) -> str:
    """Return a line of Compose's stderr without log level, time and the daemon's prefixes."""
    if match := re.search(r'level=\w+ msg="((?:[^"\\]|\\.)*)"', line):
        line = match[1].replace('\\"', '"')
    line = line.removeprefix("Error response from daemon: ")
    return line.removeprefix("error during connect: ").strip()


def without_env_text(line: str) -> str:
    """Return Compose's error about an env file without the text that it quotes.

    The quoted text may be a secret.
    """
    return re.sub(
        r"(failed to read .*: line \d+): .*",
        r"\1: not a NAME=value line, or a quote is not closed",
        line,
    )


def unset_variables(stderr: str) -> tuple[str, ...]:
    """Return the names of the variables that Compose replaced by an empty string."""
    return tuple(dict.fromkeys(_UNSET.findall(stderr)))


def lacks_variable(stderr: str) -> bool:
    """Return whether Compose stopped at a variable that the files require and nothing sets."""
    return re.search(r"required variable \w+ is missing a value", stderr) is not None


_INCOMPLETE = regex(
    r"has neither an image nor a build context|depends on undefined service"
    r"|refers to undefined (?:network|volume|secret|config|build secret)"
)


def lacks_base(line: str) -> bool:
    """Return whether an error says that the files refer to something that none of them defines.

    That is how an overlay fails without the file that it changes.
    """
    return _INCOMPLETE.search(line) is not None
