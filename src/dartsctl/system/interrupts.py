"""Ctrl-C at any moment of a run: exit code 130 and one line, never a traceback.

While dartsctl starts there is nothing to undo, and an exception could come out of the middle of any library's import: the
process leaves at once. Within a verb Ctrl-C is a KeyboardInterrupt, as usual. When everything is done it is ignored.

This is the first module of every run. It imports only what the interpreter has loaded anyway: `signal` alone brings `enum`,
`contextlib` and `typing` as much again, milliseconds in which a Ctrl-C would end in a traceback.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` is made of; typeshed has no stub for it
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import NoReturn

_INTERRUPTED = 130  # ExitCode.INTERRUPTED


def watch() -> None:
    """Take Ctrl-C from now on. A SIGINT that is ignored stays so: nohup, a background job of a script."""
    sys.excepthook = _uncaught
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _leave_at_once)


def done() -> None:
    """Ignore Ctrl-C: the result is there, and the interpreter's own end must not be disturbed.

    A KeyboardInterrupt that came out of an `exec` of text, as in the making of a dataclass, is noted by CPython as one that nobody
    handles, and the process then kills itself by SIGINT at its end, whatever its exit code. The next such `exec` clears the note.
    """
    if _signal.getsignal(_signal.SIGINT) is _leave_at_once:
        _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    exec("")  # noqa: S102 - see above


class Raised:
    """A context in which Ctrl-C is a KeyboardInterrupt. One that nobody has caught becomes Interrupted."""

    def __enter__(self) -> None:
        self._watched = _signal.getsignal(_signal.SIGINT) is _leave_at_once
        if self._watched:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watched:
            _signal.signal(_signal.SIGINT, _leave_at_once)
        if isinstance(error, KeyboardInterrupt):
            from dartsctl.errors import Interrupted

            raise Interrupted("interrupted") from None


def _leave_at_once(_number: int, _frame: object) -> NoReturn:
    os.write(2, b"error: interrupted\n")
    os._exit(_INTERRUPTED)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        _leave_at_once(0, None)
    sys.__excepthook__(kind, error, trace)
