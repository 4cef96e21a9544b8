"""The program: its table of verbs, and the Typer application that is built from it."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from dartsctl import __version__
from dartsctl.cli.deps import Common
from dartsctl.cli.help import VerbGroup, Verbs
from dartsctl.cli.options import verb
from dartsctl.errors import DartsctlError, Refused

VERBS: Mapping[str, str] = {
    "init": "init:init",
    "dev": "dev:dev",
    "run": "run:run",
    "prod": "prod:prod",
    "check": "check:check",
    "doctor": "doctor:doctor",
    "watch": "watch:watch",
    "ports": "ports:ports",
    "history": "history:history",
    "guard": "guard:guard",
    "trust": "trust:trust",
}
"""Every verb and group of verbs, in the order of the help: its module in this package and its name.

A module is imported when one of its verbs is used. An environment that the settings name is a
group like `prod`.
"""

_TAKES_A_COMMAND = {"run"}
"""The verbs whose arguments are another program's command line, options included."""


class _Program(VerbGroup):
    """The program's commands, in the order of the table."""

    # Typer's base class is private: the override cannot name the type of its context
    def list_commands(self, _ctx: typer.Context) -> list[str]:  # type: ignore[override]
        known = [name for name in VERBS if name in self.commands]
        return [*known, *(name for name in self.commands if name not in VERBS)]


def program(words: Sequence[str] = ()) -> Verbs:
    """Build the program for a command line: with the verb that it begins with, else with all.

    Typer builds every parameter of a verb. For all verbs that takes longer than most verbs run.

    Raises Refused if a word may be an environment of settings that are not trusted.
    """
    app = Verbs(
        name="dartsctl",
        group=_Program,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(root)
    for name in _needed(words):
        _add(app, name)
    for name in _named_environments(words):
        from dartsctl.cli.stack import environment_group

        app.add_typer(environment_group(name), name=name)
    return app


def is_completing() -> bool:
    """Whether a shell runs this process to complete a command line."""
    return any(name.endswith("_COMPLETE") for name in os.environ)


def _show_version(value: bool) -> None:
    if value:
        sys.stdout.write(f"dartsctl {__version__}\n")
        raise typer.Exit


@verb
def root(
    common: Common,
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Show the version.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Run Docker Compose with exact host-port checks, and dev servers off production ports.

    \b
    dartsctl init                create settings, env files and a certificate
    dartsctl dev                 start the dev services and the app server
    dartsctl prod check          check whether `prod up` would work
    dartsctl prod up             check, start, and wait until healthy
    dartsctl doctor              find out why the stack answers 502
    dartsctl watch               alert when production fails, with the cause
    dartsctl run -- flask run    run any server on a leased port
    dartsctl ports               show who owns and who uses each port
    dartsctl guard install       refuse production ports in a virtualenv
    """


def _needed(words: Sequence[str]) -> Iterable[str]:
    if words and words[0] in VERBS and not is_completing():
        return (words[0],)
    return VERBS


def _add(app: Verbs, name: str) -> None:
    module, _, attribute = VERBS[name].partition(":")
    value: Any = getattr(importlib.import_module(f"dartsctl.cli.{module}"), attribute)
    if isinstance(value, Verbs):
        app.add_typer(value, name=name)
        return
    settings = {"allow_interspersed_args": False} if name in _TAKES_A_COMMAND else None
    app.command(name, context_settings=settings)(value)


def _named_environments(words: Sequence[str]) -> list[str]:
    """Return the environments of the settings besides `dev` and `prod`, if a word may be one.

    `dartsctl staging up` works like `dartsctl prod up`, and a mistyped name is suggested.
    """
    folder = project_dir_of(words)
    name = next((word for word in words if not word.startswith("-") and word != folder), "")
    if not name or name in VERBS:
        return []
    try:
        settings = Common(project_dir=Path(folder) if folder else None).settings()
    except Refused:
        if {"-h", "--help"}.intersection(words):
            return []
        raise  # the names of the environments are in settings that are not used
    except DartsctlError:
        return []  # the verb reports what is wrong with the settings, or that it is unknown
    return [environment for environment in settings.environments if environment not in VERBS]


def project_dir_of(words: Sequence[str]) -> str:
    """Return the value of --project-dir before Click has read the line, empty without it."""
    for word, following in zip(words, (*words[1:], ""), strict=False):
        if word == "--project-dir":
            return following
        if word.startswith("--project-dir="):
            return word.partition("=")[2]
        if word == "--":
            break
    return ""
