"""The common options, before or after a verb, and the parameters that several verbs have."""

from __future__ import annotations

from dartsctl.cli.parameters import Argument, Option, Options
from dartsctl.errors import Advice, UsageError
from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeVar

    Choice = TypeVar("Choice")

COMMON: Mapping[str, Option] = {
    "as_json": Option("--json", text="Print one JSON document on stdout.", is_common=True),
    "dry_run": Option("--dry-run", text="Show what would be done, and do nothing.", is_common=True),
    "yes": Option("--yes", "-y", text="Answer yes to every question.", is_common=True),
    "no_input": Option(
        "--no-input",
        text="Never prompt; fail, and name the flag that answers.",
        is_common=True,
    ),
    "quiet": Option(
        "--quiet", "-q", text="Print only results, warnings and errors.", is_common=True
    ),
    "verbose": Option("--verbose", "-v", text="Print more details.", is_common=True),
    "no_color": Option(
        "--no-color", text="Do not use colors; NO_COLOR does the same.", is_common=True
    ),
    "project_dir": Option(
        "--project-dir",
        kind="path",
        text="Folder to search for dartsctl.toml.",
        metavar="DIR",
        is_common=True,
    ),
}
"""The options of every verb, by field of Common."""


def one_of(option: str, given: str | None, choices: Sequence[Choice]) -> Choice | None:
    """Return the choice that `option` was given; None if it was not given.

    Raises UsageError for any other word.
    """
    if given is None:
        return None
    for choice in choices:
        if choice == given:
            return choice
    raise UsageError(
        f"{option}: {given!r} is not one of {', '.join(map(str, choices))}",
        hint=Advice(f"use {option} {choices[0]}"),
    )


SERVICES = Argument(
    kind="texts",
    text="Services to include; all if none is named.",
    metavar="[SERVICE]...",
    completion="services",
)
PROJECT = Option(
    "--project",
    "-p",
    kind="text",
    text="Use this Compose project name.",
    metavar="NAME",
    completion="projects",
)
PROFILES = Option("--profile", kind="texts", text="Enable this Compose profile.", metavar="NAME")
WAIT_TIMEOUT = Option(
    "--wait-timeout",
    kind="number",
    least=1,
    text="Seconds to wait until the stack is healthy.",
    metavar="SECONDS",
)
FIX = Option("--fix", text="Resolve the conflicts: ask at a terminal, else use --on-conflict.")


@record
class ConflictOptions:
    """How conflicts are answered."""

    on_conflict: str | None = None
    remove_container: list[str] | None = None
    wait_timeout: int | None = None


CONFLICT = Options(
    ConflictOptions,
    on_conflict=Option(
        "--on-conflict",
        kind="text",
        text="On a conflict: ask, fail, stop (needs --yes), remap (not production) or wait.",
        metavar="POLICY",
    ),
    remove_container=Option(
        "--remove-container",
        kind="texts",
        text="Remove this container if the stack needs its name (needs --yes).",
        metavar="NAME",
    ),
    wait_timeout=WAIT_TIMEOUT,
)
