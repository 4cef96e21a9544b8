"""nginx's error log: which upstream failed how often, how and when; why nginx could not start.

nginx writes local time without a zone (`2026/11/23 22:58:51`). So the engine's own time of a line
counts where the log comes from it. The times of a log file are taken in the container's zone
(edge-cases.md#79).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum

from dartsctl.records import record
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import local_time
from dartsctl.text.safe_text import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class NginxFailure(Enum):
    """What went wrong, in words."""

    REFUSED = "connection refused"
    NO_ROUTE = "no route to host"
    CONNECT_TIMEOUT = "no answer to the connection"
    CONNECT = "connection failed"
    NO_LIVE = "no live upstreams"
    HOST_NOT_FOUND = "host not found in upstream"
    NOT_RESOLVED = "the name could not be resolved"
    NO_RESOLVER = "no resolver is defined"
    RESOLVER_DOWN = "the name server does not answer"
    NO_SOCKET = "no such socket"
    READ_TIMEOUT = "no answer to the request"
    CLOSED = "closed without an answer"
    RESET = "connection reset"
    NOT_TLS = "the upstream does not speak TLS"
    HANDSHAKE = "TLS handshake failed"
    OTHER_PROTOCOL = "the upstream speaks another protocol"
    TOO_BIG_HEADER = "the header of the answer is too big"
    INVALID_ANSWER = "the answer is no valid HTTP"
    CERTIFICATE = "cannot load certificate"
    BIND = "cannot bind"
    EMERGENCY = "cannot start"
    """Any other [emerg] line: nginx ends, or does not take a new configuration."""
    WORKER_KILLED = "a worker process was killed"


_NO_TLS = (
    "wrong version number|packet length too long|unexpected message|record layer failure"
    "|unknown protocol"
)
"""OpenSSL's reasons where the first bytes of an answer are not TLS."""
_PATTERNS: tuple[tuple[re.Pattern[str], NginxFailure], ...] = tuple(
    (re.compile(pattern), failure)
    for pattern, failure in (
        (r'host not found in upstream "(?P<name>[^"]+)"', NginxFailure.HOST_NOT_FOUND),
        (r"cannot load certificate(?: key)? \"(?P<name>[^\"]+)\"", NginxFailure.CERTIFICATE),
        (r"SSL_CTX_use_PrivateKey\(\"?(?P<name>[^\")]+)\"?\) failed", NginxFailure.CERTIFICATE),
        (r"bind\(\) to (?P<name>\S+) failed", NginxFailure.BIND),
        (r"connect\(\) to (?P<name>unix:\S+) failed \((?:2|20)\b", NginxFailure.NO_SOCKET),
        (r"connect\(\)(?: to (?P<name>\S+))? failed \((?:111|61)\b", NginxFailure.REFUSED),
        (r"connect\(\)(?: to (?P<name>\S+))? failed \((?:113|65|101)\b", NginxFailure.NO_ROUTE),
        (r"connect\(\)(?: to (?P<name>\S+))? failed \((?:110|60)\b", NginxFailure.CONNECT_TIMEOUT),
        (r"connect\(\)(?: to (?P<name>\S+))? failed", NginxFailure.CONNECT),
        (r"no live upstreams", NginxFailure.NO_LIVE),
        (r"no resolver defined to resolve (?P<name>[^\s,]+)", NginxFailure.NO_RESOLVER),
        (r"while resolving, resolver: (?P<name>\S+)", NginxFailure.RESOLVER_DOWN),
        (r"(?P<name>\S+) could not be resolved \(110\b", NginxFailure.RESOLVER_DOWN),
        (r"(?P<name>\S+) could not be resolved", NginxFailure.NOT_RESOLVED),
        (r"upstream timed out .* while connecting", NginxFailure.CONNECT_TIMEOUT),
        (r"upstream timed out", NginxFailure.READ_TIMEOUT),
        (r"upstream prematurely closed connection", NginxFailure.CLOSED),
        (r"(?:recv|readv|send|writev)\(\) failed \(104\b.* upstream", NginxFailure.RESET),
        (r"upstream sent (?:unsupported FastCGI|unexpected FastCGI)", NginxFailure.OTHER_PROTOCOL),
        (r"upstream sent .*\b(?:http2|frame)\b", NginxFailure.OTHER_PROTOCOL),
        (r"upstream sent too big header", NginxFailure.TOO_BIG_HEADER),
        (
            r"upstream sent (?:no valid|invalid|duplicate|both|more than)",
            NginxFailure.INVALID_ANSWER,
        ),
        (r"worker process \d+ exited on signal", NginxFailure.WORKER_KILLED),
        (rf"SSL_do_handshake\(\) failed .*(?:{_NO_TLS}).* upstream", NginxFailure.NOT_TLS),
        (
            r"SSL_do_handshake\(\) failed .* upstream|upstream SSL certificate",
            NginxFailure.HANDSHAKE,
        ),
    )
)
_LINE = regex(
    r"(?s)(?:(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d) "
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d) |nginx: )"
    r"\[(?P<level>\w+)\] (?:\d+#\d+: )?(?:\*\d+ )?(?P<text>.*)",
)
_UPSTREAM = regex(r'upstream: "(?:\w+://)?((?:\[[^\]"]*\]|[^:/"]*)(?::\d+)?)')
_PLACE = regex(r" in (/[^\s:]+:\d+)$")
_BEGIN = regex(r"\s*(?:\d{4}/\d\d/\d\d \d\d:|nginx: )")
_REQUEST = regex(r'request: "\w+ (\S+)')
_LEVELS = ("error", "crit", "alert", "emerg", "warn")


