"""The text of env files that `init` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dartsctl.discovery.secrets.env_choices import Choice

_PLAIN = regex(r"[^\s'\"#\\`]*")


def new_text(
    name: str, decided: Sequence[Choice], secrets: Mapping[str, str], *, defaults: bool = True
) -> str:
    """Return the text of a new env file called `name`.

    `secrets` are the new ones. `defaults`: with the variables that need no value, as comments.
    """
    lines = [f"# {name}: read by Docker Compose. Never commit this file."]
    if needed := needed_lines(decided, secrets):
        lines += ["", *needed]
    if left := [f"# {choice.name}=" for choice in decided if _is_left_open(choice)]:
        lines += ["", "# Only you know these: remove the # and write the value.", *left]
    if not defaults:
        return _joined(lines)
    comments = [_default_line(choice) for choice in decided if choice.kind == "default"]
    if comments:
        lines += ["", "# The defaults of the Compose files.", *comments]
    return _joined(lines)


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def needed_lines(decided: Iterable[Choice], secrets: Mapping[str, str]) -> list[str]:
    """Return the lines without which the stack does not start: new secrets, and empty ones."""
    new: list[str] = []
    empty: list[str] = []
    for choice in decided:
        if choice.kind == "new":
            new.append(f"{choice.name}={secrets[choice.name]}")
        elif choice.is_open and choice.is_required:
            empty.append(f"{choice.name}=")
    return [*new, *empty]


def _is_left_open(choice: Choice) -> bool:
    """Whether a person may fill it in, and Compose has a default meanwhile."""
    if choice.kind == "may-ask":
        return True
    return choice.is_open and not choice.is_required


def _default_line(choice: Choice) -> str:
    """Return a comment with a variable's default; without a secret, and what no line can show."""
    if choice.secret or not choice.default.isprintable():
        return f"# {choice.name}="
    return f"# {env_line(choice.name, choice.default)}"


def env_line(name: str, value: str) -> str:
    """Return a line of an env file, in quotes where Compose or dotenv would misread the value.

    A `$` stays one: in a default it may begin another variable.
    """
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    if "'" not in value:
        return f"{name}='{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'
