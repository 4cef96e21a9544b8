"""Help screens: a verb's own options first, then those that every verb has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

_Verb = TypeVar("_Verb", bound=Callable[..., Any])

COMMON_OPTIONS = "Common options"
"""Typer's help panel for the options of cli/options.py that every verb has."""


# Typer's base classes are private, so the overrides below cannot name the types of theirs.


class VerbCommand(TyperCommand):
    """A command with this program's help."""

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        _write_parameters(self.get_params(ctx), ctx, formatter)


class VerbGroup(TyperGroup):
    """A group of commands with this program's help."""

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]
        _write_parameters(self.get_params(ctx), ctx, formatter)
        self.format_commands(ctx, formatter)


class Program(typer.Typer):
    """A Typer application whose groups and commands have this program's help."""

    def __init__(self, *, group: type[VerbGroup] = VerbGroup, **settings: Any) -> None:
        super().__init__(cls=group, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[_Verb], _Verb]:
        """Register a command as `typer.Typer.command` does."""
        return super().command(name, cls=VerbCommand, **settings)


def _write_parameters(parameters: Sequence[Any], context: typer.Context, formatter: Any) -> None:
    sections: dict[str, list[tuple[str, str]]] = {
        "Arguments": [],
        "Options": [],
        COMMON_OPTIONS: [],
    }
    for parameter in parameters:
        if record := parameter.get_help_record(context):
            sections[_section(parameter)].append(record)
    for title, records in sections.items():
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def _section(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    is_common = parameter.name == "help" or parameter.rich_help_panel == COMMON_OPTIONS
    return COMMON_OPTIONS if is_common else "Options"
