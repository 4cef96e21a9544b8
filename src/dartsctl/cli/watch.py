"""`watch`, and its verbs."""

from __future__ import annotations

from dartsctl.cli.parameters import Verbs
from dartsctl.cli.watch_options import (
    ENV,
    EPISODE,
    FOR,
    NAME,
    REASON,
    SILENCED,
    SUBJECT,
    TESTED_URLS,
    WATCH,
    WatchOptions,
    duration,
    environment_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from dartsctl.cli.deps import Common
    from dartsctl.config.environment import Environment
    from dartsctl.errors import UsageError
    from dartsctl.workflows.watch.request import WatchRequest


def _check_options(verb: str, before: Mapping[str, Any]) -> None:
    """Raise UsageError for an option of `watch` itself before one of its verbs."""
    WATCH.record_of(before).check_verb(verb)


watch = Verbs(metavar="| VERB [ARGS]...", needs_a_verb=False, before_a_verb=_check_options)


@watch.itself(environment=NAME, env=ENV, options=WATCH)
def watch_stack(
    *,
    common: Common,
    environment: str | None = None,
    env: str | None = None,
    options: WatchOptions,
) -> int:
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
    from dartsctl.cli.deps import WATCHING, deps_of

    name = environment_name(environment, env)
    options.check()
    if options.print_unit:
        from dartsctl.cli.deps import engine_address
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
    from dartsctl.system import collector

    collector.run_as_usual()
    return run_watch(_request(common, name, options), deps=deps_of(common, remembers=WATCHING))


def _once(common: Common, name: str | None, options: WatchOptions) -> int:
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.watch_once import OnceRequest
    from dartsctl.commands.watch_once import once as run_once

    names: list[str | None] = [name]
    if options.every and name:
        from dartsctl.errors import UsageError

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


@watch.verb("test", notify=TESTED_URLS, env=ENV)
def send_test(*, common: Common, notify: list[str] | None = None, env: str | None = None) -> int:
    """Send one test alert through every channel, and say which failed.

    \b
    dartsctl watch test
    dartsctl watch test --env staging
    dartsctl watch test --notify '${NEW_ALERT_URL}'
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.watch_test import send_test as run_test

    request = _request(common, env, WatchOptions(notify=notify))
    return run_test(request, deps=deps_of(common), dry_run=common.dry_run)


@watch.verb(subject=SUBJECT, for_=FOR, reason=REASON, env=ENV)
def silence(
    *, common: Common, subject: str, for_: str, reason: str = "", env: str | None = None
) -> int:
    """Send no alerts about a service or a port for a time.

    The silence ends by itself. It holds for every channel, for reminders and for --once; screen
    and --json lines still show what happens.

    \b
    dartsctl watch silence darts-app --for 2h --reason "moving the database"
    dartsctl watch silence 5000 --for 30m
    dartsctl watch silence all --for 1d --env staging
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.silences import SilenceRequest
    from dartsctl.commands.silences import silence as run_silence

    seconds = duration("--for", for_, least=1)
    request = SilenceRequest(
        _environment(common, env), subject, seconds, reason, dry_run=common.dry_run
    )
    return run_silence(request, deps=deps_of(common))


@watch.verb(env=ENV)
def silences(*, common: Common, env: str | None = None) -> int:
    """List the silences that hold, with who set them and until when.

    \b
    dartsctl watch silences
    dartsctl watch silences --json | jq -r '.silences[].subject'
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.silences import list_silences

    return list_silences(_environment(common, env), deps=deps_of(common))


@watch.verb(subject=SILENCED, env=ENV)
def lift(*, common: Common, subject: str, env: str | None = None) -> int:
    """End a silence before its time.

    \b
    dartsctl watch lift darts-app
    dartsctl watch lift all
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.silences import lift as run_lift

    return run_lift(
        _environment(common, env), subject, dry_run=common.dry_run, deps=deps_of(common)
    )


@watch.verb(episode=EPISODE, env=ENV)
def ack(*, common: Common, episode: str | None = None, env: str | None = None) -> int:
    """Acknowledge open episodes: no more reminders, no second channel.

    \b
    dartsctl watch ack                      every open episode
    dartsctl watch ack service:darts-app    the one of this service
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.acknowledge import acknowledge

    return acknowledge(
        _environment(common, env), episode, dry_run=common.dry_run, deps=deps_of(common)
    )


@watch.verb(env=ENV)
def status(*, common: Common, env: str | None = None) -> int:
    """Show what the running watch knows: episodes, silences, who runs.

    \b
    dartsctl watch status
    dartsctl watch status --json | jq '.episodes[] | select(.acknowledged | not)'
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.watch_status import status as run_status

    return run_status(_environment(common, env), deps=deps_of(common))


def _request(common: Common, name: str | None, options: WatchOptions) -> WatchRequest:
    from pathlib import Path

    from dartsctl.cli.deps import compose_on
    from dartsctl.cli.doctor import request_for
    from dartsctl.config.documented_ports import documented_ports
    from dartsctl.errors import UsageError
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


def _environment(common: Common, env: str | None) -> Environment:
    from dartsctl.cli.deps import environment_of, learn_env_files
    from dartsctl.config.settings import PRODUCTION

    name = env or PRODUCTION
    environment = environment_of(common, common.settings(), name, runs=True, is_shown=False)
    learn_env_files(environment)
    return environment


def _with_verbs(error: UsageError, word: str | None) -> UsageError:
    """Return the error about an environment, with the verb that may be meant."""
    from dartsctl.errors import UsageError
    from dartsctl.text.phrases import did_you_mean

    hint = did_you_mean(word or "", watch.verbs)
    if not hint or not error.message.startswith("unknown environment"):
        return error
    return UsageError(error.message, details=error.details, hint=hint)