@record
class LogParts:
    """One line of the error log. `when` is Unix time, None if the line has none."""

    level: str
    text: str
    when: float | None = None


@record
class LoggedFailure:
    """One line that reports a failure."""

    failure: NginxFailure
    text: str
    when: float | None = None
    """Unix time, None if the line has none."""
    upstream: str = ""
    """`address:port` of the upstream, as far as the line names it."""
    name: str = ""
    """The host, file or address that the failure is about."""


@record
class FailureCount:
    """The same failure of the same upstream, counted."""

    failure: NginxFailure
    upstream: str
    count: int
    first: float | None
    last: float | None
    example: str
    """The last line, without its time."""
    name: str = ""

    @property
    def place(self) -> str:
        """The line of the configuration that it names: `/etc/nginx/conf.d/default.conf:4`."""
        match = _PLACE.search(self.example)
        return match[1] if match else ""

    @property
    def path(self) -> str:
        """The path of the last request that failed like this."""
        return request_path(self.example)

    @property
    def line(self) -> str:
        """`3 times connection refused (172.18.0.5:5000), <first> to <last>: connect() failed`."""
        times = "once" if self.count == 1 else f"{self.count} times"
        line = f"{times} {self.failure.value}"
        if self.upstream:
            line += f" ({self.upstream})"
        if self.first is not None and self.last is not None:
            line += f", {local_time(self.first)}"
            if self.count > 1:
                line += f" to {local_time(self.last)}"
        return f"{line}: {self.example[:300]}"


def may_be_line(line: str) -> bool:
    """Whether a line may be one of the error log, by its beginning."""
    return bool(_BEGIN.match(line))


def request_path(text: str) -> str:
    """Return the path of the request that a line is about; empty if it is about none."""
    match = _REQUEST.search(text)
    return match[1] if match else ""


def split_line(line: str, *, stamp: str = "", offset: float = 0.0) -> LogParts | None:
    """Return the parts of a line of the error log, None for any other line.

    `stamp` and `offset` are as in `parse_line`.
    """
    match = _LINE.match(cut(line.strip()))
    if not match:
        return None
    when = parse_moment(stamp) if stamp else _local_moment(match, offset)
    return LogParts(match["level"], match["text"], when)


def parse_line(line: str, *, stamp: str = "", offset: float = 0.0) -> LoggedFailure | None:
    """Return the failure that a line reports, None for any other line.

    `stamp` is the engine's time of the line. Without it the line's own time counts, `offset`
    seconds east of UTC.
    """
    parts = split_line(line, stamp=stamp, offset=offset)
    if parts is None or parts.level not in _LEVELS:
        return None
    level, text = parts.level, parts.text
    failure, name = _classify(level, text)
    if failure is None or (level == "warn" and failure is not NginxFailure.HANDSHAKE):
        return None
    upstream = _UPSTREAM.search(text)
    return LoggedFailure(
        failure, text, when=parts.when, upstream=upstream[1] if upstream else "", name=name
    )


def _classify(level: str, text: str) -> tuple[NginxFailure | None, str]:
    """Return the first failure whose pattern fits, and the name in it."""
    for pattern, failure in _PATTERNS:
        if match := pattern.search(text):
            return failure, match.groupdict().get("name") or ""
    if "[emerg]" in f"[{level}] {text}":
        return NginxFailure.EMERGENCY, ""
    return None, ""


def count_failures(failures: Iterable[LoggedFailure]) -> tuple[FailureCount, ...]:
    """Return how often each upstream failed and how, the latest last."""
    counts: dict[tuple[NginxFailure, str, str], FailureCount] = {}
    for row in failures:
        key = (row.failure, row.upstream, row.name)
        known = counts.pop(key, None)
        count, first = 1, row.when
        if known:
            count = known.count + 1
            if known.first is not None:
                first = known.first
        counts[key] = FailureCount(
            failure=row.failure,
            upstream=row.upstream,
            count=count,
            first=first,
            last=row.when,
            example=row.text,
            name=row.name,
        )
    return tuple(counts.values())


def seconds_east(zone: str) -> float:
    """Return a zone as `date +%z` prints it (`+0200`) in seconds; 0 for anything else."""
    match = re.fullmatch(r"([+-])(\d\d)(\d\d)", zone.strip())
    if not match:
        return 0.0
    sign, hours, minutes = match.groups()
    return float(f"{sign}{int(hours) * 3600 + int(minutes) * 60}")


def parse_moment(stamp: str) -> float | None:
    """Return the engine's time (RFC 3339 with nanoseconds) as Unix time.

    None for anything else, and for the engine's zero time, which is in the year 1.
    """
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)", stamp)
    if not match or match[1].startswith("0001"):
        return None
    fraction = (match[2] or ".0").ljust(7, "0")
    zone = match[3].replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(f"{match[1]}{fraction}{zone}").timestamp()
    except (ValueError, OverflowError):
        return None


def _local_moment(line: re.Match[str], offset: float) -> float | None:
    """Return the time that a line begins with as Unix time."""
    if line["year"] is None:
        return None
    parts = ("year", "month", "day", "hour", "minute", "second")
    year, month, day, hour, minute, second = (int(line[part]) for part in parts)
    try:
        zone = timezone(timedelta(seconds=offset))
        local = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        return local.astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None
