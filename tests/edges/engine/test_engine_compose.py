"""Calls of Compose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dartsctl.config.environment import adhoc
from dartsctl.edges.engine.compose import Compose
from dartsctl.edges.screen.output import Screen
from dartsctl.errors import DartsctlError

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)


@pytest.mark.engine
def test_the_model_is_what_compose_resolves(live: LiveStack) -> None:
    from live.stack import sleeper

    (live.folder / "my.env").write_text(f"PORT={live.ports[0]}\n")
    live.compose(
        {"web": sleeper("${PORT}:80", "${NOT_SET}:81"), "debug": sleeper(profiles=["debug"])}
    )
    environment = adhoc(
        files=(live.folder / "compose.json",),
        env_files=(live.folder / "my.env",),
        profiles=("debug",),
        directory=live.folder,
    )
    resolved = Compose(environment).config()
    assert sorted(resolved.model["services"]) == ["debug", "web"]
    assert [entry.get("published") for entry in resolved.model["services"]["web"]["ports"]] == [
        str(live.ports[0]),
        None,
    ]
    assert resolved.unset_variables == ("NOT_SET",)
    assert set(Compose(environment).hashes(("web",))) == {"web"}


@pytest.mark.engine
def test_a_secret_in_an_error_of_compose_is_masked(
    live: LiveStack, capsys: pytest.CaptureFixture[str]
) -> None:
    live.compose({"web": {"image": "x", "ports": ["canary-value:80"]}})
    environment = adhoc(files=(live.folder / "compose.json",), directory=live.folder)
    screen = Screen()
    screen.masker.learn({"PORT_SECRET": "canary-value"})
    with pytest.raises(DartsctlError) as caught:
        Compose(environment, masker=screen.masker).config()
    screen.error(caught.value)
    stderr = capsys.readouterr().err
    assert "canary" not in stderr
    assert "Compose cannot read" in stderr
