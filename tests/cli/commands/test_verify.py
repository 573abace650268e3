from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published_runs import TABLE, reproduction, shift, write_run

from mkbench.cli.commands.verify import read_tolerances
from mkbench.errors import UsageError
from mkbench.studies.reproduction.published import FOLDER, load_published

AGAINST = f"--against={TABLE}"


def test_run_that_reproduces_the_table(command: Callable[..., Any], tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit", reproduction("ViT-B/16"))
    outcome = command("verify", run, AGAINST)
    assert (outcome.code, outcome.error) == (0, "")
    assert "Verified: 5 numbers match" in outcome.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vit"]  # nothing is written without --out


def test_mismatch(command: Callable[..., Any], tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit", shift(reproduction("ViT-B/16"), "mutual_information_auc", "pca", 0.08))
    assert command("verify", run, AGAINST).code == 3
    assert command("verify", run, AGAINST, "--tolerance", "auc=0.1").code == 0
    assert command("verify", run, AGAINST, "--tolerance", "auc=0.1", "--tolerance", "auc_pca=0").code == 3
    assert command("verify", run, AGAINST, "--column", "top1", "--column", "mi_pca").code == 0


def test_what_cannot_be_compared_is_no_success(command: Callable[..., Any], tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit", reproduction("ViT-B/16", data__images=100))
    outcome = command("verify", run, AGAINST)
    assert outcome.code == 3
    assert "100 of 50,000 images (all runs; all columns)" in outcome.output
    assert "0 numbers match, 0 mismatch, 5 not comparable" in outcome.output


def test_bench_folder_and_files(command: Callable[..., Any], tmp_path: Path) -> None:
    for index, model in enumerate(load_published(TABLE).rows):
        write_run(tmp_path / "bench" / str(index), reproduction(model))
    assert command("verify", "bench", AGAINST, "--complete", "--out=report").code == 0
    content = json.loads((tmp_path / "report" / "verify.json").read_text())
    assert content["counts"] == {"match": 65, "mismatch": 0, "not comparable": 0, "not run": 0}
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"verify.json", "verify.csv", "verify.md"}
    assert command("verify", "bench/0", "bench/4", AGAINST).code == 0
    assert command("verify", "bench/0", "bench/4", AGAINST, "--complete").code == 3


def test_own_table_and_earlier_run(command: Callable[..., Any], tmp_path: Path) -> None:
    run = write_run(tmp_path / "later" / "vit", reproduction("ViT-B/16"))
    write_run(tmp_path / "earlier" / "vit", reproduction("ViT-B/16"))
    (tmp_path / "mine.json").write_text((FOLDER / f"{TABLE}.json").read_text(encoding="utf-8"))
    assert command("verify", run, "--against=mine.json").code == 0
    outcome = command("verify", run, "--against=earlier")
    assert outcome.code == 0
    assert "Verified: 5 numbers match" in outcome.output
    outcome = command("verify", run, "--against=none.json")
    assert (outcome.code, "Expected a table at none.json, found no readable file" in outcome.error) == (2, True)
    assert command("verify", run, "--against=.").code == 2  # two runs of one model


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--against=table9"],
            "Expected a published table, found 'table9'; known are heads-consistency",
        ),
        ([AGAINST, "--tolerance=acc=1"], "Expected a tolerance for one of top1, mi, auc, mi_pca"),
        ([AGAINST, "--tolerance=auc"], "Expected --tolerance NAME=VALUE such as auc=0.1, found 'auc'"),
        ([AGAINST, "--column=auc"], "Expected columns out of top1, mi_pca"),
    ],
)
def test_wrong_usage(command: Callable[..., Any], tmp_path: Path, words: list[str], message: str) -> None:
    write_run(tmp_path / "vit", reproduction("ViT-B/16"))
    outcome = command("verify", "vit", *words)
    assert (outcome.code, outcome.output) == (2, "")
    assert outcome.error.startswith(f"mkbench: {message}")


def test_unfinished_run_is_named(command: Callable[..., Any]) -> None:
    outcome = command("verify", "nowhere", AGAINST)
    assert outcome.code == 2
    assert outcome.error.startswith("mkbench: Expected the folder of a finished run with results.json, found none at ")


def test_table_must_be_named(command: Callable[..., Any]) -> None:
    outcome = command("verify", "vit")
    assert outcome.code == 2
    assert "the following arguments are required: --against" in outcome.error


@pytest.mark.parametrize("word", ["auc=-1", "auc=nan", "auc=inf", "auc=x", "=1", "auc="])
def test_tolerance_is_a_number(word: str) -> None:
    with pytest.raises(UsageError, match=r"NAME=VALUE such as auc=0\.1, found"):
        read_tolerances(["mi=1", word])


def test_last_tolerance_of_a_name_counts() -> None:
    assert read_tolerances(["auc=1", "auc=2e-1"]) == {"auc": 0.2}
