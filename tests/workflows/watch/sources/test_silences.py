"""Silences and acknowledgements as observations."""

from __future__ import annotations

import threading
from pathlib import Path

from dartsctl.alerts.observations import Acknowledged, Silence, Silenced
from dartsctl.alerts.problem import Subject
from dartsctl.edges.state.silence_book import SilenceBook
from dartsctl.workflows.watch.signals import Note, Observed, Signal
from dartsctl.workflows.watch.sources.silences import SilenceSource

NOW = 1_000_000.0


def test_a_running_watch_sees_every_change(tmp_path: Path) -> None:
    book = SilenceBook(tmp_path, "shop")
    row = Silence(Subject("service", "app"), NOW + 60, "upgrade", "ann")
    signals: list[Signal] = []
    arrived, stop = threading.Condition(), threading.Event()

    def emit(signal: Signal) -> None:
        with arrived:
            signals.append(signal)
            arrived.notify_all()

    def wait_for(count: int) -> None:
        with arrived:
            assert arrived.wait_for(lambda: len(signals) >= count, timeout=60)

    source = SilenceSource(book, lambda: NOW)
    thread = threading.Thread(target=source.run, args=(emit, stop))
    thread.start()
    try:
        wait_for(1)
        book.silence(row, NOW)
        wait_for(2)
        book.acknowledge(("service:app@1",), NOW)
        wait_for(4)
        book.lift((row,), NOW)
        wait_for(5)
        (tmp_path / "watch" / "shop" / "silences.json").write_text("{")
        wait_for(7)
    finally:
        stop.set()
        thread.join()
    assert signals == [
        Observed(Silenced(()), NOW),
        Observed(Silenced((row,)), NOW),
        Observed(Silenced((row,)), NOW),
        Observed(Acknowledged("service:app@1"), NOW),
        Observed(Silenced(()), NOW),
        Note("silences.json is broken and not used", NOW),
        Observed(Silenced(()), NOW),
    ]
