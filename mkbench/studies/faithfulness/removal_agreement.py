"""Rank agreement of explainers between blurred and exact removal, by Kendall's tau."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from mkbench.metrics.catalogue import CATALOGUE
from mkbench.metrics.functional import bootstrap_intervals
from mkbench.runs.finished_runs import Run
from mkbench.runs.group_files import read_columns
from mkbench.runs.results import Estimate
from mkbench.studies.faithfulness.study import REMOVAL
from mkbench.studies.mutual_knowledge.agreement import rank_agreement

#: Metric -> its columns of the rows, with blurred and with exact removal.
_COLUMNS = {stem: (CATALOGUE[stem].columns[0], CATALOGUE[f"exact_{stem}"].columns[0]) for stem in REMOVAL}


@dataclass(frozen=True)
class RemovalAgreement:
    """Whether blurred removal puts the explainers of a run in the order of exact removal, by one metric.

    Attributes:
        model: label of the run.
        metric: ``deletion``, ``insertion``, ``accuracy_drop`` or ``accuracy_increase``.
        explainers: number of explainers with parts, controls among them.
        images: number of images of which all of them have parts.
        tau: Kendall's tau-b of the explainers' means, with its 95 % interval over images.
        decided: number of pairs of explainers whose order exact removal decides: the 95 % interval of the paired
            difference over images leaves out 0.
        undecided: those of them that blurred removal does not decide.
        opposite: those of them that it decides the other way round.
    """

    model: str
    metric: str
    explainers: int
    images: int
    tau: Estimate
    decided: int
    undecided: int
    opposite: int


def removal_agreements(runs: Sequence[Run]) -> list[RemovalAgreement]:
    """Compare the ranks of explainers by blurred removal with those by exact removal, in runs that have both.

    Args:
        runs: finished runs of mutual knowledge.

    Returns:
        One for each metric of each run; none for fewer than three explainers with parts, for fewer than ten images, or
        where a metric is the same for all explainers.

    Raises:
        DataError: a group file is damaged.

    >>> removal_agreements([])
    []
    """
    return [found for run in runs if _has_both(run) for found in _of_run(run)]


def _has_both(run: Run) -> bool:
    names = {metric["name"] for metric in run.results["metrics"]}
    return any(stem in names and f"exact_{stem}" in names for stem in REMOVAL)


def _of_run(run: Run) -> list[RemovalAgreement]:
    types = {False: pa.list_(pa.float64()), True: pa.list_(pa.bool_())}
    curves = pa.schema([(name, types[name.endswith("_correct")]) for names in _COLUMNS.values() for name in names])
    rows = read_columns(run.folder, ["sample_id", "explainer"], optional=curves).sort_by("sample_id")
    names = rows["explainer"].unique().to_pylist()
    if not names:
        return []
    of_explainers = [rows.filter(pc.equal(rows["explainer"], name)) for name in names]
    found = [compare_removal(run.label, stem, _both_values(of_explainers, stem)) for stem in REMOVAL]
    return [one for one in found if one is not None]


def _both_values(of_explainers: Sequence[pa.Table], stem: str) -> tuple[Tensor, Tensor]:
    """A metric of every image with blurred and with exact removal, (images, explainers) each; NaN without parts."""
    blurred, exact = (
        torch.stack(
            [CATALOGUE[name].build().image_values({column: rows[column].to_pylist()}) for rows in of_explainers],
            dim=1,
        )
        for name, column in zip((stem, f"exact_{stem}"), _COLUMNS[stem], strict=True)
    )
    return blurred, exact


def compare_removal(model: str, metric: str, values: tuple[Tensor, Tensor]) -> RemovalAgreement | None:
    """Compare the ranks of explainers by a metric between blurred and exact removal.

    Args:
        model: label of the run.
        metric: name of the metric with blurred removal.
        values: (n, m) of n images and m explainers by blurred removal, and by exact removal; NaN where an image has no
            parts. Explainers without any value do not count, nor images without one by each of the others.

    Returns:
        The agreement; None for fewer than three explainers or ten images, or where all explainers tie.

    >>> scores = torch.arange(12.0)[:, None] + torch.tensor([0.0, 1.0, 2.0])
    >>> found = compare_removal("vit", "deletion", (scores, -scores))
    >>> found.tau.value, found.decided, found.opposite
    (-1.0, 3, 3)
    """
    known = ~torch.stack(values).isnan()  # (2, images, explainers)
    usable = known.any(dim=1).all(dim=0)
    images = known[:, :, usable].all(dim=2).all(dim=0)
    blurred, exact = (of_kind[images][:, usable] for of_kind in values)
    tau = rank_agreement(blurred, exact)
    if tau is None:
        return None
    order, truth = _decided_orders(blurred), _decided_orders(exact)
    decided = truth != 0
    counts = (decided, decided & (order == 0), decided & (order == -truth))
    return RemovalAgreement(model, metric, blurred.shape[1], len(blurred), tau, *(int(kind.sum()) for kind in counts))


def _decided_orders(values: Tensor) -> Tensor:
    """Sign of the difference of each pair of explainers, 0 where its interval holds 0; from (images, explainers)."""
    first, second = torch.triu_indices(values.shape[1], values.shape[1], offset=1)
    intervals = bootstrap_intervals(values[:, first] - values[:, second])  # (pairs, 2)
    return (intervals[:, 0] > 0).long() - (intervals[:, 1] < 0).long()


def blur_finding(agreements: Sequence[RemovalAgreement]) -> str:
    """Say in a sentence what blurred removal gets wrong, no more than the intervals allow.

    >>> blur_finding([RemovalAgreement("vit", "deletion", 3, 40, Estimate(1.0, (-0.3, 1.0)), 2, 1, 0)]).split(", ")[1]
    'blur leaves 1 undecided and decides 0 the other way round; the interval of tau is above 0 in 0 of 1 rows.'
    """
    decided, undecided, opposite = (
        sum(getattr(one, kind) for one in agreements) for kind in ("decided", "undecided", "opposite")
    )
    sides = [_side_of_zero(one.tau) for one in agreements]
    below = f" and below 0 in {sides.count(-1)}" if -1 in sides else ""
    tau = f"the interval of tau is above 0 in {sides.count(1)} of {len(sides)} rows{below}."
    if not decided:
        return f"Exact removal decides no order of two explainers, so blur cannot be seen to miss one; {tau}"
    return (
        f"Of the {decided} orders of two explainers that exact removal decides, blur leaves {undecided} undecided and "
        f"decides {opposite} the other way round; {tau}"
    )


def _side_of_zero(estimate: Estimate) -> int:
    """On which side of 0 its interval lies, 1 or -1; 0 where it holds 0."""
    low, high = estimate.interval or (0.0, 0.0)
    return (low > 0) - (high < 0)
