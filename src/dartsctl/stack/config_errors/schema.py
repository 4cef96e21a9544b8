"""What Compose's validator says: unknown keys, wrong types, values that are not allowed."""

from __future__ import annotations

import re

from dartsctl.records import record
from dartsctl.text.phrases import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_REFERENCE = "compare with https://docs.docker.com/reference/compose-file/"
_TOP_KEYS = "configs include models name networks secrets services version volumes"
_SERVICE_KEYS = (
    "annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command "
    "configs container_name cpu_count cpu_percent cpu_period cpu_quota cpu_rt_period "
    "cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy develop "
    "device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file "
    "environment expose extends external_links extra_hosts gpus group_add healthcheck "
    "hostname image init ipc isolation label_file labels links logging mac_address "
    "mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks "
    "oom_kill_disable oom_score_adj pid pids_limit platform ports post_start pre_stop "
    "privileged profiles provider pull_policy read_only restart runtime scale secrets "
    "security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls "
    "tmpfs tty ulimits use_api_socket user userns_mode uts volumes volumes_from "
    "working_dir"
)
_KEYS = {
    "build": (
        "additional_contexts args cache_from cache_to context dockerfile "
        "dockerfile_inline entitlements extra_hosts isolation labels network no_cache "
        "platforms privileged pull secrets shm_size ssh tags target ulimits"
    ),
    "deploy": (
        "endpoint_mode labels mode placement replicas resources restart_policy "
        "rollback_config update_config"
    ),
    "healthcheck": "disable interval retries start_interval start_period test timeout",
    "ports": "app_protocol host_ip mode name protocol published target",
    "volumes": "bind consistency image read_only source target tmpfs type volume",
    "networks": (
        "attachable driver driver_opts enable_ipv4 enable_ipv6 external internal ipam labels name"
    ),
    "volume": "driver driver_opts external labels name",
}
"""Known keys, separated by blanks; `volume` and `networks` are those of the top level."""
_SEVERAL_TYPES = {
    "networks": "a list or a mapping",
    "depends_on": "a list or a mapping",
    "environment": "a list or a mapping",
    "labels": "a list or a mapping",
    "sysctls": "a list or a mapping",
    "extra_hosts": "a list or a mapping",
    "build": "a text or a mapping",
    "extends": "a text or a mapping",
    "env_file": "a text or a list",
    "command": "a text or a list",
    "entrypoint": "a text or a list",
    "dns": "a text or a list",
    "tmpfs": "a text or a list",
}
"""Keys of a service of which the validator names only the first type."""
_TYPES = {
    "array": "a list",
    "list": "a list",
    "mapping": "a mapping (`key: value`)",
    "object": "a mapping (`key: value`)",
    "string": "a text (in quotes, if it looks like a number)",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}


@record
class SchemaProblem:
    """A violation at `path`. `unknown_key` is the key there that does not exist."""

    path: str
    text: str
    advice: str
    unknown_key: str = ""


def schema_problem(path: str, text: str) -> SchemaProblem | None:
    """Return the problem in a line of the validator, without its file. None for unknown words."""
    text = text.removeprefix(path).strip()  # Compose 2.24 repeats it
    for pattern, read in _FORMS:
        if match := re.match(pattern, text, re.DOTALL):
            return read(path, match[1])
    return None


def _unknown_keys(path: str, text: str) -> SchemaProblem:
    keys = re.findall(r"'([^']*)'", text) or [text]
    if path == "services":
        text = f"invalid name of a service: {', '.join(keys)}"
        return SchemaProblem(path, text, "use letters, digits, `.`, `_` and `-`", keys[0])
    known = _known_keys(path)
    if keys[0] in known:
        text = f"this version of Compose does not know the key {keys[0]}"
        return SchemaProblem(path, text, "remove it, or use a newer Compose", keys[0])
    advice = did_you_mean(keys[0], known)
    if not advice and path in ("", "(root)"):
        advice = "put services under `services:`"
    name = "unknown key" if len(keys) == 1 else "unknown keys"
    return SchemaProblem(path, f"{name}: {', '.join(keys)}", advice or _REFERENCE, keys[0])


def _known_keys(path: str) -> list[str]:
    """Return the keys that the specification knows at a path."""
    parts = path.split(".")
    if path in ("", "(root)"):
        return _TOP_KEYS.split()
    if parts[0] != "services":
        return _KEYS.get(parts[0].removesuffix("s"), _KEYS["networks"]).split()
    if len(parts) == 2:
        return _SERVICE_KEYS.split()
    return _KEYS.get(parts[2], "").split()


def _wrong_type(path: str, name: str) -> SchemaProblem:
    key = re.sub(r"\.\d+$", "", path).rpartition(".")[2]
    expected = _TYPES.get(name, f"a {name}")
    if path.startswith("services.") and path.count(".") == 2 and key in _SEVERAL_TYPES:
        expected = _SEVERAL_TYPES[key]
    elif re.fullmatch(r"services\..*\.(volumes|ports|secrets|configs)\.\d+", path):
        expected = "a text or a mapping"
    elif name == "null":  # the first of several types that are allowed
        return SchemaProblem(path, "the value has the wrong type", _REFERENCE)
    return SchemaProblem(path, f"the value must be {expected}", f"write {expected}")


def _wrong_value(path: str, text: str) -> SchemaProblem:
    values = ", ".join(re.findall(r"['\"]([^'\"]*)['\"]", text))
    return SchemaProblem(path, f"the value must be one of {values}", "write one of these")


def _wrong_number(path: str, text: str) -> SchemaProblem:
    return SchemaProblem(path, f"the value must be {text}", "correct the value")


def _no_duration(path: str, _text: str) -> SchemaProblem:
    expected = "a duration such as 30s or 1m30s"
    return SchemaProblem(path, f"the value is not {expected}", f"write {expected}")


def _wrong_form(path: str, pattern: str) -> SchemaProblem:
    return SchemaProblem(path, f"the value is not of the form {pattern}", _REFERENCE)


def _wrong_entry(path: str, _text: str) -> SchemaProblem:
    advice = "write a list of NAME=value, or a mapping of NAME: value"
    return SchemaProblem(path, "an entry has the wrong type", advice)


_FORMS: tuple[tuple[str, Callable[[str, str], SchemaProblem]], ...] = (
    (r"additional properties (.+) not allowed", _unknown_keys),
    (r"Additional property (.+) is not allowed", _unknown_keys),
    (r"(?:value )?must be one of (.+)", _wrong_value),
    (r"must be an? (.+)", _wrong_type),
    (r"must be (.+)", _wrong_number),
    (r"[Dd]oes not match format '(duration)'", _no_duration),
    (r"(?:'.*' )?[Dd]oes not match pattern '(.+)'", _wrong_form),
    (r"unexpected type (.+)", _wrong_entry),
)
"""The validator's sentences; the group goes to the reader."""
