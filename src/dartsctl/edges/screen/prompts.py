"""Questions to a person. The only file that imports questionary.

Prompts are drawn on stderr: stdout belongs to the result. Without a terminal nobody is asked, and the error names the flags that answer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TextIO

from dartsctl.errors import DartsctlError, ExitCode, Interrupted
from dartsctl.text.safe_text import one_line


class Prompts:
    """One person at one terminal; `allowed` is False with --no-input. CI is never a person (edge-cases.md#81).

    Questions and lines pass `shown` (Masker.line) before they are drawn.
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
        """The number of the line chosen with the arrow keys. Raises Interrupted on Ctrl-C, and code 7 without a terminal, naming `flags`."""
        self._need_a_person(question, flags)
        import questionary

        shown = [
            questionary.Choice(self._shown(text), value=number) for number, text in enumerate(lines)
        ]
        answer = _asked(
            questionary.select(
                self._shown(question),
                choices=shown,
                qmark="?",
                instruction="(arrow keys)",
                output=_on_stderr(),
            )
        )
        return int(answer)

    def confirm(self, question: str, *, flags: str) -> bool:
        """Yes or no; no is the default. Raises as `select`."""
        self._need_a_person(question, flags)
        import questionary

        return bool(
            _asked(questionary.confirm(self._shown(question), default=False, output=_on_stderr()))
        )

    def typed(self, question: str, expected: str, *, flags: str) -> bool:
        """Whether exactly `expected` was typed. Raises as `select`."""
        self._need_a_person(question, flags)
        import questionary

        return (
            str(_asked(questionary.text(self._shown(question), output=_on_stderr()))).strip()
            == expected
        )

    def _need_a_person(self, question: str, flags: str) -> None:
        if not self.interactive:
            raise DartsctlError(
                f"an answer is needed, and nobody is there to give it: {question}",
                hint=flags,
                code=ExitCode.ANSWER_NEEDED,
            )
        _forget_what_was_typed_ahead()


def _is_terminal(stream: TextIO | None) -> bool:
    """A stream that was closed before we started is None."""
    with suppress(ValueError):  # closed since
        return stream is not None and stream.isatty()
    return False


def _forget_what_was_typed_ahead() -> None:
    """An Enter that was pressed while we were looking is no answer to a question that nobody had seen yet."""
    import termios

    with suppress(termios.error, OSError, ValueError):
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


def _asked(question: Any) -> Any:
    """The answer; `ask()` would make a Ctrl-C look like "nothing chosen" (edge-cases.md#82)."""
    try:
        return question.unsafe_ask()
    except (KeyboardInterrupt, EOFError):
        raise Interrupted("aborted at the question; nothing more is done") from None


def _on_stderr() -> Any:
    from prompt_toolkit.output import create_output

    return create_output(stdout=sys.stderr)
