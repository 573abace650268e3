from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from group_rows import row
from result_documents import make_results
from scipy.stats import kendalltau

from mkbench.runs.finished_runs import Run
from mkbench.runs.group_files import ROW_SCHEMA, GroupRecord, write_group
from mkbench.runs.results import Estimate
from mkbench.studies.faithfulness.removal_agreement import (
    RemovalAgreement,
    blur_finding,
    compare_removal,
    removal_agreements,
)
from mkbench.studies.faithfulness.study import REMOVAL

APART = torch.tensor([0.0, 1.0, 2.0, 3.0])


def noise(seed: int, images: int = 40, explainers: int = 4) -> torch.Tensor:
    return torch.randn(images, explainers, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_planted_agreement_is_found() -> None:
    found = compare_removal("vit", "deletion", (APART + 0.1 * noise(0), 10 * APART + 0.1 * noise(1)))
    assert found == RemovalAgreement("vit", "deletion", 4, 40, Estimate(1.0, (1.0, 1.0)), 6, 0, 0)


def test_reversed_order_is_found() -> None:
    found = compare_removal("vit", "deletion", (-APART + 0.1 * noise(0), APART + 0.1 * noise(1)))
    assert found == RemovalAgreement("vit", "deletion", 4, 40, Estimate(-1.0, (-1.0, -1.0)), 6, 0, 6)


def test_random_orders_are_not_told_from_none() -> None:
    first, second = noise(0), noise(1)
    found = compare_removal("vit", "deletion", (first, second))
    assert found is not None
    assert found.tau.value == pytest.approx(kendalltau(first.mean(0), second.mean(0)).statistic)
    assert found.tau.interval is not None
    assert found.tau.interval[0] < 0 < found.tau.interval[1]


def test_orders_that_only_exact_removal_decides_are_left_undecided_by_blur() -> None:
    found = compare_removal("vit", "deletion", (noise(0), APART + 0.1 * noise(1)))
    assert found is not None
    assert (found.decided, found.undecided, found.opposite) == (6, 6, 0)


@pytest.mark.parametrize(("images", "explainers", "said"), [(10, 3, True), (9, 3, False), (10, 2, False)])
def test_few_images_or_explainers_say_nothing(images: int, explainers: int, said: bool) -> None:
    values = noise(0, images, explainers)
    assert (compare_removal("vit", "deletion", (values, values)) is not None) is said


def test_what_has_no_parts_does_not_count() -> None:
    blurred, exact = noise(0), noise(1)
    blurred[:, 3] = torch.nan  # the whole image
    exact[:25, 1] = torch.nan  # an image without parts
    found = compare_removal("vit", "deletion", (blurred, exact))
    assert found is not None
    assert (found.explainers, found.images) == (3, 15)
    expected = kendalltau(blurred[25:, :3].mean(0), exact[25:, :3].mean(0)).statistic
    assert found.tau.value == pytest.approx(expected)


def test_equal_explainers_have_no_rank() -> None:
    assert compare_removal("vit", "deletion", (torch.ones(40, 4), noise(0))) is None


def _run(folder: Path, *, kinds: tuple[str, ...] = ("", "exact_"), images: int = 12) -> Run:
    """A run of three explainers and one without parts; exact removal ranks them the other way round than blur."""
    names: dict[str, float | None] = {"pca": 1.0, "kmeans": 2.0, "random": 3.0, "whole-image": None}
    rows: list[dict[str, Any]] = []
    for explainer, level in names.items():
        for image in range(images):
            scores = {
                f"{kind}{mode}_scores": None if level is None else [9.0, -level if kind else level]
                for kind in kinds
                for mode in ("deletion", "insertion")
            }
            correct = {name.replace("scores", "correct"): None for name in scores}
            rows.append(row(f"owl/{image}", [0.0], explainer=explainer) | scores | correct)
    invented = {"class_index": 0, "class_name": "owl", "predicted_index": 0, "num_parts": 1, "concept_entropy": 0.0}
    lists: dict[str, list[int]] = {name: [] for name in ("descriptor_ids", "importance", "part_descriptor_ids", "hits")}
    types = {"scores": pa.list_(pa.float64()), "correct": pa.list_(pa.bool_())}
    scored = [
        (f"{kind}{mode}_{what}", types[what]) for kind in kinds for mode in ("deletion", "insertion") for what in types
    ]
    schema = pa.schema([*ROW_SCHEMA, *scored])
    write_group(
        folder, GroupRecord("00000-000", pa.Table.from_pylist([invented | lists | one for one in rows], schema))
    )
    results = make_results(*((f"{kind}{stem}", "pca", 0.5) for kind in kinds for stem in REMOVAL))
    return Run(folder, folder.name, results, {})


def test_rows_of_a_run_are_read(tmp_path: Path) -> None:
    both, blurred, few = _run(tmp_path / "a"), _run(tmp_path / "b", kinds=("",)), _run(tmp_path / "c", images=9)
    found = removal_agreements([both, blurred, few])
    # Of images without labels there is no correctness.
    assert [(one.model, one.metric, one.explainers, one.images) for one in found] == [
        ("a", "deletion", 3, 12),
        ("a", "insertion", 3, 12),
    ]
    assert [one.tau for one in found] == [Estimate(-1.0, (-1.0, -1.0))] * 2


def test_results_without_group_files_say_nothing(tmp_path: Path) -> None:
    results = make_results(("deletion", "pca", 0.5), ("exact_deletion", "pca", 0.5))
    assert removal_agreements([Run(tmp_path, "a", results, {})]) == []


def test_finding_says_no_more_than_the_intervals() -> None:
    def row_of(tau: tuple[float, float], *counts: int) -> RemovalAgreement:
        return RemovalAgreement("vit", "deletion", 4, 40, Estimate(sum(tau) / 2, tau), *counts)

    decided = blur_finding([row_of((0.2, 1.0), 6, 2, 1), row_of((-0.3, 1.0), 3, 3, 0)])
    assert decided == (
        "Of the 9 orders of two explainers that exact removal decides, blur leaves 5 undecided and decides 1 the "
        "other way round; the interval of tau is above 0 in 1 of 2 rows."
    )
    nothing = blur_finding([row_of((-1.0, -0.2), 0, 0, 0), row_of((-0.2, 0.2), 0, 0, 0)])
    assert nothing == (
        "Exact removal decides no order of two explainers, so blur cannot be seen to miss one; the interval of tau is "
        "above 0 in 0 of 2 rows and below 0 in 1."
    )
