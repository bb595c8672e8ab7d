"""Kafka's jars: downloaded once, checked against the checksums in the code, shared by every home of a user."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from shared.embedded.errors import EmbeddedError
from shared.embedded.kafka_jars import KAFKA_JARS, KAFKA_VERSION, Jar
from shared.embedded.locking import exclusive
from shared.embedded.options import EmbeddedOptions

if TYPE_CHECKING:
    from jgo.maven import MavenContext, PythonResolver

_DOWNLOAD_TIMEOUT_SECONDS = 60
_DOWNLOAD_ATTEMPTS = 3


def ensure_jars(options: EmbeddedOptions | None = None, console: Console | None = None) -> list[Path]:
    """Return the paths of Kafka's jars, downloading those that are missing; safe to call from several processes at once.

    A jar gets its name in the cache only when it is complete and its SHA-256 is right, so a download that was interrupted
    continues with the first jar that is missing.

    Raises:
        EmbeddedError: a jar cannot be had, or is not what it should be.
    """
    folder = (options or EmbeddedOptions()).cache_folder() / f"kafka-{KAFKA_VERSION}"
    if missing(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"The folder for downloads, {folder}, cannot be made ({error.strerror}): set CAREMESH_CACHE to one that can."
            raise EmbeddedError(message) from error
        with exclusive(folder / ".lock"):
            _download(missing(folder), folder, console or Console(stderr=True))
    return [folder / jar.file_name for jar in KAFKA_JARS]


def missing(folder: Path) -> list[Jar]:
    """Return the jars that are not in this folder in their full size."""
    return [jar for jar in KAFKA_JARS if _size_bytes(folder / jar.file_name) != jar.size_bytes]


def _size_bytes(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _download(jars: list[Jar], folder: Path, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    total_bytes = sum(jar.size_bytes for jar in jars)
    if not jars:
        return
    if not console.is_terminal:
        console.print(f"Downloading Apache Kafka {KAFKA_VERSION}: {len(jars)} files, {total_bytes / 1e6:.1f} MB …")
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"Apache Kafka {KAFKA_VERSION}", total=total_bytes)
        done_bytes = 0
        for number, jar in enumerate(jars, start=1):
            _fetch(jar, folder, lambda count: progress.advance(task, count))
            done_bytes += jar.size_bytes
            progress.update(task, completed=done_bytes)
            if not console.is_terminal:
                console.print(f"  {number}/{len(jars)}  {done_bytes / 1e6:5.1f} of {total_bytes / 1e6:.1f} MB  {jar.file_name}")


def _fetch(jar: Jar, folder: Path, advance: Callable[[int], None]) -> None:
    """Download one jar into the folder, and give it its name once it is known to be right."""
    reason: object = "?"
    for _ in range(_DOWNLOAD_ATTEMPTS):
        staging = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
        try:
            path = _download_into(staging, jar, advance)
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if sha256 == jar.sha256:
                path.replace(folder / jar.file_name)
                return
            reason = f"its SHA-256 is {sha256} and not {jar.sha256}"
        except Exception as error:  # noqa: BLE001  jgo lets through whatever its HTTP client raises; all of it is tried again
            reason = f"{type(error).__name__}: {error}"
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    message = (
        f"{jar.file_name} could not be downloaded from the Maven repository ({reason}). "
        "Check the network and the proxy settings, and start again: what is complete is kept."
    )
    raise EmbeddedError(message)


def _download_into(staging: Path, jar: Jar, advance: Callable[[int], None]) -> Path:
    from jgo.maven import PythonResolver

    @contextmanager
    def watch(_name: str, _size_bytes: int) -> Generator[Callable[[int], None]]:
        yield advance

    resolver = PythonResolver(progress_callback=watch)
    artifact = _context(staging, resolver).project(jar.group, jar.artifact).at_version(jar.version).artifact()
    path = resolver.download(artifact)
    if path is None:
        message = "the repository has no such file"
        raise EmbeddedError(message)
    return Path(path)


def _context(repository: Path, resolver: "PythonResolver") -> "MavenContext":
    from jgo.maven import MavenContext

    return MavenContext(resolver=resolver, repo_cache=repository, timeout=_DOWNLOAD_TIMEOUT_SECONDS)


#: What runs, before its dependencies. slf4j 1.7, which Kafka speaks, finds log4j by the second.
_ROOT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
_LOGGING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "log4j-core")


def lock(target: Path) -> None:
    """Resolve Kafka's jars anew, and write their versions, sizes and checksums into ``target``.

    Kafka alone is resolved: together with a second root, that one's bill of materials would override Kafka's own versions.
    """
    from jgo.maven import PythonResolver

    resolver = PythonResolver()
    with tempfile.TemporaryDirectory() as folder:
        context = _context(Path(folder), resolver)
        roots, others = resolver.resolve([context.create_dependency(_ROOT)])
        artifacts = [dependency.artifact for dependency in roots + others]
        group, artifact_id, sibling = _LOGGING
        version = next(artifact.version for artifact in artifacts if artifact.artifactId == sibling)
        artifacts.append(context.project(group, artifact_id).at_version(version).artifact())
        rows = sorted(_row(artifact.groupId, artifact.artifactId, artifact.version, Path(artifact.resolve())) for artifact in artifacts)
    head = target.read_text().partition("KAFKA_JARS = (\n")[0]
    target.write_text(f"{head}KAFKA_JARS = (\n{''.join(rows)})\n")


def _row(group: str, artifact: str, version: str, path: Path) -> str:
    content = path.read_bytes()
    return f'    Jar("{group}", "{artifact}", "{version}", {len(content):_}, "{hashlib.sha256(content).hexdigest()}"),\n'


if __name__ == "__main__":
    lock(Path(__file__).with_name("kafka_jars.py"))
