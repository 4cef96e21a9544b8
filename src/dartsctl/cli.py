"""The command line: Typer's options become one call of a verb. `main` is the only error boundary, and the only place that ends the program.

Everything heavy is imported inside the verbs' functions: no command pays for a library that it does not use (PERFORMANCE.md, start-up).
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dartsctl import __version__
from dartsctl.errors import DartsctlError

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
    common: Common,
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
Project = Annotated[str | None, typer.Option("--project", "-p", help="Another Compose project name, on purpose.", metavar="NAME", show_default=False)]
Profiles = Annotated[list[str] | None, typer.Option("--profile", help="Switch a profile on.", metavar="NAME", show_default=False)]
WaitTimeout = Annotated[
    int | None, typer.Option("--wait-timeout", min=1, help="Seconds to wait until the stack is healthy.", show_default=False)
]


def _compose(environment: Environment) -> Compose:
    from dartsctl.edges.docker import Compose

    return Compose(environment, secrets=lambda: _secrets(environment))


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

@app.command()
@verb
def ports(common: Common) -> int:
    """Who owns which port: production's allocation and the dev range, each with the process or container that has it now.

    \b
    dartsctl ports
    dartsctl ports --json | jq '.production[] | select(.state == "wrong owner")'
    """
    from dartsctl.allocation import Allocation

    settings = common.settings()
    production = _environment_or_none(settings, "prod")
    compose = _compose(production) if production else None
    from dartsctl.commands.host import Host
    from dartsctl.commands.ports import ports as verb_ports

    return verb_ports(
        Allocation.of(settings.ports.production),
        settings.ports.dev_range,
        production=compose,
        project=production.project if production else None,
        host=Host(),
        screen=common.screen(),
    )


def _environment_or_none(settings: Settings, name: str) -> Environment | None:
    """The environment, or None where nothing says which files it is made of (or Docker is not here to read them)."""
    from dartsctl.environment import resolve

    try:
        return resolve(settings, name)
    except DartsctlError:
        return None


# --- the life cycle of a stack: `prod up`, `dev up`, and of any environment that the settings name -------------------------------


def _lifecycle(name: str, group: typer.Typer) -> None:
    """The verbs that every environment has."""

    def environment_of(common: Common, project: str | None = None, profiles: Sequence[str] = ()) -> Environment:
        from dartsctl.environment import resolve

        return resolve(common.settings(), name, project=project, profiles=tuple(profiles))

    @group.command()
    @verb
    def check(
        common: Common,
        services: Services = None,
        project: Project = None,
        profiles: Profiles = None,
    ) -> int:
        """Would `up` work? Every port conflict with its holder; changes nothing."""
        settings = common.settings()
        environment = environment_of(common, project, profiles or ())
        return _check(environment, common, tuple(services or ()), project_named=project is not None, settings=settings)

    @group.command()
    @verb
    def up(
        common: Common,
        services: Services = None,
        build: Annotated[bool, typer.Option("--build", help="Build images first.")] = False,
        pull: Annotated[str | None, typer.Option("--pull", help="always, missing or never.", metavar="WHEN", show_default=False)] = None,
        force_recreate: Annotated[bool, typer.Option("--force-recreate", help="Replace containers even if nothing changed.")] = False,
        remove_orphans: Annotated[bool, typer.Option("--remove-orphans", help="Remove containers of services that are gone.")] = False,
        scale: Annotated[list[str] | None, typer.Option("--scale", help="Run N replicas of a service.", metavar="SERVICE=N")] = None,
        wait_timeout: WaitTimeout = None,
        skip_port_check: Annotated[bool, typer.Option("--skip-port-check", help="Let the engine find out.")] = False,
        project: Project = None,
        profiles: Profiles = None,
    ) -> int:
        """Check the ports, start the stack, wait until it is healthy, look whether the ports are really bound.

        On a conflict nothing is started and nothing is changed (exit 3).
        """
        environment = environment_of(common, project, profiles or ())
        settings = common.settings()
        from dartsctl.commands.preflight import Intent
        from dartsctl.commands.up import UpRequest
        from dartsctl.commands.up import up as verb_up

        flags = [*(["--build"] if build else []), *(["--pull", _one_of(pull, "--pull", ("always", "missing", "never"))] if pull else [])]
        request = UpRequest(
            environment,
            Intent(
                services=tuple(services or ()),
                force_recreate=force_recreate,
                remove_orphans=remove_orphans,
                scales=tuple(_scale(text) for text in scale or ()),
                project_named=project is not None,
            ),
            compose_flags=tuple(flags),
            deadline=float(wait_timeout or settings.environments[name].wait_timeout),
            dry_run=common.dry_run,
            skip_port_check=skip_port_check,
            next_command=f"dartsctl {name} up",
        )
        return verb_up(request, compose=_compose(environment), screen=common.screen())

    @group.command()
    @verb
    def down(
        common: Common,
        remove_orphans: Annotated[bool, typer.Option("--remove-orphans", help="Remove containers of services that are gone too.")] = False,
        volumes: Annotated[bool, typer.Option("--volumes", help="Delete the data too (needs --yes).")] = False,
        stop_timeout: Annotated[int | None, typer.Option("--timeout", "-t", min=0, help="Seconds before a container is killed.")] = None,
        project: Project = None,
    ) -> int:
        """Stop the stack and remove its containers and networks; volumes stay."""
        environment = environment_of(common, project)
        from dartsctl.commands.down import DownRequest
        from dartsctl.commands.down import down as verb_down

        request = DownRequest(environment, volumes, remove_orphans, stop_timeout, common.yes, common.dry_run)
        return verb_down(request, compose=_compose(environment), screen=common.screen())

    @group.command()
    @verb
    def restart(common: Common, services: Services = None, wait_timeout: WaitTimeout = None, project: Project = None) -> int:
        """Stop and start the containers that are there, and wait until they are healthy."""
        environment = environment_of(common, project)
        settings = common.settings()
        from dartsctl.commands.preflight import Intent
        from dartsctl.commands.up import UpRequest
        from dartsctl.commands.up import up as verb_up

        request = UpRequest(
            environment,
            Intent(services=tuple(services or ()), project_named=project is not None),
            deadline=float(wait_timeout or settings.environments[name].wait_timeout),
            dry_run=common.dry_run,
            next_command=f"dartsctl {name} restart",
            restart=True,
        )
        return verb_up(request, compose=_compose(environment), screen=common.screen())

    @group.command()
    @verb
    def ps(common: Common, services: Services = None, project: Project = None) -> int:
        """The stack's containers and what they really publish, those that never started included."""
        environment = environment_of(common, project)
        from dartsctl.commands.ps import ps as verb_ps

        return verb_ps(environment, tuple(services or ()), screen=common.screen())

    @group.command()
    @verb
    def logs(
        common: Common,
        services: Services = None,
        follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they come.")] = False,
        tail: Annotated[str | None, typer.Option("--tail", "-n", help="Only the last lines of each.", metavar="LINES", show_default=False)] = None,
        since: Annotated[str | None, typer.Option("--since", help="Only since then, e.g. 10m.", metavar="TIME", show_default=False)] = None,
        timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="With the time of each line.")] = False,
        project: Project = None,
    ) -> None:
        """The services' logs, as Compose shows them."""
        environment = environment_of(common, project)
        from dartsctl.commands.logs import logs as verb_logs

        verb_logs(tuple(services or ()), compose=_compose(environment), follow=follow, tail=tail, since=since, timestamps=timestamps)

    @group.command()
    @verb
    def config(common: Common, services: Services = None, project: Project = None, profiles: Profiles = None) -> int:
        """The resolved Compose model as JSON (which is YAML too), every value masked that may be a secret."""
        environment = environment_of(common, project, profiles or ())
        from dartsctl.commands.config import config as verb_config

        return verb_config(tuple(services or ()), compose=_compose(environment), screen=common.screen(), secrets=_secrets(environment))


