"""Analysis of banks in a world of words, and of runs over them."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_descriptions import BANK, LEAF, RED_ROSE, SKY, WordBackbone, colour_data, evaluate, word_system, write_colours

from mkbench.concepts import load_bank
from mkbench.datamodules import ImageFolder
from mkbench.errors import UsageError
from mkbench.runs.finished_runs import read_runs
from mkbench.studies.banks.study import WAYS, analyse_banks


@pytest.fixture
def data(tmp_path: Path) -> ImageFolder:
    images = {"leaf": {"0.png": LEAF}, "rose": {"0.png": RED_ROSE}, "sky": {"0.png": SKY}}
    return colour_data(write_colours(tmp_path / "test", images), BANK)


def test_bank_beside_its_controls(data: ImageFolder) -> None:
    rows = analyse_banks([data.bank], WordBackbone())
    assert [row.way for row in rows] == list(WAYS)
    assert all((row.bank, row.classes, row.descriptors) == ("test", 3, 4) for row in rows)
    own = rows[0]
    assert own.distinct == 3 / 4
    # sky: clouds and veins at right angles. Between classes: sky and leaf share veins in one of two pairs.
    assert own.intra == 0
    assert own.inter == pytest.approx((0.5 + 0 + 0) / 3)
    assert own.top1 is None


def test_accuracies_are_those_of_the_run(data: ImageFolder, tmp_path: Path) -> None:
    runs = read_runs(evaluate(word_system(), data, tmp_path / "runs"))
    rows = analyse_banks([data.bank], WordBackbone(), runs)
    metrics = {metric["name"]: metric["value"] for metric in runs[0].results["metrics"]}
    for row in rows:
        assert row.top1 is not None
        assert row.top1.value == 100 * (metrics[f"top1_{row.way}"] or 0)
        assert row.top5 is None  # three classes
    with pytest.raises(UsageError, match="Expected one run over each bank"):
        analyse_banks([data.bank], WordBackbone(), [*runs, *runs])


def test_runs_over_other_banks_are_refused(data: ImageFolder, tmp_path: Path) -> None:
    runs = read_runs(evaluate(word_system(), data, tmp_path / "runs"))
    other = tmp_path / "other.json"
    other.write_text('{"leaf": ["petals", "clouds"]}')
    with pytest.raises(UsageError, match="over another one; name the bank too"):
        analyse_banks([load_bank(other)], WordBackbone(), runs)


def test_bank_without_classes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text('["petals", "veins"]')
    with pytest.raises(UsageError, match=r"found a list in .*list\.json"):
        analyse_banks([load_bank(path)], WordBackbone())
