"""The site's own limits: `limit_req` and `limit_conn` in nginx's configuration and in its log.

Sources: ngx_http_limit_req_module, ngx_http_limit_conn_module.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dartsctl.diagnosis.nginx.log import split_line
from dartsctl.records import field, record, replace
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dartsctl.diagnosis.nginx.grammar import Directive

_LEVELS = ("debug", "info", "notice", "warn", "error", "crit", "alert", "emerg")
_RATE = regex(r"rate=(\d{1,9})r/([sm])")
_UNLOGGED = ("syslog:", "memory:", "/dev/null", "off")
_LINE = regex(
    r"(?P<what>limiting requests|limiting connections|delaying request)(?!, dry run)"
    r'.* by zone "(?P<zone>[^"]*)"'
)
_REQUEST = regex(r'request: "[A-Z]+ (?P<path>[^ "]+)')
_MARGIN = 0.1
"""Seconds: a request may be a little later than the one before it."""


@record
class Limit:
    """One limit of a location."""

    zone: str
    rate: float = 0.0
    """Requests per second; 0 for a limit of connections."""
    delayed: int = 0
    """How many requests above the rate are delayed instead of refused."""
    connections: int = 0
    """Requests at once, of a limit of connections."""
    status: int = 503
    """The status of a refusal."""
    is_logged: bool = True
    """Whether the error log has every refusal."""

    @property
    def pause(self) -> float:
        """The seconds between two requests that never exceed it."""
        return 1 / self.rate + _MARGIN if self.rate else 0.0

    @property
    def longest_delay(self) -> float:
        """The seconds by which an answer may be late."""
        return self.delayed / self.rate if self.rate else 0.0

    def __str__(self) -> str:
        return f"{'limit_req' if self.rate else 'limit_conn'} zone {self.zone}"


@record
class LimitScope:
    """The limits that a block has from its own level and from the outer ones."""

    rates: Mapping[str, float] = field(default_factory=dict)
    """Zone of requests -> requests per second."""
    least_logged: str = "error"
    """The level from which on the error log has all lines, empty if it cannot be read."""
    requests: tuple[Directive, ...] = ()
    connections: tuple[Directive, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def inner(self, block: Sequence[Directive]) -> LimitScope:
        """Return the scope of a block inside. A level's own limits replace the outer ones."""
        requests = tuple(row for row in block if row.name == "limit_req")
        connections = tuple(row for row in block if row.name == "limit_conn")
        settings = dict(self.settings)
        for row in block:
            if row.name.startswith("limit_") and len(row.words) == 2:
                settings[row.name] = row.words[1]
        return replace(
            self,
            requests=requests or self.requests,
            connections=connections or self.connections,
            settings=settings,
        )

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits of a location with this scope."""
        limits = []
        if self.settings.get("limit_req_dry_run") != "on":
            limits += list(filter(None, map(self._of_requests, self.requests)))
        if self.settings.get("limit_conn_dry_run") != "on":
            limits += list(filter(None, map(self._of_connections, self.connections)))
        return tuple(limits)

    def _of_requests(self, directive: Directive) -> Limit | None:
        options = dict(word.partition("=")[::2] for word in directive.words[1:])
        zone = options.get("zone", "")
        rate = self.rates.get(zone)
        if not rate:
            return None
        burst, free = _number(options.get("burst", "")), _number(options.get("delay", ""))
        delayed = 0 if "nodelay" in options else max(burst - free, 0)
        return replace(self._limit(zone, "limit_req"), rate=rate, delayed=delayed)

    def _of_connections(self, directive: Directive) -> Limit | None:
        if len(directive.words) < 3:
            return None
        zone, count = directive.words[1:3]
        return replace(self._limit(zone), connections=_number(count))

    def _limit(self, zone: str, module: str = "limit_conn") -> Limit:
        status = _number(self.settings.get(f"{module}_status", "")) or 503
        level = self.settings.get(f"{module}_log_level", "error")
        return Limit(zone, status=status, is_logged=self._logs(level))

    def _logs(self, level: str) -> bool:
        if level not in _LEVELS or self.least_logged not in _LEVELS:
            return False
        return _LEVELS.index(level) >= _LEVELS.index(self.least_logged)


def limit_scope(http: Iterable[Directive], error_logs: Iterable[Directive]) -> LimitScope:
    """Return the scope of the whole configuration, before any block."""
    rates: dict[str, float] = {}
    for row in http:
        words = " ".join(row.words)
        zone, rate = re.search(r"zone=([^:\s]+)", words), _RATE.search(words)
        if row.name == "limit_req_zone" and zone and rate:
            rates[zone[1]] = int(rate[1]) / (60 if rate[2] == "m" else 1)
    levels = ["error"] if not (logs := list(error_logs)) else []
    for row in logs:
        level = next((word for word in row.words[2:] if word in _LEVELS), "error")
        levels.append("" if row.words[1].startswith(_UNLOGGED) else level)
    least = "" if "" in levels else max(levels, key=_LEVELS.index)
    return LimitScope(rates, least)


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0


# --- the log ----------------------------------------------------------------------------------


@record
class LimitedRequest:
    """One line of nginx's log about a request that a limit has refused or delayed."""

    zone: str
    path: str
    is_refused: bool
    when: float | None = None
    """Unix time, None if the line has none."""


def parse_limited(line: str, *, stamp: str = "", offset: float = 0.0) -> LimitedRequest | None:
    """Return the request that a line says was limited, None for any other line.

    `stamp` and `offset` are as in `log.parse_line`.
    """
    parts = split_line(line, stamp=stamp, offset=offset)
    match = _LINE.search(parts.text) if parts else None
    if parts is None or match is None:
        return None
    request = _REQUEST.search(parts.text)
    return LimitedRequest(
        zone=match["zone"],
        path=request["path"] if request else "",
        is_refused=match["what"] != "delaying request",
        when=parts.when,
    )
