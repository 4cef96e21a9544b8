"""Each kind of holder says who it is: in a line, in a summary, and in JSON."""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

import pytest

from dartsctl.ports.holders import (
    Connection,
    DevLease,
    ForeignContainer,
    Holder,
    HostProcess,
    OwnContainer,
    Reserved,
    RivalBinding,
    Unknown,
)
from dartsctl.ports.process import Process
from dartsctl.records import replace
from fakes.conflict_cases import LOOK, SERVER, container

SEEN = "listens on 127.0.0.1:5000/tcp"
HOLDERS: dict[type, Holder] = {
    HostProcess: HostProcess(SERVER, (4712,), SEEN),
    DevLease: DevLease(SERVER, "/src/app", "http://127.0.0.1:5001", SEEN),
    ForeignContainer: ForeignContainer(container(), SEEN),
    OwnContainer: OwnContainer(container("darts-dev", "darts-dev-app-1"), SEEN),
    RivalBinding: RivalBinding("api", "5000:80/tcp", SEEN),
    Reserved: Reserved(77, "shop", SEEN),
    Connection: Connection(None, False, "192.0.2.7:443", LOOK, SEEN),
    Unknown: Unknown(1000, LOOK, SEEN),
}
OUTGOING = (
    "outgoing connection of a process that is not visible to 192.0.2.7:443 "
    "uses this number as its source port"
)


class FakeHost:
    """Nothing but what the holder itself knows."""

    def describe(self, pid: int) -> Process | None:
        return Process(pid, "worker", 1)

    def listening_on(self, _pid: int) -> Collection[object]:
        return (5000,)


def test_every_kind_of_holder_is_here() -> None:
    assert set(HOLDERS) == set(get_args(Holder))


@pytest.mark.parametrize(
    ("holder", "line"),
    [
        (HostProcess, f"held by python (pid 4711): python run.py, shared with pid 4712 [{SEEN}]"),
        (
            DevLease,
            f"held by the dev server of /src/app (pid 4711) at http://127.0.0.1:5001 [{SEEN}]",
        ),
        (ForeignContainer, f"held by container shop-web-1 of project shop (running) [{SEEN}]"),
        (
            OwnContainer,
            f"held by this project's own container darts-dev-app-1, which keeps running [{SEEN}]",
        ),
        (RivalBinding, f"wanted by service api too: 5000:80/tcp [{SEEN}]"),
        (Reserved, f"reserved by dartsctl watch (pid 77) for shop [{SEEN}]"),
        (Connection, f"{OUTGOING} [{SEEN}]; to see the owner: {LOOK}"),
        (Unknown, f"{SEEN}; to see the owner: {LOOK}"),
    ],
)
def test_the_line_says_who_it_is_and_how_that_is_known(holder: type, line: str) -> None:
    assert HOLDERS[holder].line == line
    assert HOLDERS[holder].description == line.removeprefix("held by ")


@pytest.mark.parametrize(
    ("holder", "summary"),
    [
        (HostProcess, "python (pid 4711: python run.py)"),
        (DevLease, "the dev server of /src/app at http://127.0.0.1:5001 (pid 4711)"),
        (ForeignContainer, "container shop-web-1 of project shop"),
        (OwnContainer, "container darts-dev-app-1 of project darts-dev"),
        (RivalBinding, "service api of the same stack (5000:80/tcp)"),
        (Reserved, "dartsctl watch (pid 77), which reserves it for shop"),
        (Connection, f"a connection: {OUTGOING}"),
        (Unknown, f"a process that is not visible; to see the owner: {LOOK}"),
    ],
)
def test_the_summary_names_it(holder: type, summary: str) -> None:
    assert HOLDERS[holder].summary == summary


def test_every_document_has_a_kind_of_its_own_and_the_evidence() -> None:
    documents = [holder.document() for holder in HOLDERS.values()]
    assert [document["kind"] for document in documents] == [
        "process",
        "dev-lease",
        "container",
        "own-container",
        "same-stack",
        "reserved",
        "connection",
        "unknown",
    ]
    assert {document["evidence"] for document in documents} == {SEEN}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=lambda holder: type(holder).__name__)
def test_the_evidence_does_not_take_part_in_comparison(holder: Holder) -> None:
    assert replace(holder, evidence="seen elsewhere") == holder


def test_the_details_of_a_shared_socket_name_every_process() -> None:
    details = "\n".join(HOLDERS[HostProcess].details(FakeHost()))
    assert "python (pid 4711)" in details
    assert "parents: bash (4700) < init (1)" in details
    assert "worker (pid 4712)" in details
    assert details.count("listens on: 5000") == 2


def test_what_nothing_can_be_stopped_for_has_no_details() -> None:
    for kind in (RivalBinding, Connection, Unknown):
        assert HOLDERS[kind].details(FakeHost()) == []
