"""SIGHUP: other settings are taken, wrong ones are said, and those in use stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from dartsctl.config.settings import WatchSettings
from dartsctl.errors import UsageError
from dartsctl.records import replace
from dartsctl.workflows.watch.channels import Destinations
from dartsctl.workflows.watch.delivery import Channel
from dartsctl.workflows.watch.ending import Ending
from dartsctl.workflows.watch.request import WatchRequest
from dartsctl.workflows.watch.signals import Note, Signal
from dartsctl.workflows.watch.sources.settings import SettingsSource

IN_USE = Destinations((Channel("notify json://a", "json://a", "notify", "json://a/old"),))
ROTATED = Destinations((Channel("notify json://a", "json://a", "notify", "json://a/new"),))


def after_sighup(
    latest: WatchSettings, destinations: Callable[[WatchRequest], Destinations]
) -> tuple[SettingsSource, Ending, str]:
    """Return the source after one SIGHUP, and what it has said."""
    ending = Ending()
    unused = cast(Any, None)
    request = WatchRequest(unused, WatchSettings(), lambda: replace(request, settings=latest))
    source = SettingsSource(request, ending, lambda: 7.0, destinations, IN_USE)
    said: list[str] = []

    def emit(signal: Signal) -> None:
        assert isinstance(signal, Note)
        said.append(signal.text)
        ending.stop.set()

    ending.reload.set()
    source.run(emit, ending.stop)
    return source, ending, said[0]


def refuse(_: WatchRequest) -> Destinations:
    raise UsageError("[watch] notify: URL 1: not a complete json:// URL")


def test_settings_that_are_as_they_were_change_nothing() -> None:
    source, _, said = after_sighup(WatchSettings(), lambda _: IN_USE)
    assert said.endswith("nothing has changed")
    assert source.latest is source.request


def test_other_settings_are_what_the_next_round_takes() -> None:
    source, ending, said = after_sighup(WatchSettings(interval=3.0), lambda _: IN_USE)
    assert said == "the settings were read again"
    assert source.latest.settings.interval == 3.0
    assert not ending.is_over


def test_a_secret_that_was_replaced_in_its_file_is_taken() -> None:
    source, _, said = after_sighup(WatchSettings(), lambda _: ROTATED)
    assert said == "the settings were read again"
    assert source.latest_destinations == ROTATED


@pytest.mark.parametrize("latest", [WatchSettings(), WatchSettings(interval=3.0)])
def test_a_wrong_url_is_said_and_those_in_use_stay(latest: WatchSettings) -> None:
    source, _, said = after_sighup(latest, refuse)
    assert "URL 1: not a complete json:// URL" in said
    assert "those in use stay" in said
    assert (source.latest, source.latest_destinations) == (source.request, IN_USE)
