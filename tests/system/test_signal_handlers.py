"""Signal handlers for the time of a context."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from dartsctl.system.signal_handlers import signal_handlers


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    former = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, former)


def test_the_handler_is_set_inside_the_context_only() -> None:
    former: list[int] = []
    received: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, _frame: former.append(number))
    with signal_handlers([signal.SIGUSR1], lambda number, _frame: received.append(number)):
        os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert (received, former) == ([signal.SIGUSR1], [signal.SIGUSR1])


def test_an_error_restores_the_former_handler() -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    with pytest.raises(KeyError), signal_handlers([signal.SIGUSR1], lambda _number, _frame: None):
        raise KeyError
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL


def test_an_ignored_signal_stays_ignored() -> None:
    received: list[int] = []
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    with signal_handlers([signal.SIGUSR1], lambda number, _frame: received.append(number)):
        os.kill(os.getpid(), signal.SIGUSR1)
    assert received == []


def test_in_another_thread_no_handler_is_set() -> None:
    results: list[object] = []

    def run() -> None:
        with signal_handlers([signal.SIGUSR1], lambda _number, _frame: None):
            results.append(signal.getsignal(signal.SIGUSR1))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert results == [signal.SIG_DFL]
