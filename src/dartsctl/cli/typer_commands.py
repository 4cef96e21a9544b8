"""Typer's functions, made from the parameters of verbs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from dartsctl.cli import completion
from dartsctl.cli.deps import Common
from dartsctl.cli.help import COMMON_OPTIONS
from dartsctl.cli.options import COMMON
from dartsctl.cli.parameters import Argument, Option, Options, Verb, Verbs
from dartsctl.records import replace

CarryOut: TypeAlias = Callable[[Verb, Common, Mapping[str, Any]], int | None]

_TYPES: Mapping[str, Any] = {
    "flag": bool,
    "text": str,
    "texts": list[str],
    "path": Path,
    "paths": list[Path],
    "number": int,
    "command": list[str],
}


def command_of(verb: Verb, carry_out: CarryOut) -> Callable[..., int | None]:
    """Return what Typer calls for a verb."""
    inherited = [
        name for name, parameter in verb.each() if getattr(parameter, "is_inherited", False)
    ]

    def command(context: typer.Context, **values: Any) -> int | None:
        common = take_common(context, values)
        before = context.parent.params if context.parent else {}
        for name in inherited:
            values[name] = values[name] or before.get(name) or values[name]
        return carry_out(verb, common, values)

    return signed(command, verb)


def callback_of(verbs: Verbs, carry_out: CarryOut) -> Callable[..., int | None] | None:
    """Return what Typer calls for a group itself, also before one of its verbs."""
    alone = verbs.alone
    if alone is None:
        return None

    def callback(context: typer.Context, **values: Any) -> int | None:
        common = take_common(context, values)
        if not context.invoked_subcommand:
            return carry_out(alone, common, values)
        if verbs.before_a_verb:
            verbs.before_a_verb(context.invoked_subcommand, values)
        return None

    return signed(callback, alone)


def signed(
    command: Callable[..., int | None], verb: Verb, *more: inspect.Parameter
) -> Callable[..., int | None]:
    """Give a function the signature that Typer reads: its own options, then the common ones."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(
            "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
        ),
        *more,
    ]
    for name, parameter, default in (*_own(verb), *_of_all()):
        annotation = _annotation(parameter, default)
        parameters.append(inspect.Parameter(name, keyword, annotation=annotation, default=default))
    # Typer reads all three; a signature as an attribute is inspect's own protocol
    command.__doc__ = verb.function.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def take_common(context: typer.Context, values: dict[str, Any]) -> Common:
    """Take the common options out of the values. Those before the verb count too."""
    given = {name: value for name in COMMON if (value := values.pop(name))}
    context.obj = replace(context.obj or Common(), **given)
    common: Common = context.obj
    return common


def _own(verb: Verb) -> list[tuple[str, Option | Argument, Any]]:
    """Return a verb's own parameters with their defaults."""
    rows: list[tuple[str, Option | Argument, Any]] = []
    defaults = verb.function.__kwdefaults__ or {}
    for name, parameter in verb.parameters.items():
        if isinstance(parameter, Options):
            record = parameter.record()
            rows += [
                (field, option, getattr(record, field))
                for field, option in parameter.fields.items()
            ]
        else:
            rows.append((name, parameter, defaults.get(name, inspect.Parameter.empty)))
    return rows


def _of_all() -> list[tuple[str, Option, Any]]:
    """Return the common options with their defaults."""
    return [(name, option, getattr(Common(), name)) for name, option in COMMON.items()]


def _annotation(parameter: Option | Argument, default: Any) -> Any:
    """Return the type of a parameter, and what Typer needs to know besides."""
    kind = _TYPES[parameter.kind]
    if default is None:
        kind = kind | None
    complete = getattr(completion, parameter.completion, None)
    if isinstance(parameter, Argument):
        argument = typer.Argument(
            help=parameter.text,
            metavar=parameter.metavar,
            show_default=False,
            autocompletion=complete,
        )
        return Annotated[kind, argument]
    option = typer.Option(
        *parameter.names,
        help=parameter.text,
        metavar=parameter.metavar,
        min=parameter.least,
        hidden=parameter.is_hidden,
        autocompletion=complete,
        rich_help_panel=COMMON_OPTIONS if parameter.is_common else None,
    )
    return Annotated[kind, option]
