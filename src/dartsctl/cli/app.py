"""The program as Typer reads it: built from the table of verbs, for one command line."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import typer

from dartsctl import __version__
from dartsctl.cli.deps import Common
from dartsctl.cli.help import Program, VerbGroup
from dartsctl.cli.parameters import Verb, Verbs
from dartsctl.cli.stack import environment_group
from dartsctl.cli.typed_words import is_completing
from dartsctl.cli.typer_commands import CarryOut, callback_of, command_of, signed, take_common
from dartsctl.cli.verbs import VERBS, environments_named, verb_named
from dartsctl.cli.watch_words import WatchGroup


class _Program(VerbGroup):
    """The program's commands, in the order of the table."""

    # Typer's base class is private: the override cannot name the type of its context
    def list_commands(self, _ctx: typer.Context) -> list[str]:  # type: ignore[override]
        known = [name for name in VERBS if name in self.commands]
        return [*known, *(name for name in self.commands if name not in VERBS)]


def program(words: Sequence[str] = (), carry_out: CarryOut = Verb.call) -> Program:
    """Build the program for a command line: with the verb that it begins with, else with all.

    Typer builds every parameter of a verb. For all verbs that takes longer than most verbs run.

    `carry_out` gets the verb, its common options and its values.

    Raises Refused if a word may be an environment of settings that are not trusted.
    """
    app = Program(
        name="dartsctl",
        group=_Program,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root())
    for name in _needed(words):
        _add(app, name, verb_named(name), carry_out)
    for name in environments_named(words):
        _add(app, name, environment_group(name), carry_out)
    return app


def _add(app: Program, name: str, verb: Verb | Verbs, carry_out: CarryOut) -> None:
    if isinstance(verb, Verbs):
        app.add_typer(_group(verb, carry_out), name=name)
        return
    is_anothers = any(parameter.kind == "command" for _, parameter in verb.each())
    settings = {"allow_interspersed_args": False} if is_anothers else None
    app.command(name, context_settings=settings)(command_of(verb, carry_out))


def _group(verbs: Verbs, carry_out: CarryOut) -> Program:
    settings: dict[str, Any] = {"no_args_is_help": verbs.needs_a_verb}
    if verbs.text:
        settings["help"] = verbs.text
    if verbs.metavar:
        settings["subcommand_metavar"] = verbs.metavar
    if verbs.takes_a_word:
        settings["group"] = WatchGroup
    group = Program(invoke_without_command=not verbs.needs_a_verb, **settings)
    if callback := callback_of(verbs, carry_out):
        group.callback()(callback)
    for name, verb in verbs.verbs.items():
        group.command(name)(command_of(verb, carry_out))
    return group


def _needed(words: Sequence[str]) -> Iterable[str]:
    if words and words[0] in VERBS and not is_completing():
        return (words[0],)
    return VERBS


def _root() -> Callable[..., int | None]:
    """Return the program itself: --version, and the common options."""
    version = Annotated[
        bool,
        typer.Option(
            "--version", "-V", help="Show the version.", callback=_show_version, is_eager=True
        ),
    ]

    def root(context: typer.Context, **values: Any) -> None:
        del values["version"]  # its callback has answered
        take_common(context, values)

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = inspect.Parameter("version", keyword, annotation=version, default=False)
    return signed(root, Verb(_describe, {}), own)


def _describe(*, common: Common) -> None:
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


def _show_version(value: bool) -> None:
    if value:
        sys.stdout.write(f"dartsctl {__version__}\n")
        raise typer.Exit
