"""The command line: Typer's options become one call of a verb. `main` is the only error boundary, and the only place that ends the program.

Everything heavy is imported inside the verbs' functions: no command pays for a library that it does not use (PERFORMANCE.md, start-up).
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dartsctl import __version__
from dartsctl.errors import DartsctlError, ExitCode, UsageError

if TYPE_CHECKING:
    from dartsctl.edges.docker import Compose
    from dartsctl.edges.output import Screen
    from dartsctl.environment import Environment
    from dartsctl.settings import Settings

# --- what all verbs share -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every verb takes, before or after it."""

    as_json: bool = False
    dry_run: bool = False
    yes: bool = False
    no_input: bool = False
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False
    project_dir: Path | None = None

    def screen(self) -> Screen:
        from dartsctl.edges.output import Screen

        return Screen(as_json=self.as_json, quiet=self.quiet, verbose=self.verbose, color=not self.no_color)

    def settings(self) -> Settings:
        """The project's settings. Raises UsageError that names file, line and key."""
        from dartsctl.settings import load

        return load(Path.cwd(), os.environ, project_dir=self.project_dir)


_COMMON_OPTIONS: dict[str, Any] = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, for programs.")],
    "dry_run": Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")],
    "yes": Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")],
    "no_input": Annotated[bool, typer.Option("--no-input", help="Never ask; fail and name the flag that answers.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Only results, warnings and errors.")],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="More about what happens.")],
    "no_color": Annotated[bool, typer.Option("--no-color", help="No colours (NO_COLOR does the same).")],
    "project_dir": Annotated[Path | None, typer.Option("--project-dir", help="Where to look for dartsctl.toml.", metavar="DIR")],
}


def verb(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the common options; what was said before the verb counts too."""
    own = dict(inspect.signature(function, eval_str=True).parameters)
    own.pop("common")
    wants_context = own.pop("context", None) is not None

    @functools.wraps(function)
    def command(context: typer.Context, **given: Any) -> int | None:
        said = {name: value for name in _COMMON_OPTIONS if (value := given.pop(name))}
        context.obj = replace(context.obj or Common(), **said)
        if wants_context:
            given["context"] = context
        return function(common=context.obj, **given)

    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=option, default=None if name == "project_dir" else False)
        for name, option in _COMMON_OPTIONS.items()
    ]
    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own.values()]
    command.__signature__ = inspect.Signature([first, *keyword, *shared])  # type: ignore[attr-defined]  # inspect's own protocol
    command.__annotations__ = {one.name: one.annotation for one in (first, *keyword, *shared)}
    return command


app = typer.Typer(
    name="dartsctl",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"dartsctl {__version__}\n")
        raise typer.Exit


@app.callback()
@verb
def root(
    common: Common,  # noqa: ARG001 - `verb` has stored it for the verb that follows
    version: Annotated[bool, typer.Option("--version", "-V", help="Show the version.", callback=_show_version, is_eager=True)] = False,
) -> None:
    """Docker Compose with exact host-port checks, and dev servers that stay off production ports.

    \b
    dartsctl dev                 the dev services in Docker, the Flask server on a leased port
    dartsctl prod check          would `prod up` work? who holds the ports?
    dartsctl prod up             check, start, wait until healthy
    dartsctl run -- flask run    any host server on a leased port, never on a production one
    dartsctl ports               who owns which port, and who has it
    """


Services = Annotated[
    list[str] | None, typer.Argument(help="Services; all of them when none is named.", metavar="[SERVICE]...", show_default=False)
]
WaitTimeout = Annotated[
    int | None, typer.Option("--wait-timeout", min=1, help="Seconds to wait until the stack is healthy.", show_default=False)
]


def _compose(environment: Environment) -> Compose:
    from dartsctl.edges.docker import Compose

    return Compose(environment, secrets=functools.partial(_secrets, environment))


def _secrets(environment: Environment) -> tuple[str, ...]:
    """Every value of the environment's env files: none of them may be shown."""
    from dartsctl.edges.env_files import read

    try:
        return tuple(one.value for one in read(environment.env_files).values() if one.value)
    except DartsctlError:
        return ()


# --- check, ports -------------------------------------------------------------------------------------------------------------


@app.command()
@verb
def check(
    common: Common,
    services: Services = None,
    files: Annotated[
        list[Path] | None, typer.Option("--file", "-f", help="A Compose file; several are merged in order.", metavar="FILE")
    ] = None,
    project: Annotated[str | None, typer.Option("--project", "-p", help="The Compose project's name.", metavar="NAME")] = None,
    profiles: Annotated[list[str] | None, typer.Option("--profile", help="Switch a profile on.", metavar="NAME")] = None,
    env_files: Annotated[list[Path] | None, typer.Option("--env-file", help="An env file for Compose's variables.", metavar="FILE")] = None,
    engine: Annotated[bool, typer.Option("--engine/--no-engine", help="Ask the Docker engine, or judge files and sockets alone.")] = True,
) -> int:
    """Would `docker compose up` work here? Every host-port conflict, and who holds the port. Changes nothing; needs no settings.

    \b
    dartsctl check                                   the Compose files of this folder
    dartsctl check -f compose.yml -f override.yml    these files, merged
    dartsctl check -f compose.yml -p shop web        one service and what it depends on
    dartsctl check --json | jq .conflicts            for programs
    """
    from dartsctl.environment import adhoc

    folder = common.project_dir or Path.cwd()
    environment = adhoc(
        files=tuple(files or ()), project=project, env_files=tuple(env_files or ()), profiles=tuple(profiles or ()), directory=folder
    )
    return _check(environment, common, tuple(services or ()), project_named=project is not None, ask_engine=engine)


def _check(
    environment: Environment,
    common: Common,
    services: tuple[str, ...],
    *,
    project_named: bool,
    ask_engine: bool = True,
    settings: Settings | None = None,
) -> int:
    compose = _compose(environment)
    from dartsctl.commands.check import check as verb_check
    from dartsctl.commands.host import Host
    from dartsctl.commands.preflight import Intent

    allocation = None
    if settings:
        from dartsctl.allocation import Allocation

        allocation = Allocation.of(settings.ports.production)
    intent = Intent(services=services, ask_engine=ask_engine, project_named=project_named)
    return verb_check(environment, intent, compose=compose, host=Host(), screen=common.screen(), allocation=allocation)
