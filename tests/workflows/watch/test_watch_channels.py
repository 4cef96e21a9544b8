"""The channels and the heartbeat of the settings: their names, and what must never be shown."""

from __future__ import annotations

from pathlib import Path

from dartsctl.config.settings import WatchSettings
from dartsctl.edges.screen.output import Screen
from dartsctl.records import replace
from dartsctl.text.masker import Masker
from dartsctl.workflows.watch.channels import Destinations, destinations_of
from fakes.deps import FakeClock, fake_deps
from fakes.preflights import ENVIRONMENT


def destinations(
    tmp_path: Path, settings: WatchSettings, masker: Masker | None = None
) -> Destinations:
    deps = fake_deps(
        tmp_path,
        FakeClock(),
        screen=Screen(masker=masker or Masker()),
        environ={"HOOK": "json://both.invalid/from-the-process"},
    )
    (tmp_path / ".env").write_text("HOOK=json://both.invalid/from-the-file\nFILE=from-the-file\n")
    environment = replace(ENVIRONMENT, directory=tmp_path, env_files=(tmp_path / ".env",))
    return destinations_of(settings, environment, deps=deps)


def test_channels_that_look_alike_have_names_of_their_own(tmp_path: Path) -> None:
    alike = ("json://a.invalid/first-team", "json://a.invalid/second-team")
    settings = WatchSettings(notify=alike, escalate=(alike[0],))
    channels = destinations(tmp_path, settings).channels
    assert [(channel.id, channel.role, channel.url) for channel in channels] == [
        ("notify json://a.invalid", "notify", alike[0]),
        ("notify json://a.invalid #2", "notify", alike[1]),
        ("escalate json://a.invalid", "escalate", alike[0]),
    ]
    assert {channel.label for channel in channels} == {"json://a.invalid"}


def test_the_parts_of_every_url_are_masked_wherever_they_appear(tmp_path: Path) -> None:
    masker = Masker()
    settings = WatchSettings(
        notify=("json://ops:hunter2-hunter2@a.invalid/tok3n-tok3n-tok3n",),
        heartbeat="https://ping.invalid/c0ffee-c0ffee-c0ffee",
    )
    made = destinations(tmp_path, settings, masker)
    assert made.heartbeat == settings.heartbeat
    shown = masker.line("hunter2-hunter2 tok3n-tok3n-tok3n c0ffee-c0ffee-c0ffee a.invalid")
    assert shown == "*** *** *** a.invalid"
    assert "c0ffee" not in repr(made)
    assert "hunter2" not in repr(made)


def test_a_variable_is_the_process_s_own_or_else_of_the_env_files(tmp_path: Path) -> None:
    settings = WatchSettings(notify=("${HOOK}", "json://file.invalid/${FILE}"))
    urls = [channel.url for channel in destinations(tmp_path, settings).channels]
    assert urls == ["json://both.invalid/from-the-process", "json://file.invalid/from-the-file"]
