"""What the engine's refusals of a start mean, with the names that they contain, and what to do.

Recorded from engine 28.5.2 with Compose 2.40.3: tests/stack/test_start_errors.py.
"""

from __future__ import annotations

import re

from dartsctl.errors import Advice
from dartsctl.records import record
from dartsctl.text.patterns import regex

_WRAPPERS = regex(
    r"(?:failed to create task for container: |failed to create shim task: |OCI runtime create "
    r"failed: |runc create failed: |unable to start container process: |error during container "
    r"init: |failed to set up container networking: )+"
)


@record
class StartError:
    """Why something could not be started, and what to do."""

    sentence: str
    advice: Advice


_ERRORS: tuple[tuple[str, str, str], ...] = (
    (
        r'failed to solve: process "(?P<a>.+)" did not complete.* exit code: (?P<b>\d+)',
        "a step of its build ended with exit code {b}: {a}",
        "the build's lines above say why",
    ),
    (
        r"failed to solve: dockerfile parse error (?P<a>on line \d+: .+)",
        "error in its Dockerfile {a}",
        "correct the Dockerfile",
    ),
    (
        r'error mounting "(?P<a>[^"]+)" to rootfs at "(?P<b>[^"]+)".*not a directory',
        "cannot mount {a} at {b}: one is a file, the other a folder",
        "correct the volume, or create the file {a} before the start",
    ),
    (
        r'error mounting "(?P<a>[^"]+)" to rootfs at "(?P<b>[^"]+)"',
        "cannot mount {a} at {b}",
        "check the volume's source, target and rights",
    ),
    (
        r"bind source path does not exist: (?P<a>[^\n]+)",
        "{a} does not exist on the engine's host",
        "create it, or correct the volume or secret",
    ),
    (
        r"[Tt]he path (?P<a>/\S+)\s+is not shared from the host",
        "{a} is not shared with Docker Desktop",
        "share it in Docker Desktop: Settings, Resources, File sharing",
    ),
    (
        r"Minimum memory limit allowed is (?P<a>\w+)",
        "its memory limit is below the engine's minimum of {a}",
        "raise mem_limit, or write its unit: 512m",
    ),
    (
        r"range of CPUs is from (?P<a>[\d.]+ to [\d.]+)",
        "this host has fewer CPUs than `cpus` asks for: the range is {a}",
        "lower `cpus`",
    ),
    (
        r'adding custom device "(?P<a>[^"]+)": no such file',
        "the device {a} does not exist on the engine's host",
        "correct `devices`",
    ),
    (
        r'exec: "(?P<a>[^"]+)":.*(?:not found in \$PATH|no such file or directory)',
        "its image has no program {a}",
        "correct `command` or `entrypoint`",
    ),
    (
        r'exec: "(?P<a>[^"]+)": permission denied',
        "{a} in its image may not be executed",
        "make it executable in the image, or correct `command` or `entrypoint`",
    ),
    (
        r"unable to find (?P<a>user|group) (?P<b>\S+?):",
        "its image has no {a} {b}",
        "correct `user`",
    ),
    (
        r"could not select device driver .*gpu",
        "the engine has no driver for the GPUs that it asks for",
        "install the vendor's container toolkit, or remove `gpus`",
    ),
    (
        (
            r'(?:Get|Head) "https?://(?P<a>[^/"]+)/v2/[^"]*": (?:.*: )?(?P<b>no such host'
            r"|connection refused|i/o timeout|no route to host|network is unreachable"
            r"|TLS handshake timeout)"
        ),
        "image not available: the registry {a} cannot be reached ({b})",
        "check the network and the image's name, or build or load the image here",
    ),
    (
        r"pull access denied for (?P<a>[^\s,]+)",
        "image not available: {a} does not exist in its registry, or needs a login",
        "check the image's name, or log in with docker login",
    ),
    (
        r"manifest for (?P<a>\S+) not found",
        "image not available: {a} does not exist in its registry",
        "check the image's tag",
    ),
    (
        r"No such image: (?P<a>\S+)",
        "image not available: {a} is not on this engine",
        "add --build or --pull always",
    ),
    (
        (
            r"image with reference (?P<a>\S+) was found but.*platform \((?P<b>[^)]+)\).*"
            r"specified platform \((?P<c>[^)]+)\)"
        ),
        "the image {a} is for {b}, not for {c}",
        "correct `platform`, or pull the image for {c}",
    ),
    (
        r'failed to create network (?P<a>\S+):.*plugin "(?P<b>[^"]+)" not found',
        "the engine has no driver {b} for the network {a}",
        "correct `driver`",
    ),
    (
        r"(?:failed to create network (?P<a>\S+):.*)?Pool overlaps with other one",
        "the subnet of the network {a} overlaps with another network's",
        "choose another subnet, or remove the network that has it: docker network ls",
    ),
    (
        (
            r"could not find an available, non-overlapping IPv4 address pool"
            r"|all predefined address pools have been fully subnetted"
        ),
        "the engine has no address range left for another network",
        "remove networks that nobody uses, or extend default-address-pools in daemon.json",
    ),
    (
        r"no configured subnet (?:or ip-range )?contain the IP address (?P<a>\S+)",
        "its fixed address {a} is not in the network's subnet",
        "correct `ipv4_address`, or the subnet",
    ),
    (
        r"no space left on device",
        "no space is left on the engine's disk",
        "look at what takes it: docker system df",
    ),
    (
        r"cannot allocate memory|Cannot allocate memory",
        "the engine's host has no memory left",
        "stop something, or lower the limits",
    ),
    (
        r'unable to prepare context: path "(?P<a>[^"]+)" not found',
        "the build context {a} does not exist",
        "correct `build`",
    ),
    (
        r'failed to calculate checksum of .*"/?(?P<a>[^"]+)": not found',
        "its build context has no {a}",
        "create it, or correct COPY or ADD in the Dockerfile, or .dockerignore",
    ),
    (
        r"failed to read dockerfile: open (?P<a>\S+): no such file",
        "the build has no file {a}",
        "correct `build.dockerfile`, or create the file",
    ),
    (
        r'external volume "(?P<a>[^"]+)" not found',
        "the external volume {a} does not exist",
        "create it: docker volume create {a}",
    ),
    (
        r"network (?P<a>\S+) declared as external, but could not be found",
        "the external network {a} does not exist",
        "create it: docker network create {a}",
    ),
    (
        r'container name "/?(?P<a>[^"]+)" is already in use',
        "another container has the name {a}",
        "look at it: docker ps -a --filter name={a}",
    ),
    (
        r'sysctl "(?P<a>[^"]+)" is not in a separate kernel namespace',
        "the sysctl {a} is the host's own: a container may not set it",
        "remove it from `sysctls`",
    ),
    (
        r"joining network namespace of container: No such container: (?P<a>\S+)",
        "the container {a}, whose network it shares, does not exist",
        "start {a} first, or correct `network_mode`",
    ),
    (
        r"unknown or invalid runtime name: (?P<a>\S+)",
        "the engine has no runtime {a}",
        "correct `runtime`",
    ),
    (
        r"error looking up volume plugin (?P<a>[^:\s]+)",
        "the engine has no volume driver {a}",
        "correct the volume's `driver`",
    ),
    (
        r"failed to mount local volume: mount (?P<a>[^:]+):",
        "the device {a} of a volume cannot be mounted",
        "correct the volume's `driver_opts`",
    ),
    (
        r"error looking up logging plugin (?P<a>[^:\s]+)",
        "the engine has no logging driver {a}",
        "correct `logging.driver`",
    ),
    (
        r'unknown capability: "(?P<a>[^"]+)"',
        "the kernel knows no capability {a}",
        "correct `cap_add` or `cap_drop`",
    ),
)


