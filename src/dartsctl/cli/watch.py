"""`watch`, and its verbs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dartsctl.cli.deps import (
    Common,
    compose_on,
    deps_of,
    engine_address,
    environment_of,
    learn_env_files,
)
from dartsctl.cli.doctor import request_for
from dartsctl.cli.help import VerbGroup, Verbs
from dartsctl.cli.options import verb
from dartsctl.cli.watch_options import (
    Env,
    EpisodeId,
    For,
    Name,
    Reason,
    SilencedName,
    SubjectName,
    TestedUrls,
    WatchOptions,
    duration,
    environment_name,
)
from dartsctl.errors import Advice, UsageError
from dartsctl.text.phrases import did_you_mean

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.workflows.watch.request import WatchRequest

_NAMES_A_VERB = "dartsctl.watch.names_a_verb"


class WatchGroup(VerbGroup):
    """`watch`: its first word is one of its verbs, else an environment."""

    # Typer's base class is private: the overrides cannot name the types of theirs

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the first word for a verb, else for the environment."""
        words = _positional(self.params, args)
        if words and words[0] in self.commands:
            ctx.meta[_NAMES_A_VERB] = True
        elif len(words) > 1 and not ctx.resilient_parsing:
            raise _no_such_verb(words, self.commands)
        else:
            ctx.allow_interspersed_args = True
        return super().parse_args(ctx, args)

    def get_params(self, ctx: Any) -> list[Any]:
        """Leave the environment out where a verb is named."""
        parameters = super().get_params(ctx)
        if ctx.meta.get(_NAMES_A_VERB):
            return [row for row in parameters if row.param_type_name != "argument"]
        return parameters


watch = Verbs(group=WatchGroup, invoke_without_command=True, subcommand_metavar="| VERB [ARGS]...")


@watch.callback()
@verb
def watch_stack(
    *,
    common: Common,
    context: typer.Context,
    environment: Name = None,
    env: Env = None,
    options: WatchOptions,
) -> int | None:
    """Watch a stack, and alert when it fails.

    An alert names the root cause, with evidence and the command that repairs it. Planned stops and
    deploys are no alerts. Ctrl-C or SIGTERM ends it, SIGHUP reads the settings again.

    \b
    dartsctl watch                    watch production
    dartsctl watch staging            watch another environment
    dartsctl watch --once             look once; exit code 1: something is wrong
    dartsctl watch --notify ntfy://d  send alerts there
    dartsctl watch silence darts-app --for 2h --reason upgrade
    dartsctl watch status             what the running watch knows
    dartsctl watch --print-unit       systemd units that keep it running
    """
    if context.invoked_subcommand:
        options.check_verb(context.invoked_subcommand)
        context.meta[_ENV] = env
        return None
    name = environment_name(environment, env)
    options.check()
    if options.print_unit:
        from dartsctl.commands.watch_units import print_units

        request = _request(common, name, options)
        return print_units(
            request, options.for_unit(), address=engine_address(), deps=deps_of(common)
        )
    if options.once:
        return _once(common, name, options)
    if common.dry_run:
        from dartsctl.commands.watch_dry_run import dry_run

        return dry_run(_request(common, name, options), deps=deps_of(common))
    from dartsctl.commands.watch import watch as run_watch

    return run_watch(_request(common, name, options), deps=deps_of(common, remembers=True))


def _once(common: Common, name: str | None, options: WatchOptions) -> int:
    from dartsctl.commands.watch_once import OnceRequest
    from dartsctl.commands.watch_once import once as run_once

    names: list[str | None] = [name]
    if options.every and name:
        raise UsageError(
            f"--all means every environment, and {name} was named",
            hint="dartsctl watch --once --all",
        )
    if options.every:
        stacks = common.settings().stacks
        names = [row for row in common.settings().environments if row in stacks]
    within = 0.0
    if options.within is not None:
        within = duration("--within", options.within, least=0)
    request = OnceRequest(
        tuple(_request(common, row, options) for row in names),
        only_existing=options.every,
        within=within,
        sends=bool(options.notify),
        dry_run=common.dry_run,
    )
    return run_once(request, deps=deps_of(common))


_ENV = "dartsctl.watch.env"


@watch.command("test")
@verb
def send_test(
    *, common: Common, context: typer.Context, notify: TestedUrls = None, env: Env = None
) -> int:
    """Send one test alert through every channel, and say which failed.

    \b
    dartsctl watch test
    dartsctl watch test --env staging
    dartsctl watch test --notify '${NEW_ALERT_URL}'
    """
    from dartsctl.commands.watch_test import send_test as run_test

    request = _request(common, _named(context, env), WatchOptions(notify=notify))
    return run_test(request, deps=deps_of(common), dry_run=common.dry_run)


