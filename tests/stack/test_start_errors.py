"""What the engine's refusals of a start mean, and whose they are.

tests/data/compose/start_errors.json: the last lines of `up --progress plain` with Compose 2.40.3 on
engine 28.5.2, one row for each mistake, and what is said about it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dartsctl.stack.compose_errors import classify

TABLE = json.loads(
    (Path(__file__).parents[1] / "data" / "compose" / "start_errors.json").read_text()
)


@pytest.mark.parametrize("row", TABLE)
def test_each_recorded_refusal_names_what_is_wrong_and_whose_it_is(row: str) -> None:
    expected = TABLE[row]
    failure = classify("\n".join(expected["text"]))
    assert (failure.kind, failure.container) == (expected["kind"], expected["whose"])
    assert (failure.sentence, failure.advice) == (expected["sentence"], expected["advice"])
    assert "OCI runtime" not in failure.sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [  # not made on this engine; the texts are those of Docker's own documentation and issues
        (
            "Error response from daemon: pull access denied for nope, repository does not exist",
            "image not available: nope does not exist in its registry, or needs a login",
        ),
        (
            "Error response from daemon: manifest for busybox:9 not found: manifest unknown: x",
            "image not available: busybox:9 does not exist in its registry",
        ),
        (
            "Error response from daemon: Mounts denied: \nThe path /x is not shared from the host.",
            "/x is not shared with Docker Desktop",
        ),
        (
            "failed to create network a: all predefined address pools have been fully subnetted",
            "the engine has no address range left for another network",
        ),
        (
            "Error response from daemon: write /var/lib/docker/x: no space left on device",
            "no space is left on the engine's disk",
        ),
    ],
)
def test_other_refusals_that_users_meet(text: str, sentence: str) -> None:
    failure = classify(text)
    assert failure.sentence == sentence
    assert failure.advice


def test_two_containers_that_start_at_once_share_no_blame() -> None:
    lines = ["Container demo-a-1  Starting", "Container demo-b-1  Starting"]
    assert classify("\n".join([*lines, "Error response from daemon: new"])).container == ""
    lines.append("Container demo-a-1  Started")
    assert classify("\n".join([*lines, "Error response from daemon: new"])).container == "demo-b-1"
