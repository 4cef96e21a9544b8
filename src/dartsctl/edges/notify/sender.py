"""Check notification URLs and send messages through Apprise.

    python -P -m dartsctl.edges.notify.sender

channels.py runs this as a process of its own: the library has no deadline for all of a message, its
logs and exceptions may contain the URL's secrets, and a process can be killed. The request is one
JSON document on stdin, the answer one on stdout. No answer contains text of the library or of a
receiver.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from apprise import AppriseAsset, NotifyBase

_READ_TIMEOUT = 10.0
"""Seconds that a receiver may take to answer, unless the URL has `rto=`."""
_SHORT_CHANNEL = 500
"""Channels with a smaller limit of characters get the short form."""
_ANSWER_LIMIT = 1 << 20
"""Bytes of an HTTP answer that are read."""

_EXCEPTION = "Socket Exception"
"""How the library's debug lines about exceptions begin."""
_ADDRESS = regex(r"with url: \S+|host='[^']*'|notification to \S+")
"""Where such a line has the URL or its host, whose words are no reason."""
_REASONS = (
    (r"error=(\d{3})\b", "answers {0}"),
    (r"timed out|timeout", "does not answer in time"),
    (r"connection refused", "refuses the connection"),
    (r"name or service not known|getaddrinfo|name resolution|nodename", "has an unknown host name"),
    (r"certificate.{0,20}verif|sslerror|\bssl\b", "has no valid TLS certificate"),
    (r"redirect", "redirects in a circle"),
    (r"without response|aborted|reset by peer|disconnected", "closes the connection"),
    (r"unreachable|no route to host", "is unreachable"),
    (r"auth", "refuses the login"),
)
"""Patterns of the library's log, and what they mean. The first one that matches counts."""


class _Log(logging.Handler):
    """Keeps what the library logs about failures, in this process only.

    Its other lines have the message, whose evidence may look like a failure of the channel.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()[:2000]
        if record.levelno >= logging.WARNING or line.startswith(_EXCEPTION):
            self.lines.append(line)

    def reason(self) -> str:
        """Return why a message was not delivered, in our own words."""
        text = _ADDRESS.sub("", "\n".join(self.lines[-50:]))
        for pattern, words in _REASONS:
            if match := re.search(pattern, text, re.IGNORECASE):
                return words.format(*match.groups())
        return "refuses the message, and Apprise names no reason"


def main() -> int:
    """Answer the request on stdin, and return the exit code."""
    request = json.load(sys.stdin.buffer)
    log = _Log()
    logger = logging.getLogger("apprise")
    logger.addHandler(log)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    asset = _asset()
    if request["action"] == "check":
        answer: Any = [_check(url, asset) for url in request["urls"]]
    else:
        answer = {"problem": _send(request, asset, log)}
    sys.stdout.write(json.dumps(answer))
    return 0


def _asset() -> AppriseAsset:
    """Return Apprise's options: nothing kept on disk, no redirects unless the URL asks for them.

    After a redirect a message may be lost: a login page answers 200 to anything.
    """
    from apprise import AppriseAsset

    asset = AppriseAsset(app_id="dartsctl", app_desc="dartsctl watch", secure_logging=True)
    asset.http_redirects = False
    return asset


def _check(url: str, asset: AppriseAsset) -> dict[str, Any]:
    """Return what is wrong with a URL, and its host where no template puts a secret there."""
    channel: Any = _channel(url, asset)
    scheme = url.partition("://")[0].lower()
    if channel is None:
        return _mistake(scheme)
    if scheme in ("http", "https"):  # a service's own URL, such as https://hooks.slack.com/...
        scheme = channel.url(privacy=True).partition("://")[0]
    host = ""
    templates: tuple[str, ...] = channel.templates
    if all("{host}" in template for template in templates):
        host = str(channel.host or "")
        if channel.port:
            host = f"{host}:{channel.port}"
    return {"problem": "", "scheme": scheme, "host": host}


def _mistake(scheme: str) -> dict[str, Any]:
    """Return what is wrong with a URL that Apprise does not accept."""
    from apprise import manager_plugins

    known: Any = manager_plugins
    schemes: list[str] = known.NotificationManager().schemas()
    if scheme in schemes:
        return {"problem": "invalid URL"}
    return {"problem": "unknown scheme", "schemes": sorted(schemes)}


def _channel(url: str, asset: AppriseAsset) -> NotifyBase | None:
    from apprise import Apprise

    try:
        channel = Apprise.instantiate(url, asset=asset)
    except Exception:  # a plug-in may raise anything, and its text has the URL
        return None
    if channel is not None and channel.socket_read_timeout < _READ_TIMEOUT and "rto=" not in url:
        channel.socket_read_timeout = _READ_TIMEOUT
    return channel


def _send(request: dict[str, Any], asset: AppriseAsset, log: _Log) -> str:
    """Send a message; return why it was not delivered, or nothing."""
    channel = _channel(request["url"], asset)
    if channel is None:
        return "is an invalid URL"
    title, body = text_for(channel.body_maxlen, request)
    _limit_answers()
    log.lines.clear()
    if _notify(channel, title, body, request["kind"]):
        if request["receipt"] is not None:
            _write_receipt(request["receipt"], request["id"])
        return ""
    return log.reason()


def text_for(limit: int, request: Mapping[str, str]) -> tuple[str, str]:
    """Return title and body for a channel whose messages have at most `limit` characters."""
    title, body = request["title"], request["body"]
    if limit < max(_SHORT_CHANNEL, len(title) + len(body)):
        return "", request["short"]
    return title, body


def _notify(channel: NotifyBase, title: str, body: str, kind: str) -> bool:
    from apprise import Apprise, NotifyFormat, NotifyType

    sender = Apprise()
    sender.add(channel)
    try:
        return bool(
            sender.notify(
                body,
                title=title,
                notify_type=NotifyType(kind),
                body_format=NotifyFormat.TEXT,
                interpret_escapes=False,
            )
        )
    except Exception as error:  # whatever a plug-in raises, nothing was delivered
        logging.getLogger("apprise").debug("%s: %s", _EXCEPTION, error)
        return False


def _write_receipt(descriptor: int, message: str) -> None:
    """Note that a message was taken, for a watch that is killed meanwhile."""
    with suppress(OSError):  # a full disk
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, message.encode(), 0)


def _limit_answers() -> None:
    """Read only the beginning of an HTTP answer: requests reads all of it."""
    from requests import adapters

    adapter: Any = adapters.HTTPAdapter
    build_response = adapter.build_response

    def build(self: Any, request: Any, answer: Any) -> Any:
        response = build_response(self, request, answer)
        stream = answer.stream

        def beginning(*args: Any, **kwargs: Any) -> Iterator[bytes]:
            left = _ANSWER_LIMIT
            for chunk in stream(*args, **kwargs):
                yield chunk
                left -= len(chunk)
                if left <= 0:
                    answer.close()
                    return

        answer.stream = beginning
        return response

    adapter.build_response = build


if __name__ == "__main__":
    raise SystemExit(main())
