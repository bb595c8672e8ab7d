"""The alert rules and the dashboard: Prometheus reads them, and they ask for nothing that is not counted."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import promql_parser
import pytest
from prometheus_client import REGISTRY

from shared.metrics import READY
from tests.compose import load_yaml
from tests.conftest import REPOSITORY

MONITORING: Final = REPOSITORY / "monitoring"
OPERATIONS: Final = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")

RULES: Final[list[dict[str, Any]]] = [
    rule for group in load_yaml((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
DASHBOARD: Final = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
EXPRESSIONS: Final = [rule["expr"] for rule in RULES] + [
    target["expr"].replace("$__rate_interval", "1m") for panel in DASHBOARD["panels"] for target in panel["targets"]
]


def series() -> Iterator[str]:
    """The name of every series that a process may show."""
    assert READY in set(REGISTRY._collector_to_names)
    for family in REGISTRY.collect():
        match family.type:
            case "counter":
                yield f"{family.name}_total"
            case "histogram":
                yield from (f"{family.name}_{part}" for part in ("bucket", "sum", "count"))
            case _:
                yield family.name


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_expression_is_one_and_asks_for_what_is_counted(expression: str) -> None:
    promql_parser.parse(expression)
    asked = set(re.findall(r"\bcaremesh_\w+", expression))
    assert asked <= set(series())


def test_an_expression_that_is_none_would_be_found() -> None:
    with pytest.raises(ValueError, match="unclosed"):
        promql_parser.parse("sum by (group (caremesh_ready)")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_rule_is_made_as_prometheus_wants_it(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert set(rule["annotations"]) == {"summary", "description"}
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    # A label that an expression sums away has no value in its summary.
    grouped = re.search(r"\bby \(([^)]*)\)", rule["expr"])
    if grouped is not None:
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= {*re.split(r",\s*", grouped[1])}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_the_operators_page_says_what_to_do_about_every_alert(rule: dict[str, Any]) -> None:
    assert f"`{rule['alert']}`" in OPERATIONS


def test_every_metric_is_explained_on_the_operators_page() -> None:
    ours = {family.name for family in REGISTRY.collect() if family.name.startswith("caremesh_")}
    explained = set(re.findall(r"`(caremesh_\w+?)(?:_total)?(?:\{[^`]*\})?`", OPERATIONS))
    assert ours <= explained


def test_no_panel_of_the_dashboard_lies_over_another() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
