"""What every verb shares: the common options, before or after the verb, and the few parameters that several verbs have."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from dartsctl.cli import completion
from dartsctl.errors import DartsctlError, UsageError
from dartsctl.system import interrupts
from dartsctl.text.masker import Masker

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings
    from dartsctl.edges.engine.compose import Compose
    from dartsctl.edges.screen.output import Screen
    from dartsctl.edges.screen.prompts import Prompts
    from dartsctl.ports.choices import Policy
    from dartsctl.workflows.up.settle import Answers

Choice = TypeVar("Choice")

MASKER = Masker()
"""The secrets of this process's one command line: what any of its parts learns is masked in whatever is shown, written or kept."""


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every verb takes."""

    as_json: bool = False
    dry_run: bool = False
    yes: bool = False
    no_input: bool = False
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False
    project_dir: Path | None = None

    def screen(self) -> Screen:
        from dartsctl.edges.screen.output import Screen

        return Screen(
            as_json=self.as_json,
            quiet=self.quiet,
            verbose=self.verbose,
            color=not self.no_color,
            masker=MASKER,
        )

    def settings(self) -> Settings:
        """The project's settings. Raises UsageError that names file, line and key, Refused for settings that are not trusted."""
        from dartsctl.config.settings import load
        from dartsctl.config.trust import Trust
        from dartsctl.edges.state.trust_book import trusted_folders

        return load(
            working_folder(), os.environ, project_dir=self.project_dir, trust=Trust(trusted_folders)
        )


def working_folder() -> Path:
    """The current folder. Raises UsageError where it has been deleted under us."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "the working folder no longer exists", hint="cd into one that does"
        ) from None


_OPTIONS: dict[str, Any] = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")],
    "dry_run": Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ],
    "yes": Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to every question.")],
    "no_input": Annotated[
        bool, typer.Option("--no-input", help="Never prompt; fail, and name the flag that answers.")
    ],
    "quiet": Annotated[
        bool, typer.Option("--quiet", "-q", help="Print only results, warnings and errors.")
    ],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="Print more details.")],
    "no_color": Annotated[
        bool, typer.Option("--no-color", help="Do not use colors; NO_COLOR does the same.")
    ],
    "project_dir": Annotated[
        Path | None,
        typer.Option("--project-dir", help="Folder to search for dartsctl.toml.", metavar="DIR"),
    ],
}


def verb(function: Callable[..., int | None]) -> Callable[..., int | None]:
    """Give a command the common options as its parameter `common`; what was said before the verb counts too."""
    own = dict(inspect.signature(function, eval_str=True).parameters)
    own.pop("common")
    wants_context = own.pop("context", None) is not None

    @functools.wraps(function)
    def command(context: typer.Context, **given: Any) -> int | None:
        said = {name: value for name in _OPTIONS if (value := given.pop(name))}
        context.obj = replace(context.obj or Common(), **said)
        if wants_context:
            given["context"] = context
        with interrupts.Raised():
            return function(common=context.obj, **given)

    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=option,
            default=None if name == "project_dir" else False,
        )
        for name, option in _OPTIONS.items()
    ]
    first = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    parameters = [
        first,
        *(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own.values()),
        *shared,
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect's own protocol, which Typer reads
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    return command


Services = Annotated[
    list[str] | None,
    typer.Argument(
        help="Services to include; all if none is named.",
        metavar="[SERVICE]...",
        show_default=False,
        autocompletion=completion.services,
    ),
]
Project = Annotated[
    str | None,
    typer.Option(
        "--project",
        "-p",
        help="Use this Compose project name.",
        metavar="NAME",
        autocompletion=completion.projects,
    ),
]
Profiles = Annotated[
    list[str] | None, typer.Option("--profile", help="Enable this Compose profile.", metavar="NAME")
]
WaitTimeout = Annotated[
    int | None,
    typer.Option(
        "--wait-timeout",
        min=1,
        help="Seconds to wait until the stack is healthy.",
        metavar="SECONDS",
    ),
]


Fix = Annotated[
    bool,
    typer.Option("--fix", help="Resolve the conflicts: ask at a terminal, else use --on-conflict."),
]
OnConflict = Annotated[
    str | None,
    typer.Option(
        "--on-conflict",
        help="What to do on a conflict: ask, fail, stop (needs --yes), remap (not in production) or wait.",
        metavar="POLICY",
    ),
]


RemoveContainer = Annotated[
    list[str] | None,
    typer.Option(
        "--remove-container",
        help="Remove this container if the stack needs its name (needs --yes).",
        metavar="NAME",
    ),
]


def prompts_of(common: Common) -> Prompts:
    """The person at the terminal, or nobody."""
    from dartsctl.edges.screen.prompts import Prompts

    return Prompts(allowed=not common.no_input, shown=MASKER.line)


def one_of(option: str, given: str | None, choices: Sequence[Choice]) -> Choice | None:
    """Return the choice that `option` was given; None if it was not given.

    Raises UsageError for any other word.
    """
    if given is None:
        return None
    for choice in choices:
        if choice == given:
            return choice
    raise UsageError(
        f"{option}: {given!r} is not one of {', '.join(map(str, choices))}",
        hint=f"{option} {choices[0]}",
    )


def policy_named(text: str | None) -> Policy | None:
    """Return the policy of `--on-conflict`. Raises UsageError for another word."""
    from dartsctl.config.settings import ON_CONFLICT

    return one_of("--on-conflict", text, ON_CONFLICT)


def answers_of(
    common: Common,
    settings: Settings,
    name: str,
    on_conflict: str | None,
    wait_timeout: int | None,
    remove_containers: list[str] | None = None,
) -> Answers:
    """How conflicts are answered: the flag, else the settings, else by whether somebody is there to ask."""
    from dartsctl.config.settings import PRODUCTION
    from dartsctl.workflows.up.settle import Answers

    configured = settings.environments[name]
    policy = policy_named(on_conflict) or configured.on_conflict
    ports = {port for owned in settings.ports.production.values() for port in owned}
    return Answers(
        policy=policy,
        yes=common.yes,
        wait_timeout=float(wait_timeout or configured.wait_timeout),
        avoid=frozenset({*ports, *settings.ports.dev_range.numbers}),
        production_project=settings.environments[PRODUCTION].project,
        removable=frozenset(remove_containers or ()),
    )


def answers_without_settings(
    common: Common,
    on_conflict: str | None,
    wait_timeout: int | None,
    remove_containers: list[str] | None,
) -> Answers:
    """The same for any Compose files. Nothing moves; production's containers are spared where settings name them."""
    from dartsctl.workflows.up.settle import Answers

    return Answers(
        policy=policy_named(on_conflict),
        yes=common.yes,
        wait_timeout=float(wait_timeout or 120),
        production_project=_production_project(common),
        removable=frozenset(remove_containers or ()),
        remappable=False,
    )


