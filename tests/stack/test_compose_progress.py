"""Compose's own progress lines, as versions 2.24.5, 2.29.7, 2.36.2 and 2.40.3 print them."""

from __future__ import annotations

import pytest

from dartsctl.stack.compose_progress import (
    ComposeActivity,
    Progress,
    is_layer_bar,
    name_in_use,
    parse_progress,
)

RECORDED = {
    " Network shop_default  Creating": Progress("network", "shop_default", "creating"),
    " Network shop_default  Created": Progress("network", "shop_default", "created"),
    ' Network "shop_default"  Created': Progress("network", "shop_default", "created"),
    " Container shop-web-1  Creating": Progress("container", "shop-web-1", "creating"),
    " Container shop-web-1  Created": Progress("container", "shop-web-1", "created"),
    " Container shop-web-1  Recreate": Progress("container", "shop-web-1", "recreate"),
    " Container shop-web-1  Recreated": Progress("container", "shop-web-1", "recreated"),
    " Container shop-web-1 Created ": Progress("container", "shop-web-1", "created"),
}


@pytest.mark.parametrize("line", RECORDED)
def test_a_line_about_a_container_or_network_is_parsed(line: str) -> None:
    assert parse_progress(line) == RECORDED[line]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "canceled",
        " Volume shop_data  Created",
        ' Volume "shop_data"  Creating',
        " Container shop-web-1  Starting",
        " Container shop-web-1  Running",
        " Container shop-web-1  Error response from daemon: no such image",
        " web Pulling",
        "#1 RUN echo Container shop-web-1  Created; true",
        "Step 2/3 : RUN echo Container shop-web-1 Created",
    ],
)
def test_other_lines_are_ignored(line: str) -> None:
    assert parse_progress(line) is None


def test_the_name_in_use_is_read_from_the_engines_error() -> None:
    text = (
        'Conflict. The container name "/shop-web-1" is already in use by container "846a". '
        "You have to remove (or rename) that container"
    )
    assert name_in_use(f"Error response from daemon: {text}") == "shop-web-1"
    assert name_in_use(f" Container shop-web-1  Error response from daemon: {text}") == "shop-web-1"
    assert name_in_use(" Container shop-web-1  Created") == ""


# --- what Compose does just now ----------------------------------------------------------------

NO_REGISTRY = 'Warning Get "https://registry-1.docker.io/v2/": dial tcp: no such host'
BUILDKIT = """\
 app Pulling
 app {warning}
#0 building with "default" instance using docker driver

#1 [app internal] load build definition from Dockerfile
#1 transferring dockerfile: 100B done
#3 [worker internal] load metadata for docker.io/library/busybox:1
#7 [worker 2/2] RUN echo hello; sleep 1; echo bye
#7 0.362 hello
#8 [worker] exporting to image
#8 naming to docker.io/library/shop-worker done"""
CLASSIC = """\
Sending build context to Docker daemon     423B
Step 2/3 : RUN echo hello; sleep 1; echo bye
 ---> Running in e6c093391fed
hello
 ---> Removed intermediate container 1d93ddf9ad8b
Successfully built af086b5938c5
Successfully tagged shop-worker:latest"""
PULL = """\
 app Pulling
 abdf031500d4 Pulling fs layer
 abdf031500d4 Downloading [=======>                          ]  432.8kB/3.001MB
 abdf031500d4 Verifying Checksum
 abdf031500d4 Download complete
 abdf031500d4 Extracting [===============================>]  3.001MB/3.001MB"""
IMAGES = {
    "2.24.5 BuildKit": (BUILDKIT.format(warning="Warning"), "building app, worker"),
    "2.29.7 BuildKit": (BUILDKIT.format(warning=NO_REGISTRY), "building app, worker"),
    "2.40.3 BuildKit": (
        BUILDKIT.format(warning=NO_REGISTRY) + "\n app  Built",
        "building worker",
    ),
    "2.24.5 classic": (CLASSIC, "building images"),
    "2.36.2 classic": (
        " Service worker  Building\n Service app  Building\n" + CLASSIC,
        "building worker, app",
    ),
    "2.40.3 classic": (
        f" Service app  Building\n Service worker  Building\n{CLASSIC}\n Service worker  Built",
        "building app",
    ),
    "5.0 classic": (" Image shop-app Building", "building shop-app"),
    "2.24.5 to 2.40.3 pull": (PULL, "pulling app"),
    "pulled": (PULL + "\n abdf031500d4 Pull complete\n app Pulled", "waiting for Compose"),
    "nothing said": ("", "waiting for Compose"),
}


