"""Notification URLs of any service that Apprise knows: checked, and sent to with a deadline.

A URL is a secret. It goes to sender.py by its stdin, and into no argument, message or file.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING, Any, Protocol

from dartsctl import spawn
from dartsctl.errors import Advice, DartsctlError, TimedOut, UsageError
from dartsctl.records import record
from dartsctl.text.install_command import install_command
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SEND_DEADLINE = 30.0
"""Seconds for one message. Apprise's own limits are shorter, but not every service obeys them."""
_CHECK_DEADLINE = 30.0
_LONGEST_BODY = 12_000
"""Characters: the whole request fits into spawn.STDIN_LIMIT."""
_SCHEME = regex(r"(?a)([A-Za-z][A-Za-z0-9+.-]{0,29})://")


class Text(Protocol):
    """What is sent: alerts/notice.py has it."""

    @property
    def id(self) -> str: ...

    @property
    def kind(self) -> str:
        """`failure`, `warning`, `success` or `info`."""

    @property
    def title(self) -> str: ...

    @property
    def body(self) -> str: ...

    @property
    def short(self) -> str: ...


@record
class CheckedUrl:
    """A URL that Apprise accepts."""

    label: str
    """`json://alerts.example.org:8080`, or `slack` where what follows the scheme is secret."""


def check_urls(urls: Sequence[str], *, sources: Sequence[str]) -> tuple[CheckedUrl, ...]:
    """Return the labels of notification URLs.

    `sources`: where each of them is written, such as `dartsctl.toml:7: watch.notify: URL 2`.
    Raises UsageError that names the source and the scheme of the first wrong one, or says that the
    extra is not installed.
    """
    if not urls:
        return ()
    require_apprise(sources[0])
    for url, source in zip(urls, sources, strict=True):
        if not _SCHEME.match(url):
            raise UsageError(
                f"{source}: not a notification URL: it has no scheme", hint=_URL_ADVICE
            )
    answers = _ask({"action": "check", "urls": list(urls)}, deadline=_CHECK_DEADLINE)
    checked: list[CheckedUrl] = []
    for url, source, answer in zip(urls, sources, answers, strict=True):
        if answer["problem"]:
            raise _wrong_url(source, url.partition("://")[0].lower(), answer)
        host = str(answer["host"])
        label = scheme = str(answer["scheme"])
        if host:
            label = f"{scheme}://{host}"
        checked.append(CheckedUrl(label))
    return tuple(checked)


def send(
    url: str, text: Text, *, receipt: int | None = None, deadline: float = SEND_DEADLINE
) -> str:
    """Send a message; return why it was not delivered, or nothing. Never raises.

    `receipt`: the descriptor of a file that gets the message's id when it is delivered.
    The reason has neither the URL nor anything that the receiver has answered.
    """
    request = {
        "action": "send",
        "url": url,
        "kind": text.kind,
        "title": text.title,
        "body": text.body[:_LONGEST_BODY],
        "short": text.short,
        "id": text.id,
        "receipt": receipt,
    }
    inherited: tuple[int, ...] = ()
    if receipt is not None:
        inherited = (receipt,)
    try:
        return str(_ask(request, deadline=deadline, inherited=inherited)["problem"])
    except TimedOut:
        return f"does not answer within {deadline:g} s"
    except DartsctlError:
        return "cannot be used: Apprise has failed"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"cannot be used: {type(error).__name__}"


def require_apprise(
    source: str, *, find: Callable[[str], object] = importlib.util.find_spec
) -> None:
    """Raise UsageError with the command that installs the extra, unless it is installed.

    `source`: what needs it. `find` looks for a library.
    """
    if find("apprise") is None:
        hint = install_command("apprise", "notify")
        raise UsageError(f"{source}: the library apprise is not installed", hint=hint)


_URL_ADVICE = Advice("write a URL that Apprise knows: https://appriseit.com/services/")


def _wrong_url(source: str, scheme: str, answer: Mapping[str, Any]) -> UsageError:
    if answer["problem"] != "unknown scheme":
        sentence = f"{source}: not a complete {scheme}:// URL"
        return UsageError(sentence, hint=_URL_ADVICE)
    near = did_you_mean(scheme, answer["schemes"], lambda near: f"{near}://")
    hint: str = _URL_ADVICE
    if near:
        hint = Advice(near)
    return UsageError(f"{source}: Apprise does not know the scheme {scheme}://", hint=hint)


def _ask(request: Mapping[str, Any], *, deadline: float, inherited: Sequence[int] = ()) -> Any:
    """Return the answer of sender.py. Raises DartsctlError, whose text has no secret."""
    command = [sys.executable, "-P", "-m", "dartsctl.edges.notify.sender"]
    stdin = json.dumps(request, ensure_ascii=False).encode(errors="replace")
    if len(stdin) > spawn.STDIN_LIMIT:
        raise DartsctlError(f"the notification URLs have more than {spawn.STDIN_LIMIT} bytes")
    done = spawn.run(command, deadline=deadline, stdin=stdin, inherited=inherited)
    if done.code != 0:  # its stderr may contain the URL
        raise DartsctlError(
            "the library apprise has failed", hint=install_command("apprise", "notify")
        )
    return json.loads(done.stdout)
