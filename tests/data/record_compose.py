"""Record what Compose resolves.

`python tests/data/record_compose.py` rewrites tests/data/compose/*.json from the *.yml beside them.
No engine is needed. Recorded with Compose 2.40.3; the rows are those of
engine-rules.md#compose-config. What Compose refuses: record_compose_errors.py.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

DATA = Path(__file__).parent / "compose"
PLUGIN = Path.home() / ".docker" / "cli-plugins" / "docker-compose"

ACCEPTED: dict[str, list[str]] = {
    "ports": ["-f", "ports.yml"],
    "replicas": ["-f", "replicas.yml"],
    "networks": ["-f", "networks.yml"],
    "profiles-off": ["-f", "profiles.yml"],
    "profiles-on": ["-f", "profiles.yml", "--profile", "debug"],
    "subset": ["-f", "profiles.yml", "config", "web"],
    "merged": ["-f", "merge-base.yml", "-f", "merge-over.yml"],
    "extended": ["-f", "extends.yml"],
    "unset": ["-f", "unset.yml"],
    "secrets": ["-f", "secrets.yml"],
}
"""Name of the recording -> Compose's arguments. `config` is added if it is missing."""


def compose(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run Compose's `config --format json` in `folder`, in an environment of its own."""
    at = words.index("config") if "config" in words else len(words)
    argv = [str(PLUGIN), *words[:at], "config", "--format", "json", *words[at + 1 :]]
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "CANARY_SECRET": "canary-from-environment",
    }
    return subprocess.run(
        argv, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )


def main() -> None:
    """Record everything again."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "demo"
        shutil.copytree(DATA, folder)
        for name, words in ACCEPTED.items():
            done = compose(folder, words)
            if done.returncode:
                raise SystemExit(f"{name}: {done.stderr}")
            text = json.dumps({"model": json.loads(done.stdout), "stderr": done.stderr}, indent=1)
            (DATA / f"{name}.json").write_text(text.replace(str(folder), "/srv/demo") + "\n")


if __name__ == "__main__":
    main()
