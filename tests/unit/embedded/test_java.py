import os
from pathlib import Path

import pytest

from shared.embedded.errors import EmbeddedError
from shared.embedded.java import class_cache, java_command
from shared.embedded.options import EmbeddedOptions


@pytest.fixture
def jars(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("a-1.jar", "b-1.jar")]
    for path in paths:
        path.write_bytes(b"classes")
    return paths


def test_the_cache_of_classes_is_used_once_it_is_there(jars: list[Path]) -> None:
    cache = class_cache(jars)
    assert not [option for option in java_command(EmbeddedOptions(), jars) if "AOTCache=" in option]
    cache.touch()
    assert f"-XX:AOTCache={cache}" in java_command(EmbeddedOptions(), jars)


def test_jars_that_were_replaced_have_another_cache(jars: list[Path]) -> None:
    before = class_cache(jars)
    os.utime(jars[0], ns=(1, 1))
    assert class_cache(jars) != before
    assert class_cache(jars[:1]) != class_cache(jars)


def test_a_java_of_the_users_own_gets_only_options_that_every_java_knows(jars: list[Path], tmp_path: Path) -> None:
    program = tmp_path / "java" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.touch()
    class_cache(jars).touch()
    command = java_command(EmbeddedOptions(java_home=tmp_path / "java"), jars, writes_class_cache=tmp_path / "cache")
    assert command[0] == str(program)
    assert not [option for option in command if "AOT" in option or "unsafe" in option]


def test_a_java_that_is_not_there_is_told_with_its_setting(jars: list[Path], tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="CAREMESH_JAVA_HOME"):
        java_command(EmbeddedOptions(java_home=tmp_path), jars)