def followed(text: str, *, built: tuple[str, ...] = ("app", "worker")) -> ComposeActivity:
    activity = ComposeActivity(built)
    for line in text.splitlines():
        activity.follow(line)
    return activity


@pytest.mark.parametrize("case", IMAGES)
def test_while_images_are_pulled_and_built_nothing_is_created_yet(case: str) -> None:
    text, words = IMAGES[case]
    activity = followed(text)
    assert (activity.creates, activity.starts) == (False, 0)
    assert activity.words == words


def test_the_classic_builder_of_one_service_builds_that_service() -> None:
    assert followed(CLASSIC, built=("app",)).words == "building app"


@pytest.mark.parametrize(
    "line",
    [
        " Network shop_default  Creating",
        ' Volume "shop_data"  Creating',
        " Volume shop_data  Creating",
        " Container shop-db-1  Creating",
        " Container shop-db-1 Creating ",
        " Container shop-db-1  Created",
        " Container shop-db-1  Recreate",
        " Container shop-db-1  Running",
        " Container shop-db-1  Restarting",
        " Container shop-db-1  Error response from daemon: no such image",
    ],
)
def test_the_first_line_about_a_network_volume_or_container_ends_the_images(line: str) -> None:
    assert followed(f"{BUILDKIT}\n{line}").creates


@pytest.mark.parametrize(
    "line", ["#7 0.3 Container shop-db-1  Creating", "Container is Running a shell", " app  Built"]
)
def test_other_lines_do_not(line: str) -> None:
    assert not followed(line).creates


START = """\
 Network shop_default  Creating
 Network shop_default  Created
 Container shop-db-1  Creating
 Container shop-migrate-1  Creating
 Container shop-db-1  Created
 Container shop-migrate-1  Created
 Container shop-app-1  Creating
 Container shop-app-1  Created
 Container shop-db-1  Starting
 Container shop-migrate-1  Starting
 Container shop-migrate-1  Started
 Container shop-db-1  Started
 Container shop-migrate-1  Waiting
 Container shop-db-1  Waiting
 Container shop-migrate-1  Exited
 Container shop-db-1  Healthy
 Container shop-app-1  Starting
 Container shop-app-1  Started"""


@pytest.mark.parametrize(
    ("lines", "words", "starts", "ended"),
    [
        (4, "creating shop-db-1, shop-migrate-1", 0, 0),
        (8, "waiting for Compose", 0, 0),
        (9, "starting shop-db-1", 1, 0),
        (14, "waiting for shop-migrate-1, shop-db-1", 6, 0),
        (15, "waiting for shop-db-1", 6, 1),
        (17, "starting shop-app-1", 7, 1),
        (18, "waiting for Compose", 8, 1),
    ],
)
def test_a_start_is_followed(lines: int, words: str, starts: int, ended: int) -> None:
    activity = followed("\n".join(START.splitlines()[:lines]))
    assert (activity.words, activity.starts, activity.ended) == (words, starts, ended)


def test_what_is_stopped_and_recreated_is_told() -> None:
    assert followed(" Container shop-app-1  Stopping").words == "stopping shop-app-1"
    assert followed(" Container shop-app-1  Recreate").words == "recreating shop-app-1"
    assert followed(" Container shop-db-1  Restarting").words == "restarting shop-db-1"
    assert followed(" Container shop-db-1  Stopping\n Container shop-db-1  Stopped\n").words == (
        "waiting for Compose"
    )


def test_a_container_that_failed_is_not_waited_for() -> None:
    text = " Container shop-db-1  Waiting\n Container shop-db-1  "
    assert followed(text + "Error").words == "waiting for Compose"
    assert followed(text + "Error response from daemon: it is gone").words == "waiting for Compose"


def test_only_the_bar_of_a_layer_is_a_bar() -> None:
    lines = PULL.splitlines()
    assert [line.split()[1] for line in lines if is_layer_bar(line)] == [
        "Downloading",
        "Extracting",
    ]