def _one_of(value: str, flag: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise UsageError(f"{flag}: {value!r} is not one of {', '.join(allowed)}", hint=f"{flag} {allowed[0]}")
    return value


def _scale(text: str) -> tuple[str, int]:
    service, _, number = text.partition("=")
    if not service or not number.isdigit():
        raise UsageError(f"--scale: {text!r} is not SERVICE=N", hint="--scale darts-app=2")
    return service, int(number)


prod = typer.Typer(no_args_is_help=True, help="The production stack: up, down, restart, ps, logs, check, config.")
_lifecycle("prod", prod)
app.add_typer(prod, name="prod")


# --- the error boundary -------------------------------------------------------------------------------------------------------


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code (ExitCode; `dev` and `run`: the server's own). Never raises, never shows a traceback."""
    words = list(argv)
    try:
        return _run(words)
    except DartsctlError as error:
        if error.message:
            _screen_for(words).error(error)
        return int(error.code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - the reader has gone (`| head`); nothing may be flushed to it at exit
        return int(ExitCode.OK)
    except Exception as error:  # noqa: BLE001 - the one place where a bug becomes a report
        from dartsctl.commands.crash import write_report

        path = write_report(error, words)
        where = f"a report is in {path}" if path else "and no report could be written"
        bug = DartsctlError(f"this is a bug in dartsctl ({type(error).__name__}); {where}", hint="send the report to the maintainers", code=ExitCode.BUG)
        _screen_for(words).error(bug)
        return int(ExitCode.BUG)


def _run(words: list[str]) -> int:
    from typer.exceptions import TyperException

    _add_named_environment(words)
    try:
        answer = app(args=words, prog_name="dartsctl", standalone_mode=False)
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stdout.write(str(error) + "\n")
            return int(ExitCode.USAGE)
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context else "dartsctl --help"
        raise UsageError(error.format_message(), hint=hint) from None
    except typer.Abort:
        return int(ExitCode.INTERRUPTED)
    return int(answer or 0)


def _screen_for(words: Sequence[str]) -> Screen:
    own = words[: words.index("--")] if "--" in words else words
    return Common(as_json="--json" in own, no_color="--no-color" in own).screen()


def _add_named_environment(words: Sequence[str]) -> None:
    """`dartsctl staging up`: an environment that only the settings name becomes a group of verbs like `prod`."""
    name = next((word for word in words if not word.startswith("-")), "")
    known = {group.name for group in app.registered_groups} | {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    if not name or name in known:
        return
    try:
        settings = Common().settings()
    except DartsctlError:
        return  # the command itself will say what is wrong with the settings, or that it is unknown
    if name in settings.environments:
        group = typer.Typer(no_args_is_help=True, help=f"The {name} stack, as the settings name it.")
        _lifecycle(name, group)
        app.add_typer(group, name=name)
