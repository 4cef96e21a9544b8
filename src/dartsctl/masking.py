"""Keeping secrets out of everything that is shown: by the name of a variable, by the shape of a URL, by known values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "***"

_SENSITIVE = r"[\w-]*(?:pass|secret|token|key|credential|auth|dsn)[\w-]*"
_SECRET_KEY = re.compile(rf"(?i)^{_SENSITIVE}$")
_SECRET_FLAG = re.compile(rf"(?is)^(--?{_SENSITIVE})(=.*)?$")
_ASSIGNMENT = re.compile(rf"(?is)^({_SENSITIVE})=.+$")
# Within one word: `--env=TOKEN=x`, and the script of `sh -c "TOKEN=x serve --password x"`.
_INNER = re.compile(rf"(?i)(--{_SENSITIVE}[= ]|{_SENSITIVE}=)(?:'[^']*'|\"[^\"]*\"|[^\s;&|'\"]+)")
_USERINFO = re.compile(r"(?P<scheme>[a-zA-Z][\w+.-]*://)[^/\s]*@")
_VALUE_BLOCKS = frozenset({"environment", "args", "labels", "driver_opts", "options", "x-environment"})
_COMMANDS = frozenset({"command", "entrypoint", "test"})


def command(words: Iterable[str]) -> tuple[str, ...]:
    """A command line that may be shown: the values of flags and assignments with a secret's name are masked, and URLs lose their user part."""
    shown: list[str] = []
    hide_next = False
    for word in words:
        flag = _SECRET_FLAG.match(word)
        if hide_next and not word.startswith("-"):
            shown.append(MASK)
            hide_next = False
            continue
        hide_next = bool(flag and not flag[2])
        if flag and flag[2]:
            shown.append(f"{flag[1]}={MASK}")
        elif assignment := _ASSIGNMENT.match(word):
            shown.append(f"{assignment[1]}={MASK}")
        else:
            shown.append(url(_INNER.sub(rf"\g<1>{MASK}", word)))
    return tuple(shown)


def url(text: str) -> str:
    """`text` with the user part of every URL in it masked."""
    return _USERINFO.sub(rf"\g<scheme>{MASK}@", text)


def values(text: str, secrets: Iterable[str]) -> str:
    """`text` without any of `secrets`; those shorter than 6 characters are left, they would blank out ordinary words."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= 6:
            text = text.replace(secret, MASK)
    return url(text)


def secret_values(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of the variables whose names say that they are secret."""
    return tuple(value for name, value in environ.items() if value and _SECRET_KEY.match(name))


def hidden_values(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of a container's variables that may be secrets, by the name or by the looks: no plain words, paths or URLs without a user."""
    return tuple(
        value
        for name, value in environ.items()
        if value and (_SECRET_KEY.match(name) or (len(value) >= 10 and not _is_plain(value) and not _is_place(value)))
    )


def _is_place(value: str) -> bool:
    """A path, a list of them, or a URL in which nobody's name stands."""
    return value.startswith("/") or bool(re.match(r"[a-z][a-z0-9+.-]*://", value) and url(value) == value)


def model(document: Any, secrets: Iterable[str] = ()) -> Any:
    """Compose's resolved model that may be shown: every value of an environment, of build arguments and of labels is masked, the names stay.

    Any of them may be a secret, and nothing in the model says which; so all are, and so is a config's content. Command lines are masked as
    `command` does it. `secrets` and the environments' own values are masked wherever else they stand.
    """
    known = [*secrets, *_block_values(document)]
    return _masked(document, [secret for secret in known if len(secret) >= 6])


def _block_values(node: Any) -> list[str]:
    if isinstance(node, Mapping):
        found: list[str] = []
        for key, value in node.items():
            if key == "environment" and isinstance(value, Mapping):
                found += [str(item) for name, item in value.items() if item is not None and (_SECRET_KEY.match(name) or not _is_plain(str(item)))]
            else:
                found += _block_values(value)
        return found
    return [secret for item in node for secret in _block_values(item)] if isinstance(node, list) else []


def _is_plain(value: str) -> bool:
    """Too ordinary to be looked for elsewhere: numbers, booleans, host names of one word."""
    return bool(re.fullmatch(r"\d+|true|false|[a-z][a-z0-9-]{0,15}", value, re.IGNORECASE))


def _masked(node: Any, secrets: list[str]) -> Any:
    if isinstance(node, Mapping):
        return {key: _masked_item(key, value, secrets) for key, value in node.items()}
    if isinstance(node, list):
        return [_masked(item, secrets) for item in node]
    return values(node, secrets) if isinstance(node, str) else node


def _masked_item(key: str, value: Any, secrets: list[str]) -> Any:
    if key in _VALUE_BLOCKS and isinstance(value, Mapping):
        return {name: None if item is None else MASK for name, item in value.items()}
    if isinstance(value, str) and (key == "content" or _SECRET_KEY.match(key)):
        return MASK
    if key in _COMMANDS and isinstance(value, list):
        return [values(word, secrets) for word in command(str(item) for item in value)]
    return _masked(value, secrets)
