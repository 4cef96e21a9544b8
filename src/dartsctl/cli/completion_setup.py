"""`--show-completion` and `--install-completion`, for the shell in use or the one that is named.

Typer ignores a name, and prints its own lines where it recognises no shell. So both options are
answered here when they come first; Typer still has them in the help, and after other options.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

from dartsctl.errors import Advice, UsageError

_SHOW = "--show-completion"
_INSTALL = "--install-completion"
_SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_DARTSCTL_COMPLETE"
_PROGRAM = "dartsctl"
_ZSH_REGISTERS = "compdef _dartsctl_completion dartsctl"
_ZSH_ANSWERS = f"""if [ "$funcstack[1]" = "_dartsctl" ]; then
  _dartsctl_completion
else
  {_ZSH_REGISTERS}
fi"""


def is_asked_for(words: Sequence[str]) -> bool:
    """Whether a command line is one of the two options, with or without a shell."""
    option, _, shell = words[0].partition("=") if words else ("", "", "")
    if option not in (_SHOW, _INSTALL):
        return False
    more = [shell] if shell else words[1:]
    return not any(word.startswith("-") for word in more)


def set_up(words: Sequence[str]) -> int:
    """Print the script for a shell, or write it where that shell reads it.

    Raises UsageError for a shell without completion, and where none is named or recognised.
    """
    # Typer does not say that it exports this
    from typer.completion import install  # type: ignore[attr-defined]

    option, _, named = words[0].partition("=")
    shells = [*filter(None, [named]), *words[1:]]
    if len(shells) > 1:
        raise UsageError(f"{option} takes one shell", hint=f"{_PROGRAM} {option} {shells[0]}")
    shell = _known(shells[0] if shells else _shell_in_use(option))
    script = _script_for(shell)
    if option == _SHOW:
        typer.echo(script)
        return 0
    _, path = install(shell=shell, prog_name=_PROGRAM, complete_var=_VARIABLE)
    path.write_text(f"{script}\n")
    typer.echo(f"installed completion for {shell} in {path}; a new {shell} has it")
    return 0


def _script_for(shell: str) -> str:
    """Return the script that makes a shell ask dartsctl for completions.

    zsh loads it at the first TAB, as the body of `_dartsctl`. Typer's only registers itself then,
    and that TAB is lost.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    script = get_completion_script(prog_name=_PROGRAM, complete_var=_VARIABLE, shell=shell)
    return str(script).replace(_ZSH_REGISTERS, _ZSH_ANSWERS)


def _known(shell: str) -> str:
    if shell not in _SHELLS:
        raise UsageError(
            f"no completion for the shell {shell}",
            hint=Advice(f"completion exists for {_choices()}"),
        )
    return shell


def _shell_in_use(option: str) -> str:
    """Return the name of the shell that runs this process."""
    from shellingham import ShellDetectionFailure, detect_shell

    try:
        name, _path = detect_shell()
    except ShellDetectionFailure:
        raise UsageError(
            "cannot tell from which shell dartsctl was started", hint=f"{_PROGRAM} {option} bash"
        ) from None
    return str(name)


def _choices() -> str:
    return f"{', '.join(_SHELLS[:-1])} and {_SHELLS[-1]}"