@watch.command()
@verb
def silence(
    *,
    common: Common,
    context: typer.Context,
    subject: SubjectName,
    for_: For,
    reason: Reason = "",
    env: Env = None,
) -> int:
    """Send no alerts about a service or a port for a time.

    The silence ends by itself. It holds for every channel, for reminders and for --once; screen
    and --json lines still show what happens.

    \b
    dartsctl watch silence darts-app --for 2h --reason "moving the database"
    dartsctl watch silence 5000 --for 30m
    dartsctl watch silence all --for 1d --env staging
    """
    from dartsctl.commands.silences import SilenceRequest
    from dartsctl.commands.silences import silence as run_silence

    seconds = duration("--for", for_, least=1)
    request = SilenceRequest(
        _environment(common, context, env), subject, seconds, reason, dry_run=common.dry_run
    )
    return run_silence(request, deps=deps_of(common))


@watch.command()
@verb
def silences(*, common: Common, context: typer.Context, env: Env = None) -> int:
    """List the silences that hold, with who set them and until when.

    \b
    dartsctl watch silences
    dartsctl watch silences --json | jq -r '.silences[].subject'
    """
    from dartsctl.commands.silences import list_silences

    return list_silences(_environment(common, context, env), deps=deps_of(common))


@watch.command()
@verb
def lift(*, common: Common, context: typer.Context, subject: SilencedName, env: Env = None) -> int:
    """End a silence before its time.

    \b
    dartsctl watch lift darts-app
    dartsctl watch lift all
    """
    from dartsctl.commands.silences import lift as run_lift

    return run_lift(
        _environment(common, context, env), subject, dry_run=common.dry_run, deps=deps_of(common)
    )


@watch.command()
@verb
def ack(
    *, common: Common, context: typer.Context, episode: EpisodeId = None, env: Env = None
) -> int:
    """Acknowledge open episodes: no more reminders, no second channel.

    \b
    dartsctl watch ack                      every open episode
    dartsctl watch ack service:darts-app    the one of this service
    """
    from dartsctl.commands.acknowledge import acknowledge

    return acknowledge(
        _environment(common, context, env), episode, dry_run=common.dry_run, deps=deps_of(common)
    )


@watch.command()
@verb
def status(*, common: Common, context: typer.Context, env: Env = None) -> int:
    """Show what the running watch knows: episodes, silences, who runs.

    \b
    dartsctl watch status
    dartsctl watch status --json | jq '.episodes[] | select(.acknowledged | not)'
    """
    from dartsctl.commands.watch_status import status as run_status

    return run_status(_environment(common, context, env), deps=deps_of(common))


def _request(common: Common, name: str | None, options: WatchOptions) -> WatchRequest:
    from dartsctl.config.documented_ports import documented_ports
    from dartsctl.workflows.preflight.production_ports import production_ports
    from dartsctl.workflows.watch.request import WatchRequest

    project = common.settings()
    settings = options.over(project.watch)
    try:
        examine = request_for(common, name, project=None, profiles=[], proxy="", url="")
    except UsageError as error:
        raise _with_verbs(error, name) from None
    return WatchRequest(
        examine,
        settings,
        reload=lambda: _request(common, name, options),
        documented=documented_ports(project),
        production=lambda: production_ports(project, compose_on)[0],
        record=Path(options.record) if options.record else None,
    )


def _environment(common: Common, context: typer.Context, env: str | None) -> Environment:
    from dartsctl.config.settings import PRODUCTION

    name = _named(context, env) or PRODUCTION
    environment = environment_of(common, common.settings(), name, runs=True, is_shown=False)
    learn_env_files(environment)
    return environment


def _named(context: typer.Context, env: str | None) -> str | None:
    """Return the environment of a verb, from `--env` behind it or before it."""
    return env or context.meta.get(_ENV)


def _positional(parameters: Sequence[Any], args: Sequence[str]) -> list[str]:
    """Return the words of a command line that are no options and no values of options."""
    with_value: set[str] = set()
    for parameter in parameters:
        if parameter.param_type_name == "option" and not parameter.is_flag:
            with_value.update(parameter.opts)
    words: list[str] = []
    rest = iter(args)
    for word in rest:
        if word == "--":
            return [*words, *rest]
        if word in with_value:
            next(rest, "")
        elif not word.startswith("-"):
            words.append(word)
    return words


def _no_such_verb(words: Sequence[str], verbs: Sequence[str] | Any) -> UsageError:
    word, second = words[:2]
    hint: str = did_you_mean(word, verbs)
    if not hint and second in verbs:
        hint = Advice(f"write the verb first, and the environment as --env {shlex.quote(word)}")
    if not hint:
        hint = Advice(f"the verbs are {', '.join(verbs)}")
    return UsageError(f"not a verb of `watch`: {word!r}", hint=hint)


def _with_verbs(error: UsageError, word: str | None) -> UsageError:
    """Return the error about an environment, with the verb that may be meant."""
    hint = did_you_mean(word or "", _verbs())
    if not hint or not error.message.startswith("unknown environment"):
        return error
    return UsageError(error.message, details=error.details, hint=hint)


def _verbs() -> list[str]:
    """Return the names of the verbs: `test`, which is not the name of its function."""
    names: list[str] = []
    for command in watch.registered_commands:
        if command.name:
            names.append(command.name)
        elif command.callback:
            names.append(command.callback.__name__)
    return names
