"""The only error boundary: what ends a command line becomes a message and an exit code."""

from __future__ import annotations

import os
import sys

from dartsctl.cli import plain_line
from dartsctl.cli.deps import MASKER, Common, state
from dartsctl.cli.typed_words import is_completing, project_dir_of
from dartsctl.errors import Advice, DartsctlError, ExitCode, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.edges.screen.output import Screen

_COMPLETION_OPTIONS = ("--show-completion", "--install-completion")


def run(words: list[str]) -> int:
    """Run one command line and return its exit code. Never raises, never shows a traceback.

    The code is an ExitCode; that of `dev` and `run` is the server's own.
    """
    MASKER.learn_later(lambda: MASKER.learn(os.environ))
    try:
        return _run(words)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    except Exception as error:
        return report(error, words)


def report(error: Exception, words: list[str]) -> int:
    """Show what ended a command line, and return its exit code."""
    if isinstance(error, BrokenPipeError):  # the reader has gone, as in `| head`
        _write_nowhere()
        return int(ExitCode.OK)
    failure = _as_failure(error, words)
    if failure.message:
        failure.hint = _in_the_same_folder(failure.hint, words)
        _show(failure, words)
    return int(failure.code)


def report_unwritten(error: OSError, words: list[str]) -> int:
    """Show why stdout could not be written, and return the exit code."""
    from dartsctl.edges.screen.output import unwritten

    if isinstance(error, BrokenPipeError):
        return report(error, words)
    return report(unwritten(error), words)


def _show(failure: DartsctlError, words: list[str]) -> None:
    """Show a failure: on stderr where stdout, which --json is for, cannot be written."""
    try:
        try:
            _screen_for(words).error(failure)
        except DartsctlError:
            _screen_for([word for word in words if word != "--json"]).error(failure)
    except BrokenPipeError:
        _write_nowhere()


def _write_nowhere() -> None:
    """Give stdout and stderr no reader that could go: they are flushed at the exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())


def _run(words: list[str]) -> int:
    _note_temporary_state(words)
    if call := plain_line.read(words):
        return int(call.run() or 0)
    if "".join(words[:1]).startswith(_COMPLETION_OPTIONS):
        from dartsctl.cli import completion_setup

        if completion_setup.is_asked_for(words):
            return completion_setup.set_up(words)
    return _run_by_typer(words)


def _run_by_typer(words: list[str]) -> int:
    import typer
    from typer.exceptions import TyperException

    from dartsctl.cli.app import program

    app = program(words)
    try:
        code = app(args=words, prog_name="dartsctl", standalone_mode=False)
    except TyperException as error:
        return _refuse_arguments(error)
    except typer.Abort:
        return int(ExitCode.INTERRUPTED)
    except (KeyError, ValueError, IndexError):
        if not is_completing():
            raise
        raise UsageError(
            "the shell's completion variables are incomplete", hint="dartsctl --install-completion"
        ) from None
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            raise ended.__context__ from None  # Click would end with code 1
        raise
    return int(code or 0)


def _in_the_same_folder(hint: str, words: Sequence[str]) -> str:
    """Return the next command with the --project-dir that was typed, if it lacks it."""
    folder = project_dir_of(words)
    is_ours = hint.startswith("dartsctl ") and not isinstance(hint, Advice)
    if not folder or not is_ours or "--project-dir" in hint:
        return hint
    from dartsctl.text.phrases import shell_command

    command, separator, rest = hint.partition(" -- ")
    return f"{command} {shell_command('--project-dir', folder)}{separator}{rest}"


def _as_failure(error: Exception, words: list[str]) -> DartsctlError:
    """Return what to report for an error that ended the command."""
    match error:
        case DartsctlError():
            return error
        case OSError() if error.filename is not None:
            # a file in a state that no verb expects: a name too long, a disk with errors
            reason = (error.strerror or str(error)).lower()
            from dartsctl.text.phrases import shell_command

            path = str(error.filename)
            return DartsctlError(f"{reason}: {path}", hint=shell_command("ls", "-ld", path))
        case _:
            return _report_bug(error, words)


def _report_bug(error: Exception, words: list[str]) -> DartsctlError:
    from dartsctl.edges.state.crash import write_report

    path = write_report(error, words, MASKER)
    where = f"a report is in {path}" if path else "no report could be written"
    return DartsctlError(
        f"this is a bug in dartsctl ({type(error).__name__}); {where}",
        hint=Advice("send the report to the maintainers"),
        code=ExitCode.BUG,
    )


def _refuse_arguments(error: Exception) -> int:
    """Report invalid arguments in Typer's own words. A group without a verb shows its help."""
    text = str(error.format_message()) if hasattr(error, "format_message") else str(error)
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(text + "\n")
        return int(ExitCode.USAGE)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "dartsctl"
    raise UsageError(text.rstrip("."), hint=f"{command} --help") from None


def _note_temporary_state(words: Sequence[str]) -> None:
    """Say where the state is kept for a user without a home folder (`docker run --user`)."""
    if not words or os.environ.get("HOME", "/") != "/":
        return
    if {"-h", "--help", "-V", "--version", "-q", "--quiet"}.intersection(words):
        return
    from dartsctl.edges.state.folder import is_makeshift

    if is_makeshift():
        _screen_for(words).note(
            f"this user has no home folder; dartsctl's state is kept in {state()}"
            " (DARTSCTL_STATE_DIR names another)"
        )


def _screen_for(words: Sequence[str]) -> Screen:
    """Return the screen for a command line that Typer has not read, or could not."""
    own = words[: words.index("--")] if "--" in words else words
    return Common(as_json="--json" in own, no_color="--no-color" in own).screen()
