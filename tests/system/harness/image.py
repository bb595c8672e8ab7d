"""The image without an engine: the steps of the Dockerfile's first stage, done in a folder; and containers of it, as processes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import REPOSITORY

_STEP = re.compile(r"^(ARG|FROM|WORKDIR|RUN|COPY|ENV|USER|EXPOSE|ENTRYPOINT|CMD) (.*)$")


@dataclass(frozen=True)
class Image:
    """A folder that holds what the image holds, at the same places below it."""

    root: Path
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...]

    def located(self, text: str) -> str:
        """The text with the image's places in the folder."""
        return re.sub(r"(?<![\w.])/(opt/caremesh|build)\b", rf"{self.root}/\1", text)

    def command(self, container: Mapping[str, Any]) -> list[str]:
        """What a container of compose runs."""
        return [*container.get("entrypoint", self.entrypoint), *container["command"]]

    def environment_of(self, container: Mapping[str, Any]) -> dict[str, str]:
        """The whole environment of a container, and nothing of this machine's but its programs."""
        environment = {**self.environment, **container["environment"]}
        return environment | {"PATH": f"{self.located(environment['PATH'])}:{os.defpath}", "HOME": "/nonexistent"}


def build(root: Path) -> Image:
    """Do what the Dockerfile says, with this machine's Python in the place of the base image's."""
    lines = re.sub(r"\\\n\s*", "", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")).splitlines()
    steps = [(match[1], match[2]) for line in lines if (match := _STEP.match(line))]
    assert len(steps) == len([line for line in lines if line and not line.startswith("#")]), "a step that this does not know"
    stages = [number for number, (word, _) in enumerate(steps) if word == "FROM"]
    _build_stage(root, steps[stages[0] + 1 : stages[1]])
    environment: dict[str, str] = {}
    entrypoint: tuple[str, ...] = ()
    for word, rest in steps[stages[1] + 1 :]:
        if word == "ENV":
            environment |= dict(part.split("=", 1) for part in rest.split())
        elif word == "ENTRYPOINT":
            entrypoint = tuple(re.findall(r'"([^"]+)"', rest))
    environment["PATH"] = environment["PATH"].replace(":$PATH", "")
    return Image(root, environment, entrypoint)


def _build_stage(root: Path, steps: list[tuple[str, str]]) -> None:
    image, here = Image(root, {}, ()), root
    for word, rest in steps:
        match word:
            case "WORKDIR":
                here = Path(image.located(rest))
                here.mkdir(parents=True)
            case "COPY":
                *sources, target = rest.split()
                for source in sources:
                    _copy(REPOSITORY / source, here / target)
            case "RUN":
                command = image.located(rest).replace("python -m venv", f"{sys.executable} -m venv", 1)
                # A layer of an image has no use for the cache; a test that fetches everything anew has.
                command = command.replace("--no-cache-dir ", "")
                done = subprocess.run(["sh", "-c", command], cwd=here, capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            case _:
                raise AssertionError(word)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