def _production_project(common: Common) -> str:
    """Production's Compose project by the settings, where there are any."""
    from dartsctl.config.settings import PRODUCTION

    try:
        settings = common.settings()
    except DartsctlError:  # the files named on the command line need none
        return ""
    return settings.environments[PRODUCTION].project if settings.source else ""


def compose_on(environment: Environment, *, deadline: float | None = None) -> Compose:
    """Compose on an environment's files; what is secret in them and in the env files is masked in everything that is shown.


    `deadline`: seconds that it may take to resolve them, where that is not worth Compose's own minute.
    """
    from dartsctl.edges.engine.compose import CONFIG_DEADLINE, Compose
    from dartsctl.edges.state.compose_versions import ComposeVersions
    from dartsctl.edges.state.folder import state_folder

    MASKER.learn_later(lambda: _learn_env_files(environment))
    known = ComposeVersions(state_folder())
    return Compose(environment, masker=MASKER, known=known, deadline=deadline or CONFIG_DEADLINE)


def _learn_env_files(environment: Environment) -> None:
    """Regular files alone: a pipe can be read once, and that is Compose's."""
    from dartsctl.config.environment import default_env_files
    from dartsctl.edges.project.env_files import read

    MASKER.spare([environment.name, environment.project or ""])
    with suppress(DartsctlError):  # the working folder may be gone
        for file in environment.env_files or default_env_files(environment):
            with suppress(DartsctlError):  # Compose itself will say what is wrong with the file
                if file.is_file():
                    MASKER.learn({name: value.value for name, value in read((file,)).items()})
