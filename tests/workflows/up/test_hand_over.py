"""When reserved ports are released: with a real process that holds them, and no gate."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dartsctl.edges.host.sockets import probe
from dartsctl.edges.reserve.messages import Orders, State
from dartsctl.edges.reserve.process import ReserveProcess
from dartsctl.edges.screen.output import Screen
from dartsctl.edges.state.watch_folder import open_watch
from dartsctl.ports.listeners import Probe
from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.up.hand_over import HandOver
from own_ports import free_ports

PATIENCE = 60.0
"""Seconds: no test waits for so long if all is well."""


@pytest.fixture
def reserve(tmp_path: Path) -> Iterator[ReserveProcess]:
    with (
        open_watch(tmp_path, "shop", make=True) as folder,
        ReserveProcess(folder, "shop") as process,
    ):
        wait_for(process, lambda state: state.watch == os.getpid())
        yield process


def wait_for(process: ReserveProcess, is_so: Callable[[State], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so(process.state):
        assert time.monotonic() < deadline, process.state
        select.select([process.descriptor], [], [], PATIENCE)
        assert process.read()


def held(reserve: ReserveProcess) -> Endpoint:
    endpoint = Endpoint(free_ports(1)[0], "127.0.0.1")
    reserve.send(Orders((endpoint,), (), reserve.state.turn))
    wait_for(reserve, lambda state: state.held == (endpoint,))
    return endpoint


@pytest.mark.parametrize("word", ["Starting", "Started", "Restarting"])
def test_without_a_gate_they_are_held_until_compose_starts_a_container(
    tmp_path: Path, reserve: ReserveProcess, word: str
) -> None:
    endpoint = held(reserve)
    hand_over = HandOver(tmp_path, "shop", Screen())
    hand_over.begin()
    for line in (" Network shop_default  Created", " Container shop-app-1  Creating", "Starting"):
        hand_over.follow(line)
    assert probe(endpoint) is Probe.IN_USE
    hand_over.follow(f" Container shop-app-1  {word}")
    assert probe(endpoint) is Probe.FREE
    wait_for(reserve, lambda state: state.released)
    hand_over.close()
    wait_for(reserve, lambda state: not state.released and state.turn == 1)


def test_a_watch_that_holds_none_yet_takes_none_while_the_verb_works(
    tmp_path: Path, reserve: ReserveProcess
) -> None:
    hand_over = HandOver(tmp_path, "shop", Screen())
    hand_over.begin()
    wait_for(reserve, lambda state: state.released)
    hand_over.begin()
    hand_over.close()
    wait_for(reserve, lambda state: not state.released)
    assert reserve.state.turn == 1


def test_without_a_watch_nothing_happens(tmp_path: Path) -> None:
    hand_over = HandOver(tmp_path, "shop", Screen())
    hand_over.begin()
    hand_over.follow(" Container shop-app-1  Starting")
    hand_over.close()
    assert list(tmp_path.iterdir()) == []
