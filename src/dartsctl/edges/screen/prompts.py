"""Questions to a person. The only module that imports questionary.

Prompts are drawn on stderr, because stdout is for the result. Without a terminal there is no
prompt, and the error names the flags that answer the question.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from dartsctl.errors import DartsctlError, ExitCode, Interrupted
from dartsctl.text.safe_text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TextIO


class Prompts:
    """Prompts at a terminal. `allowed` is False with --no-input; CI counts as no terminal.

    Questions and lines pass `shown` (Masker.line) before they are drawn (edge-cases.md#81).
    """

    def __init__(self, *, allowed: bool = True, shown: Callable[[str], str] = one_line) -> None:
        self._shown = shown
        self.interactive = (
            allowed
            and not os.environ.get("CI")
            and _is_terminal(sys.stdin)
            and _is_terminal(sys.stderr)
        )

    def select(self, question: str, lines: Sequence[str], *, flags: str) -> int:
        """Return the number of the line that is chosen with the arrow keys.

        Raises Interrupted on Ctrl-C, and DartsctlError with code 7 and `flags` without a terminal.
        """
        self._require_terminal(question, flags)
        import questionary

        choices = [
            questionary.Choice(self._shown(text), value=number) for number, text in enumerate(lines)
        ]
        prompt = questionary.select(
            self._shown(question),
            choices=choices,
            qmark="?",
            instruction="(arrow keys)",
            output=_on_stderr(),
        )
        return int(_answer(prompt))

    def confirm(self, question: str, *, flags: str) -> bool:
        """Ask a yes-or-no question; the default is no. Raises as `select`."""
        self._require_terminal(question, flags)
        import questionary

        prompt = questionary.confirm(self._shown(question), default=False, output=_on_stderr())
        return bool(_answer(prompt))

    def typed(self, question: str, expected: str, *, flags: str) -> bool:
        """Return whether exactly `expected` was typed. Raises as `select`."""
        self._require_terminal(question, flags)
        import questionary

        prompt = questionary.text(self._shown(question), output=_on_stderr())
        return str(_answer(prompt)).strip() == expected

    def _require_terminal(self, question: str, flags: str) -> None:
        if not self.interactive:
            raise DartsctlError(
                f"cannot prompt without a terminal: {question}",
                hint=flags,
                code=ExitCode.ANSWER_NEEDED,
            )
        _discard_typed_input()


def _is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal; None is one that was closed before we started."""
    with suppress(ValueError):  # closed since
        return stream is not None and stream.isatty()
    return False


def _discard_typed_input() -> None:
    """Discard keys that were pressed before the question was shown: they are no answer to it."""
    import termios

    with suppress(termios.error, OSError, ValueError):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _answer(prompt: Any) -> Any:
    """Return the answer; `ask()` would report Ctrl-C as "nothing chosen" (edge-cases.md#82)."""
    try:
        return prompt.unsafe_ask()
    except (KeyboardInterrupt, EOFError):
        raise Interrupted("aborted at the prompt; nothing else was changed") from None


def _on_stderr() -> Any:
    from prompt_toolkit.output import create_output

    return create_output(stdout=sys.stderr)
