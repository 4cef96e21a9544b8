"""The command line: Typer's options become one call of a verb. `main` is the only error boundary, and the only place that ends the program.

Everything heavy is imported inside the verbs' functions: no command pays for a library that it does not use (PERFORMANCE.md, start-up).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dartsctl.cli import doctor, guard, init, server, trust
from dartsctl.cli.app import app
from dartsctl.cli.options import MASKER, Common
from dartsctl.cli.stack import add_lifecycle
from dartsctl.errors import DartsctlError, ExitCode, Refused, UsageError

if TYPE_CHECKING:
    from dartsctl.edges.screen.output import Screen

prod = typer.Typer(no_args_is_help=True, help="Start, check and inspect the production stack.")
add_lifecycle("prod", prod)
app.add_typer(prod, name="prod")

VERBS = ("check", "doctor", "guard", "history", "init", "ports", "run", "trust", "dev", "prod")


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code (ExitCode; `dev` and `run`: the server's own). Never raises, never shows a traceback."""
    words = list(argv)
    MASKER.learn_later(lambda: MASKER.learn(os.environ))
    try:
        return _run(words)
    except DartsctlError as error:
        if error.message:
            _screen_for(words).error(error)
        return int(error.code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # the reader has gone (`| head`): nothing may be flushed to it at exit
        return int(ExitCode.OK)
    except Exception as error:  # the one place where a bug becomes a report
        return (
            _refuse_file(error, words)
            if isinstance(error, OSError) and error.filename is not None
            else _report_bug(error, words)
        )


def _refuse_file(error: OSError, words: list[str]) -> int:
    """What the kernel says about a file that no verb has expected to be in such a state: a name too long, a disk with errors."""
    told = DartsctlError(
        f"{(error.strerror or str(error)).lower()}: {error.filename!s}",
        hint="check that path: ls -ld PATH",
    )
    _screen_for(words).error(told)
    return int(told.code)


def _report_bug(error: Exception, words: list[str]) -> int:
    from dartsctl.edges.state.crash import write_report

    path = write_report(error, words, MASKER)
    where = f"a report is in {path}" if path else "and no report could be written"
    bug = DartsctlError(
        f"this is a bug in dartsctl ({type(error).__name__}); {where}",
        hint="send the report to the maintainers",
        code=ExitCode.BUG,
    )
    _screen_for(words).error(bug)
    return int(ExitCode.BUG)


def _run(words: list[str]) -> int:
    from typer.exceptions import TyperException

    _tell_makeshift_state(words)
    _add_named_environment(words)
    try:
        with _only_what_is_named(words):
            answer = app(args=words, prog_name="dartsctl", standalone_mode=False)
    except TyperException as error:
        return _refuse_words(error)
    except typer.Abort:
        return int(ExitCode.INTERRUPTED)
    except (KeyError, ValueError, IndexError):
        if not _is_completing():
            raise
        raise UsageError(
            "the shell's completion variables are incomplete", hint="dartsctl --install-completion"
        ) from None
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            raise ended.__context__ from None  # Click's own answer to it is exit code 1
        raise
    return int(answer or 0)


def _tell_makeshift_state(words: Sequence[str]) -> None:
    """A user without a home (`docker run --user`) is told where dartsctl keeps what others keep there."""
    if (
        os.environ.get("HOME", "/") != "/"
        or not words
        or {"-h", "--help", "-V", "--version", "-q", "--quiet"}.intersection(words)
    ):
        return
    from dartsctl.edges.state.folder import is_makeshift, state_folder

    if is_makeshift():
        _screen_for(words).note(
            f"this user has no home folder; dartsctl's state is kept in {state_folder()} (DARTSCTL_STATE_DIR names another)"
        )


@contextmanager
def _only_what_is_named(words: Sequence[str]) -> Iterator[None]:
    """Typer builds every verb's parameters at each start, 255 of them: where the line begins with a known verb, that one is enough."""
    verbs, groups = app.registered_commands, app.registered_groups
    if words and words[0] in VERBS and not _is_completing():
        app.registered_commands = [
            one for one in verbs if words[0] in (one.name, getattr(one.callback, "__name__", ""))
        ]
        app.registered_groups = [one for one in groups if one.name == words[0]]
    try:
        yield
    finally:
        app.registered_commands, app.registered_groups = verbs, groups


def _is_completing() -> bool:
    return any(name.endswith("_COMPLETE") for name in os.environ)


def _refuse_words(error: Exception) -> int:
    """Typer's complaint about the command line: its own sentence, with the help to look at. A group without a verb shows its help."""
    text = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(text + "\n")
        return int(ExitCode.USAGE)
    context = getattr(error, "ctx", None)
    raise UsageError(
        text.rstrip("."), hint=f"{context.command_path} --help" if context else "dartsctl --help"
    ) from None


def _screen_for(words: Sequence[str]) -> Screen:
    own = words[: words.index("--")] if "--" in words else words
    return Common(as_json="--json" in own, no_color="--no-color" in own).screen()


def _add_named_environment(words: Sequence[str]) -> None:
    """`dartsctl staging up`: the environments that only the settings name become groups of verbs like `prod`; a mistyped one is suggested."""
    folder = _project_dir(words)
    name = next((word for word in words if not word.startswith("-") and word != folder), "")
    if not name or name in VERBS:
        return
    try:
        settings = Common(project_dir=Path(folder) if folder else None).settings()
    except Refused:
        if {"-h", "--help"}.intersection(words):
            return
        raise  # which environments there are stands in settings that are not used
    except DartsctlError:
        return  # the verb itself will say what is wrong with the settings, or that it is unknown
    for own in [one for one in settings.environments if one not in VERBS]:
        group = typer.Typer(no_args_is_help=True, help=f"Start, check and inspect the {own} stack.")
        add_lifecycle(own, group)
        app.add_typer(group, name=own)


def _project_dir(words: Sequence[str]) -> str:
    """What --project-dir says, before Click has read the line; empty without it."""
    for word, after in zip(words, (*words[1:], ""), strict=False):
        if word == "--project-dir":
            return after
        if word.startswith("--project-dir="):
            return word.partition("=")[2]
        if word == "--":
            break
    return ""


__all__ = ["doctor", "guard", "init", "main", "server", "trust"]
