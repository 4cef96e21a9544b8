"""Answers that say only that the site was asked too often: they are no failures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.proxy_path import SLACK
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dartsctl.diagnosis.facts import HttpFacts
    from dartsctl.diagnosis.nginx.limits import LimitedRequest

_TOO_MANY_REQUESTS = 429


def mark_limited(
    answers: Iterable[HttpFacts], lines: Sequence[LimitedRequest], *, is_log_read: bool
) -> tuple[HttpFacts, ...]:
    """Return the answers, those that a limit explains marked as such.

    `lines`: the limited requests in the proxy's log.
    """
    marked = []
    for http in answers:
        limited = _reason(http, lines, is_log_read=is_log_read)
        marked.append(replace(http, limited=limited) if limited else http)
    return tuple(marked)


def has_unexplained_refusal(answers: Iterable[HttpFacts], lines: Sequence[LimitedRequest]) -> bool:
    """Whether an answer looks like a refusal whose line is missing: it may come a moment later."""
    return any(
        _may_be_refusal(http) and not _line_about(http, lines, is_refused=True) for http in answers
    )


def _reason(http: HttpFacts, lines: Sequence[LimitedRequest], *, is_log_read: bool) -> str:
    if http.through == "proxy":
        refused = _line_about(http, lines, is_refused=True)
        if refused and http.status is not None and http.status >= 400:
            return f"asked too often, says nginx's zone {refused.zone}"
        delayed = _line_about(http, lines, is_refused=False)
        if delayed and http.status is None:
            return f"asked too often: nginx's zone {delayed.zone} delays the request"
    if http.status == _TOO_MANY_REQUESTS:
        return "asked too often"
    if _may_be_refusal(http):
        unlogged = [limit for limit in http.limits if not (limit.is_logged and is_log_read)]
        for limit in unlogged:
            if limit.status == http.status:
                return f"perhaps asked too often: {limit} refuses so, and no log says when"
    return ""


def _may_be_refusal(http: HttpFacts) -> bool:
    return http.status is not None and any(limit.status == http.status for limit in http.limits)


def _line_about(
    http: HttpFacts, lines: Sequence[LimitedRequest], *, is_refused: bool
) -> LimitedRequest | None:
    """Return the line about a request, by its path and its time."""
    for line in lines:
        is_recent = line.when is None or line.when >= http.began - SLACK
        if is_recent and line.is_refused is is_refused and line.path == http.location:
            return line
    return None
