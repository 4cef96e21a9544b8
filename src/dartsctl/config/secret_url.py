"""URLs of the settings that are secrets: written as they are, or as where they can be read.

    notify = [
      "mailto://ops:${MAIL_PASSWORD}@example.org",   # a variable, in the environment or an env file
      "${ALERT_URL}",                                # the same for all of it
      "file:/run/secrets/alert-url",                 # the first line of a file
    ]

`$$` is a dollar sign. No message contains a value.
"""

from __future__ import annotations

import re
from pathlib import Path

from dartsctl.errors import Advice, UsageError
from dartsctl.records import field, record
from dartsctl.text.masking import has_secret_shape
from dartsctl.text.patterns import regex
from dartsctl.text.secret_names import password_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_REFERENCE = regex(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)\}|)")
_LONGEST = 4096
"""Characters of a URL."""
_LONG_WORD = 12
"""A part of a URL's path or query with so many characters may be a token."""


@record
class SecretUrl:
    """A URL that is never shown, and where it is written."""

    text: str = field(repr=False)
    source: str
    """`notify: URL 2`."""


def resolve(
    written: str,
    source: str,
    *,
    variable: Callable[[str], str | None],
    read: Callable[[Path], str],
    directory: Path,
) -> SecretUrl:
    """Return the URL that a setting stands for.

    `read` returns the text of a file, or raises UsageError; `directory` is the folder of the
    settings. Raises UsageError for a variable that is not set, an empty file, and what cannot be a
    URL.
    """
    text = _replaced(written, source, variable)
    if text.startswith("file:") and not text.startswith("file://"):
        path = directory / Path(text.removeprefix("file:")).expanduser()
        text = read(path).strip()
        if not text:
            raise UsageError(
                f"{source}: the file {path} is empty", hint=Advice("write a URL there")
            )
        text = text.splitlines()[0].strip()
    problem = ""
    if not text.strip():
        problem = "the URL is empty"
    elif len(text) > _LONGEST:
        problem = f"the URL has more than {_LONGEST} characters"
    elif not text.isprintable():
        problem = "the URL contains a control character"
    if problem:
        raise UsageError(f"{source}: {problem}", hint=Advice("write a URL, or ${NAME}"))
    return SecretUrl(text, source)


def _replaced(written: str, source: str, variable: Callable[[str], str | None]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        if match[2] is None:
            return match[0]
        text = variable(match[2])
        if not text:
            raise UsageError(
                f"{source}: the variable {match[2]} is not set",
                hint=Advice(f"set {match[2]} in the environment or in an env file of the stack"),
            )
        return text

    return _REFERENCE.sub(value, written)


def secret_parts(url: str, *, shown: str) -> tuple[str, ...]:
    """Return what must be masked wherever it appears: the URL, and the tokens in it.

    `shown`: the scheme and perhaps the host, which are no secret.
    """
    rest = url.partition("://")[2]
    parts = [url]
    if password := password_in(url):
        parts.append(password)
    for word in re.split(r"[/?&=@:#,]+", rest):
        is_token = len(word) >= _LONG_WORD and re.search(r"[0-9]", word) and "." not in word
        if is_token or has_secret_shape(word):
            parts.append(word)
    return tuple(part for part in parts if part not in shown)
