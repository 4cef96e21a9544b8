"""The options of `watch` and its verbs."""

from __future__ import annotations

from dartsctl.cli.parameters import Argument, Option, Options
from dartsctl.records import fields, record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.config.file import Setting
    from dartsctl.config.settings import WatchSettings

NAME = Argument(
    text="Environment: prod (default), dev, or another one from the settings.",
    metavar="[ENV]",
    completion="watch_words",
)
ENV = Option(
    "--env",
    kind="text",
    text="Environment, also one that is named like a verb (default: prod).",
    metavar="ENV",
    completion="environments",
    is_inherited=True,
)
SUBJECT = Argument(
    text="A service, a port (5000 or 5000/udp), engine, disk, site, certificate, or all.",
    metavar="SUBJECT",
    completion="subjects",
)
SILENCED = Argument(
    text="What was silenced, as `watch silences` lists it; all lifts every silence.",
    metavar="SUBJECT",
    completion="silenced",
)
EPISODE = Argument(
    text="Episode, as `watch status` lists it; every open one if none is named.",
    metavar="[EPISODE]",
    completion="episodes",
)
TESTED_URLS = Option(
    "--notify",
    kind="texts",
    text="Test this Apprise URL, not those of the settings.",
    metavar="URL",
)
FOR = Option("--for", kind="text", text="How long: 90s, 30m, 2h, 1d; at most 30d.", metavar="TIME")
REASON = Option("--reason", kind="text", text="Why, for the list of silences.", metavar="TEXT")

_NAMES = {"every": "all"}
"""Options that are not called like their field."""


@record
class WatchOptions:
    """How `watch` runs. What is given goes before the settings."""

    once: bool = False
    every: bool = False
    within: str | None = None
    interval: str | None = None
    notify: list[str] | None = None
    metrics: str | None = None
    heal: bool | None = None
    reserve: bool | None = None
    print_unit: bool = False
    record: str | None = None

    def check(self) -> None:
        """Raise UsageError for options that cannot be combined."""
        from dartsctl.errors import Advice, UsageError
        from dartsctl.text.phrases import shell_command

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
        from dartsctl.errors import UsageError
        from dartsctl.text.phrases import shell_command

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
        from dartsctl.config import values
        from dartsctl.config.file import Setting
        from dartsctl.text.numbers import parse_digits

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


WATCH = Options(
    WatchOptions,
    once=Option("--once", text="Look once, print what is wrong, and end (for cron)."),
    every=Option("--all", text="With --once: every environment that has containers."),
    within=Option(
        "--within",
        kind="text",
        text="With --once: wait so long until nothing is wrong.",
        metavar="TIME",
    ),
    interval=Option("--interval", kind="text", text="Time between two looks.", metavar="TIME"),
    notify=Option(
        "--notify",
        kind="texts",
        text="Send alerts to this Apprise URL; repeatable.",
        metavar="URL",
    ),
    metrics=Option(
        "--metrics", kind="text", text="Serve Prometheus metrics on this port.", metavar="PORT"
    ),
    heal=Option("--heal/--no-heal", text="Repair what can be repaired safely."),
    reserve=Option("--reserve/--no-reserve", text="Hold production ports while it is down."),
    print_unit=Option("--print-unit", text="Print systemd units for this project, and end."),
    record=Option(
        "--record",
        kind="text",
        text="Write what is observed to a new file.",
        metavar="FILE",
        is_hidden=True,
    ),
)


def duration(option: str, text: str, *, least: float) -> float:
    """Return the seconds that an option was given. Raises UsageError."""
    from dartsctl.config import values
    from dartsctl.config.file import Setting

    convert: Callable[[Setting], float] = values.duration(least)
    return convert(Setting(text, option))


def environment_name(argument: str | None, option: str | None) -> str | None:
    """Return the environment that the command line names. Raises UsageError for two."""
    if argument and option and argument != option:
        from dartsctl.errors import UsageError

        raise UsageError(
            f"two environments were named: {argument} and {option}",
            hint=f"dartsctl watch --env {option}",
        )
    return argument or option
