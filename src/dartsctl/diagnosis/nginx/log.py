"""nginx's error log: which upstream failed how often and how, since when, until when; and why nginx could not start.

nginx writes local time without a zone (`2026/11/23 22:58:51`), so the engine's own time of a line counts where the log comes from it; a log file's
times are taken in the container's own zone (edge-cases.md#79).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum

from dartsctl.text.phrases import local_time
from dartsctl.text.safe_text import cut


class NginxFailure(Enum):
    """What went wrong, in the words of people."""

    REFUSED = "connection refused"
    NO_ROUTE = "no route to host"
    CONNECT_TIMEOUT = "no answer to the connection"
    CONNECT = "connection failed"
    NO_LIVE = "no live upstreams"
    HOST_NOT_FOUND = "host not found in upstream"
    NOT_RESOLVED = "the name could not be resolved"
    READ_TIMEOUT = "no answer to the request"
    CLOSED = "closed without an answer"
    RESET = "connection reset"
    HANDSHAKE = "TLS handshake failed"
    CERTIFICATE = "cannot load certificate"
    BIND = "cannot bind"
    EMERGENCY = "cannot start"
    """Any other [emerg] line: nginx ends, or does not take a new configuration."""


_PATTERNS: tuple[tuple[re.Pattern[str], NginxFailure], ...] = tuple(
    (re.compile(pattern), failure)
    for pattern, failure in (
        (r'host not found in upstream "(?P<name>[^"]+)"', NginxFailure.HOST_NOT_FOUND),
        (r"cannot load certificate(?: key)? \"(?P<name>[^\"]+)\"", NginxFailure.CERTIFICATE),
        (r"SSL_CTX_use_PrivateKey\(\"?(?P<name>[^\")]+)\"?\) failed", NginxFailure.CERTIFICATE),
        (r"bind\(\) to (?P<name>\S+) failed", NginxFailure.BIND),
        (r"connect\(\)(?: to (?P<name>\S+))? failed \((?:111|61)\b", NginxFailure.REFUSED),
        (r"connect\(\)(?: to (?P<name>\S+))? failed \((?:113|65|101)\b", NginxFailure.NO_ROUTE),
        (r"connect\(\)(?: to (?P<name>\S+))? failed \((?:110|60)\b", NginxFailure.CONNECT_TIMEOUT),
        (r"connect\(\)(?: to (?P<name>\S+))? failed", NginxFailure.CONNECT),
        (r"no live upstreams", NginxFailure.NO_LIVE),
        (r"(?P<name>\S+) could not be resolved", NginxFailure.NOT_RESOLVED),
        (r"upstream timed out .* while connecting", NginxFailure.CONNECT_TIMEOUT),
        (r"upstream timed out", NginxFailure.READ_TIMEOUT),
        (r"upstream prematurely closed connection", NginxFailure.CLOSED),
        (r"(?:recv|send|writev)\(\) failed \(104\b.* upstream", NginxFailure.RESET),
        (
            r"SSL_do_handshake\(\) failed .* upstream|upstream SSL certificate",
            NginxFailure.HANDSHAKE,
        ),
        (r"\[emerg\]", NginxFailure.EMERGENCY),
    )
)
_LINE = re.compile(
    r"(?:(\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d) |nginx: )\[(\w+)\] (?:\d+#\d+: )?(?:\*\d+ )?(.*)",
    re.DOTALL,
)
_UPSTREAM = re.compile(r'upstream: "(?:\w+://)?((?:\[[^\]"]*\]|[^:/"]*)(?::\d+)?)')
_LEVELS = ("error", "crit", "alert", "emerg", "warn")


@dataclass(frozen=True, slots=True)
class LoggedFailure:
    """One line that tells of a failure. `when`: Unix time, None where it has none; `upstream`: the `address:port` asked, as far as it says so."""

    failure: NginxFailure
    text: str
    when: float | None = None
    upstream: str = ""
    name: str = ""
    """The host, file or address that the failure is about."""


@dataclass(frozen=True, slots=True)
class FailureCount:
    """The same failure of the same upstream, again and again."""

    failure: NginxFailure
    upstream: str
    count: int
    first: float | None
    last: float | None
    example: str
    """The last line, without its time."""
    name: str = ""

    @property
    def line(self) -> str:
        """`3 times connection refused (172.18.0.5:5000), <first> to <last>: connect() failed`."""
        times = "once" if self.count == 1 else f"{self.count} times"
        upstream = f" ({self.upstream})" if self.upstream else ""
        span = ""
        if self.first is not None and self.last is not None:
            span = f", {local_time(self.first)}"
            if self.count > 1:
                span += f" to {local_time(self.last)}"
        return f"{times} {self.failure.value}{upstream}{span}: {self.example[:300]}"


def entry(line: str, *, stamp: str = "", offset: float = 0.0) -> LoggedFailure | None:
    """The failure that one line tells of. `stamp` is the engine's time of the line, else the line's own counts, `offset` seconds east of UTC."""
    found = _LINE.match(cut(line.strip()))
    if not found or found[7] not in _LEVELS:
        return None
    text = found[8]
    for pattern, failure in _PATTERNS:
        if match := pattern.search(
            f"[{found[7]}] {text}" if failure is NginxFailure.EMERGENCY else text
        ):
            if found[7] == "warn" and failure is not NginxFailure.HANDSHAKE:
                return None
            upstream = _UPSTREAM.search(text)
            name = match.groupdict().get("name") or ""
            return LoggedFailure(
                failure, text, _moment(stamp, found, offset), upstream[1] if upstream else "", name
            )
    return None


def count(entries: Iterable[LoggedFailure]) -> tuple[FailureCount, ...]:
    """How often each upstream failed how, the latest last."""
    found: dict[tuple[NginxFailure, str, str], FailureCount] = {}
    for one in entries:
        key = (one.failure, one.upstream, one.name)
        known = found.pop(key, None)
        first = known.first if known and known.first is not None else one.when
        found[key] = FailureCount(
            one.failure,
            one.upstream,
            (known.count if known else 0) + 1,
            first,
            one.when,
            one.text,
            one.name,
        )
    return tuple(found.values())


def seconds_east(zone: str) -> float:
    """`+0200`, as `date +%z` says it, in seconds; 0 for anything else."""
    match = re.fullmatch(r"([+-])(\d\d)(\d\d)", zone.strip())
    if not match:
        return 0.0
    return (1 if match[1] == "+" else -1) * (int(match[2]) * 3600 + int(match[3]) * 60)


def moment(stamp: str) -> float | None:
    """The engine's time of something (RFC 3339 with nanoseconds) as Unix time; None for none, and for its zero time, the year 1."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?\d*(Z|[+-]\d\d:\d\d)", stamp)
    if not match or match[1].startswith("0001"):
        return None
    try:
        return datetime.fromisoformat(
            f"{match[1]}{(match[2] or '.0').ljust(7, '0')}{match[3].replace('Z', '+00:00')}"
        ).timestamp()
    except (ValueError, OverflowError):
        return None


def _moment(stamp: str, found: re.Match[str], offset: float) -> float | None:
    if stamp:
        return moment(stamp)
    if found[1] is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(found[part]) for part in range(1, 7))
        zone = timezone(timedelta(seconds=offset))
        local = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        return local.astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None
