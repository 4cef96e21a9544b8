"""The common options, before or after a verb, and the parameters that several verbs have."""

from __future__ import annotations

import functools
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from dartsctl.cli import completion
from dartsctl.cli.deps import Common
from dartsctl.cli.help import COMMON_OPTIONS
from dartsctl.errors import Advice, UsageError
from dartsctl.records import fields, is_record, record, replace
from dartsctl.system import interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Choice = TypeVar("Choice")


def _common(kind: Any, *names: str, text: str, metavar: str | None = None) -> Any:
    return Annotated[
        kind, typer.Option(*names, help=text, metavar=metavar, rich_help_panel=COMMON_OPTIONS)
    ]


_COMMON: dict[str, Any] = {
    "as_json": _common(bool, "--json", text="Print one JSON document on stdout."),
    "dry_run": _common(bool, "--dry-run", text="Show what would be done, and do nothing."),
    "yes": _common(bool, "--yes", "-y", text="Answer yes to every question."),
    "no_input": _common(
        bool, "--no-input", text="Never prompt; fail, and name the flag that answers."
    ),
    "quiet": _common(bool, "--quiet", "-q", text="Print only results, warnings and errors."),
    "verbose": _common(bool, "--verbose", "-v", text="Print more details."),
    "no_color": _common(bool, "--no-color", text="Do not use colors; NO_COLOR does the same."),
    "project_dir": _common(
        Path | None, "--project-dir", text="Folder to search for dartsctl.toml.", metavar="DIR"
    ),
}
"""The options of Common, by field."""


def verb(function: Callable[..., int | None], **fixed: Any) -> Callable[..., int | None]:
    """Give a command the common options, as its parameter `common`.

    Those before the verb count too: `dartsctl --json prod check`. A parameter whose type is a
    record is a group: each field is an option. `fixed` are arguments that no option gives.
    """
    own = dict(inspect.signature(function, eval_str=True).parameters)
    for name in ("common", *fixed):
        own.pop(name)
    wants_context = own.pop("context", None) is not None
    groups = {
        name: parameter.annotation
        for name, parameter in own.items()
        if isinstance(parameter.annotation, type) and is_record(parameter.annotation)
    }

    @functools.wraps(function)
    def command(context: typer.Context, **values: Any) -> int | None:
        given = {name: value for name in _COMMON if (value := values.pop(name))}
        context.obj = replace(context.obj or Common(), **given)
        if wants_context:
            values["context"] = context
        for name, group in groups.items():
            options = {option: values.pop(option) for option in fields(group)}
            values[name] = group(**options)
        with interrupts.RaiseInterrupted():
            return function(common=context.obj, **fixed, **values)

    parameters = _parameters(own, groups)
    # Typer reads both; a signature as an attribute is inspect's own protocol
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _parameters(
    own: Mapping[str, inspect.Parameter], groups: Mapping[str, Any]
) -> list[inspect.Parameter]:
    """Return what Typer sees: the context, a verb's own options, the common options."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        )
    ]
    for name, parameter in own.items():
        options: Iterable[inspect.Parameter] = [parameter]
        if name in groups:
            options = _options_of(groups[name])
        parameters += [option.replace(kind=keyword) for option in options]
    for name, option in _COMMON.items():
        default = getattr(Common(), name)
        parameters.append(inspect.Parameter(name, keyword, annotation=option, default=default))
    return parameters


def _options_of(group: type) -> Iterable[inspect.Parameter]:
    """Return the fields of a record as parameters."""
    annotations = inspect.get_annotations(group, eval_str=True)
    for name, field in fields(group).items():
        yield inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=annotations[name],
            default=field.default,
        )


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


Services = Annotated[
    list[str] | None,
    typer.Argument(
        help="Services to include; all if none is named.",
        metavar="[SERVICE]...",
        show_default=False,
        autocompletion=completion.services,
    ),
]
Project = Annotated[
    str | None,
    typer.Option(
        "--project",
        "-p",
        help="Use this Compose project name.",
        metavar="NAME",
        autocompletion=completion.projects,
    ),
]
Profiles = Annotated[
    list[str] | None, typer.Option("--profile", help="Enable this Compose profile.", metavar="NAME")
]
WaitTimeout = Annotated[
    int | None,
    typer.Option(
        "--wait-timeout",
        min=1,
        help="Seconds to wait until the stack is healthy.",
        metavar="SECONDS",
    ),
]
Fix = Annotated[
    bool,
    typer.Option("--fix", help="Resolve the conflicts: ask at a terminal, else use --on-conflict."),
]
OnConflict = Annotated[
    str | None,
    typer.Option(
        "--on-conflict",
        help="On a conflict: ask, fail, stop (needs --yes), remap (not production) or wait.",
        metavar="POLICY",
    ),
]
RemoveContainer = Annotated[
    list[str] | None,
    typer.Option(
        "--remove-container",
        help="Remove this container if the stack needs its name (needs --yes).",
        metavar="NAME",
    ),
]


@record
class ConflictOptions:
    """How conflicts are answered."""

    on_conflict: OnConflict = None
    remove_container: RemoveContainer = None
    wait_timeout: WaitTimeout = None