def explain_start(line: str) -> StartError | None:
    """Return what a line of the engine or Compose means; None for unknown words."""
    for pattern, sentence, advice in _ERRORS:
        if match := re.search(pattern, line, re.DOTALL):
            names = {name: value or "" for name, value in match.groupdict().items()}
            text = re.sub(r" +", " ", sentence.format(**names))
            return StartError(text, Advice(advice.format(**names)))
    return None


def without_wrappers(sentence: str) -> str:
    """Return the engine's sentence without the names of the layers that passed it on."""
    return _WRAPPERS.sub("", sentence)


_PROGRESS = regex(r"^Container (?P<name>\S+)\s+(?P<what>\S.*)$")
_PULL = regex(r"^(?P<service>\S+) Error (?P<what>.+)$")


def whose(lines: list[str], line: str) -> str:
    """Return the container or service that a failure belongs to, as the progress lines say.

    Compose repeats the engine's words there, or leaves one container at `Starting`. Empty where
    several may be meant.
    """
    words = line.removeprefix("Error response from daemon: ")
    starting: dict[str, None] = {}
    for progress in lines:
        if (pull := _PULL.match(progress)) and pull["what"] in words:
            return pull["service"]
        match = _PROGRESS.match(progress)
        if match is None:
            continue
        if progress != line and words and words in match["what"]:
            return match["name"]
        if match["what"] == "Starting":
            starting[match["name"]] = None
        else:
            starting.pop(match["name"], None)
    return "".join(starting) if len(starting) == 1 else ""
