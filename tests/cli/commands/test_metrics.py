from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mkbench.metrics.catalogue import CATALOGUE


def test_every_metric_is_listed_with_its_facts(command: Callable[..., Any]) -> None:
    outcome = command("metrics", "--json")
    assert outcome.code == 0
    listed = {row["name"]: row for row in json.loads(outcome.output)}
    assert list(listed) == list(CATALOGUE)
    row = listed["mutual_information_auc"]
    assert (row["better"], row["unit"], row["beside"]) == ("higher", "nats", "mutual_information_auc_chance")
    assert "2410.13016" in row["source"]
    assert listed["deletion"]["better"] == "lower"
    assert listed["concept_entropy"]["better"] is None


@pytest.mark.parametrize("columns", ["80", "200"])
def test_names_are_whole(command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    outcome = command("metrics")
    assert outcome.code == 0
    for name in CATALOGUE:
        assert name in outcome.output


@pytest.mark.parametrize(("columns", "sources"), [("80", False), ("110", False), ("130", True), ("200", True)])
def test_no_word_is_broken(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, columns: str, sources: bool
) -> None:
    listed = json.loads(command("metrics", "--json").output)
    monkeypatch.setenv("COLUMNS", columns)
    shown = set(command("metrics").output.split())
    keys = ("meaning", "better", "unit", *(("beside", "source") if sources else ()))
    assert {word for row in listed for key in keys for word in (row[key] or "").split()} <= shown
    assert ("Deligiannis," in shown) == sources
