"""The options of `watch` and its verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dartsctl.cli import completion
from dartsctl.config import values
from dartsctl.config.file import Setting
from dartsctl.errors import Advice, UsageError
from dartsctl.records import fields, record, replace
from dartsctl.text.numbers import parse_digits
from dartsctl.text.phrases import shell_command

if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.config.settings import WatchSettings

Name = Annotated[
    str | None,
    typer.Argument(
        help="Environment: prod (default), dev, or another one from the settings.",
        metavar="[ENV]",
        show_default=False,
        autocompletion=completion.watch_words,
    ),
]
Env = Annotated[
    str | None,
    typer.Option(
        "--env",
        help="Environment, also one that is named like a verb (default: prod).",
        metavar="ENV",
        autocompletion=completion.environments,
    ),
]
SubjectName = Annotated[
    str,
    typer.Argument(
        help="A service, a port (5000 or 5000/udp), engine, disk, site, certificate, or all.",
        metavar="SUBJECT",
        show_default=False,
        autocompletion=completion.subjects,
    ),
]
SilencedName = Annotated[
    str,
    typer.Argument(
        help="What was silenced, as `watch silences` lists it; all lifts every silence.",
        metavar="SUBJECT",
        show_default=False,
        autocompletion=completion.silenced,
    ),
]
EpisodeId = Annotated[
    str | None,
    typer.Argument(
        help="Episode, as `watch status` lists it; every open one if none is named.",
        metavar="[EPISODE]",
        show_default=False,
        autocompletion=completion.episodes,
    ),
]
TestedUrls = Annotated[
    list[str] | None,
    typer.Option(
        "--notify", help="Test this Apprise URL, not those of the settings.", metavar="URL"
    ),
]
For = Annotated[
    str,
    typer.Option(
        "--for", help="How long: 90s, 30m, 2h, 1d; at most 30d.", metavar="TIME", show_default=False
    ),
]
Reason = Annotated[
    str, typer.Option("--reason", help="Why, for the list of silences.", metavar="TEXT")
]

_NAMES = {"every": "all"}
"""Options that are not called like their field."""


@record
class WatchOptions:
    """How `watch` runs. What is given goes before the settings."""

    once: Annotated[
        bool,
        typer.Option("--once", help="Look once, print what is wrong, and end (for cron)."),
    ] = False
    every: Annotated[
        bool, typer.Option("--all", help="With --once: every environment that has containers.")
    ] = False
    within: Annotated[
        str | None,
        typer.Option(
            "--within", help="With --once: wait so long until nothing is wrong.", metavar="TIME"
        ),
    ] = None
    interval: Annotated[
        str | None,
        typer.Option("--interval", help="Time between two looks.", metavar="TIME"),
    ] = None
    notify: Annotated[
        list[str] | None,
        typer.Option(
            "--notify", help="Send alerts to this Apprise URL; repeatable.", metavar="URL"
        ),
    ] = None
    metrics: Annotated[
        str | None,
        typer.Option("--metrics", help="Serve Prometheus metrics on this port.", metavar="PORT"),
    ] = None
    heal: Annotated[
        bool | None,
        typer.Option("--heal/--no-heal", help="Repair what can be repaired safely."),
    ] = None
    reserve: Annotated[
        bool | None,
        typer.Option("--reserve/--no-reserve", help="Hold production ports while it is down."),
    ] = None
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print systemd units for this project, and end.")
    ] = False
    record: Annotated[
        str | None,
        typer.Option(
            "--record", help="Write what is observed to a new file.", metavar="FILE", hidden=True
        ),
    ] = None

    def check(self) -> None:
        """Raise UsageError for options that cannot be combined."""
        if self.every and not self.once:
            raise UsageError("--all needs --once", hint="dartsctl watch --once --all")
        if self.within is not None and not self.once:
            within = shell_command("dartsctl", "watch", "--once", "--within", self.within)
            raise UsageError("--within needs --once", hint=within)
        not_with_once = (
            (self.metrics is not None, "--metrics"),
            (bool(self.reserve), "--reserve"),
            (self.print_unit, "--print-unit"),
            (self.interval is not None, "--interval"),
            (self.record is not None, "--record"),
        )
        for is_given, option in not_with_once:
            if self.once and is_given:
                raise UsageError(
                    f"--once cannot be combined with {option}", hint="dartsctl watch --once"
                )
        if self.print_unit and self.notify:
            raise UsageError(
                "--print-unit cannot be combined with --notify: a unit is no place for secrets",
                hint=Advice(
                    "write notify into [watch] of the settings, or into the file that "
                    "EnvironmentFile= of the unit names"
                ),
            )

    def check_verb(self, verb: str) -> None:
        """Raise UsageError for an option before a verb: none of these is an option of a verb."""
        for field, described in fields(type(self)).items():
            value = getattr(self, field)
            if value in (described.default, []):
                continue
            name = _NAMES.get(field, field.replace("_", "-"))
            option = f"--{name}"
            if value is False:
                option = f"--no-{name}"
            raise UsageError(
                f"{option} before `watch {verb}` has no meaning",
                hint=shell_command("dartsctl", "watch", verb, "--help"),
            )

    def for_unit(self) -> tuple[str, ...]:
        """Return the options that a unit's command line has."""
        words: list[str] = []
        if self.interval is not None:
            words += ["--interval", self.interval]
        if self.metrics is not None:
            words += ["--metrics", self.metrics]
        for value, option in ((self.heal, "heal"), (self.reserve, "reserve")):
            if value is not None:
                words.append(f"--{option}" if value else f"--no-{option}")
        return tuple(words)

    def over(self, settings: WatchSettings) -> WatchSettings:
        """Return the settings with what was given instead. Raises UsageError."""
        if self.interval is not None:
            settings = replace(settings, interval=duration("--interval", self.interval, least=1))
        if self.notify:
            settings = replace(settings, notify=tuple(self.notify))
        if self.metrics is not None:
            number = parse_digits(self.metrics)
            port = values.port(Setting(self.metrics if number is None else number, "--metrics"))
            settings = replace(settings, metrics=port)
        if self.heal is not None:
            settings = replace(settings, heal=self.heal)
        if self.reserve is not None:
            settings = replace(settings, reserve=self.reserve)
        return settings


def duration(option: str, text: str, *, least: float) -> float:
    """Return the seconds that an option was given. Raises UsageError."""
    convert: Callable[[Setting], float] = values.duration(least)
    return convert(Setting(text, option))


def environment_name(argument: str | None, option: str | None) -> str | None:
    """Return the environment that the command line names. Raises UsageError for two."""
    if argument and option and argument != option:
        raise UsageError(
            f"two environments were named: {argument} and {option}",
            hint=f"dartsctl watch --env {option}",
        )
    return argument or option
