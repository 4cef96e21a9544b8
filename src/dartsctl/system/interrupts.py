"""Handle Ctrl-C at any moment of a run: exit code 130 and one line, never a traceback.

While dartsctl starts there is nothing to undo, and an exception could come out of any library's
import, so the process exits at once. Within a command Ctrl-C is a KeyboardInterrupt, as usual.
After the command it is ignored.

This is the first module of every run. It imports only what the interpreter has already loaded: the
module `signal` brings `enum`, `contextlib` and `typing`, which takes milliseconds in which a Ctrl-C
would end in a traceback.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C part of `signal`; typeshed has no stub
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import NoReturn

_INTERRUPTED = 130  # ExitCode.INTERRUPTED
_ENDING = (_signal.SIGTERM, _signal.SIGHUP)
"""Signals that end a process at once by default."""
_before_exit: list[Callable[[], None]] = []


def watch() -> None:
    """Exit at once on Ctrl-C from now on.

    An ignored SIGINT stays ignored: nohup and background jobs of scripts ask for that.
    """
    sys.excepthook = _handle_uncaught
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, exit_at_once)


def before_exit(end: Callable[[], None]) -> None:
    """Have `end` called before a signal ends this process: it ends another one that was started."""
    _before_exit.append(end)
    for number in _ENDING:
        if _signal.getsignal(number) == _signal.SIG_DFL:
            _signal.signal(number, _die)


class Held:
    """A context in which the signals above do nothing. At its end they do what they would have."""

    def __enter__(self) -> None:
        self._received: list[int] = []
        self._handlers: dict[int, Callable[[int, object], NoReturn]] = {}
        for number in (_signal.SIGINT, *_ENDING):
            handler = _signal.getsignal(number)
            if handler in (exit_at_once, _die):
                self._handlers[number] = handler
                _signal.signal(number, self._note)

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._handlers.items():
            _signal.signal(number, handler)
        for number in self._received:
            self._handlers[number](number, None)

    def _note(self, number: int, _frame: object) -> None:
        self._received.append(number)


def ignore() -> None:
    """Ignore Ctrl-C: the command has ended, and so must the interpreter, undisturbed.

    CPython notes a KeyboardInterrupt that leaves an `exec` of text, as in the creation of a
    dataclass, as unhandled. At its end the process then kills itself by SIGINT, whatever its exit
    code. The next `exec` of text clears the note.
    """
    if _signal.getsignal(_signal.SIGINT) is exit_at_once:
        _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    exec("")  # noqa: S102 - see above


class RaiseInterrupted:
    """A context in which Ctrl-C is a KeyboardInterrupt, which leaves it as Interrupted."""

    def __enter__(self) -> None:
        self._watched = _signal.getsignal(_signal.SIGINT) is exit_at_once
        if self._watched:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watched:
            _signal.signal(_signal.SIGINT, exit_at_once)
        if isinstance(error, KeyboardInterrupt):
            from dartsctl.errors import Interrupted

            raise Interrupted("interrupted") from None


def exit_at_once(_number: int = 0, _frame: object = None) -> NoReturn:
    """Say that the run was interrupted, and end the process."""
    _do(_say_so, *_before_exit)
    os._exit(_INTERRUPTED)


def _die(number: int, _frame: object) -> NoReturn:
    """End what was started, and then this process by the signal, as without a handler."""
    _do(*_before_exit)
    _signal.signal(number, _signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # the signal is blocked


def _do(*steps: Callable[[], None]) -> None:
    for step in steps:
        try:
            step()
        except OSError:  # nobody reads stderr, or what is ended was just being closed
            continue


def _say_so() -> None:
    os.write(2, b"error: interrupted\n")


def _handle_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        exit_at_once()
    sys.__excepthook__(kind, error, trace)
