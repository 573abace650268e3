"""Scores of head sets with 95 % intervals, and their change against all heads."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mkbench.heads.head_removal import GroupScores, group_scores, resample_group_scores
from mkbench.heads.head_values import Head
from mkbench.metrics.functional import wilson_interval

#: All heads; without the chosen ones; without as many random ones of the same layers, one set for each seed.
ALL, WITHOUT, RANDOM = "all heads", "without", "random"
#: What sums up the groups, in this order before the groups themselves.
SUMMARIES = ("accuracy", "balanced", "worst_group", "gap")


class ImageGroups(NamedTuple):
    """Groups of K images, such as land birds on water.

    Attributes:
        names: of the G groups, such as ``land on water``.
        tied: whether the background of a group is the one that its classes are tied to.
        of_images: (K,) int64, the group of each image.
    """

    names: tuple[str, ...]
    tied: tuple[bool, ...]
    of_images: Tensor


@dataclass(frozen=True)
class HeadSets:
    """Sets of heads to remove, one comparison after another.

    Attributes:
        compared: ``ALL``, ``WITHOUT`` and ``RANDOM``, each with its sets.
        single: heads that are also removed one by one.

    >>> HeadSets({"all heads": ((),), "random": (((3, 1),), ((3, 2),))}, ((3, 0),)).listed
    [(), ((3, 1),), ((3, 2),), ((3, 0),)]
    """

    compared: Mapping[str, tuple[tuple[Head, ...], ...]]
    single: tuple[Head, ...]

    @property
    def listed(self) -> list[tuple[Head, ...]]:
        """All S sets in their order."""
        return [heads for sets in self.compared.values() for heads in sets] + [(head,) for head in self.single]

    def rows(self, name: str) -> slice:
        """Return where the sets of a comparison lie in the list."""
        names = list(self.compared)
        start = sum(len(self.compared[earlier]) for earlier in names[: names.index(name)])
        return slice(start, start + len(self.compared[name]))


def compare_sets(correct: Tensor, groups: ImageGroups, sets: HeadSets) -> dict[str, Any]:
    """Return the scores of all sets.

    Args:
        correct: (S, K) bool, whether an image is classified rightly without the heads of a set.
        groups: of the images; none is empty.
        sets: the S sets.

    Returns:
        ``sets``: for each comparison ``name``, ``heads`` (of each of its sets), ``scores`` (``accuracy``,
        ``balanced``, ``worst_group``, ``groups`` by name; shares 0..1, the mean over its sets, with the 95 % interval
        over images, Wilson's of a group without a single set of heads, and, of several sets, their ``range``),
        ``change`` against all heads, and, without the chosen heads, ``change_from_random``. Intervals of changes are
        paired: both sides see the same images. Among the
        scores, where there are both kinds of groups, is their ``gap``: the mean accuracy of those on the tied
        background less that of the others, -1..1; what a shortcut gains, 0 without one.
        ``scan``: ``accuracy`` and ``worst_group`` without one head at a time.

    >>> sets = HeadSets({ALL: ((),), WITHOUT: (((3, 1),),), RANDOM: (((3, 2),),)}, ((3, 0),))
    >>> correct = torch.tensor([[True, False], [True, True], [False, True], [True, True]])
    >>> groups = ImageGroups(("a on a", "a on b"), (True, False), torch.tensor([0, 1]))
    >>> compared = compare_sets(correct, groups, sets)
    >>> compared["sets"][1]["change"]["worst_group"], compared["scan"]
    ({'value': 1.0, 'interval': [1.0, 1.0]}, [{'layer': 3, 'head': 0, 'accuracy': 1.0, 'worst_group': 1.0}])
    """
    names, tied, num_groups = groups.names, torch.tensor(groups.tied), len(groups.names)
    compared = sum(map(len, sets.compared.values()))
    scores = group_scores(correct, groups.of_images, num_groups=num_groups)
    columns = _columns(scores, tied)
    draws = _columns(resample_group_scores(correct[:compared], groups.of_images, num_groups=num_groups), tied)
    first, random = sets.rows(ALL), sets.rows(RANDOM)
    entries = []
    for name, chosen in sets.compared.items():
        rows = sets.rows(name)
        entry: dict[str, Any] = {"name": name, "heads": [[list(head) for head in heads] for heads in chosen]}
        entry["scores"] = _name_columns(estimate_sets(columns[rows], draws[:, rows]), names)
        if len(chosen) == 1:
            entry["scores"]["groups"] = _group_shares(correct[rows.start], groups)
        for key, other in (("change", first), ("change_from_random", random)):
            if rows != other and (key == "change" or name == WITHOUT):
                entry[key] = _name_columns(estimate_change(columns, draws, rows, other), names)
        entries.append(entry)
    return {"sets": entries, "scan": _scan(scores, sets, start=compared)}


def _columns(scores: GroupScores, tied: Tensor) -> Tensor:
    """Return (..., 4 + G), ``SUMMARIES`` and each group; the gap is NaN where there is one kind of groups alone."""
    gap = scores.groups[..., tied].mean(dim=-1) - scores.groups[..., ~tied].mean(dim=-1)
    return torch.cat(
        [torch.stack([scores.accuracy, scores.balanced, scores.worst, gap], dim=-1), scores.groups], dim=-1
    )


def estimate_sets(values: Tensor, draws: Tensor) -> list[dict[str, Any]]:
    """Average each column over sets, with the interval of the average.

    Args:
        values: (s, columns) float64, of s sets.
        draws: (R, s, columns), the same of R bootstrap samples.

    Returns:
        ``value`` and its 95 % ``interval`` of each column; of several sets also their ``range``.

    >>> estimate_sets(torch.tensor([[0.5], [1.0]]), torch.ones(9, 2, 1, dtype=torch.float64))
    [{'value': 0.75, 'interval': [1.0, 1.0], 'range': [0.5, 1.0]}]
    """
    means, (low, high) = values.mean(dim=0).tolist(), _interval(draws.mean(dim=1))
    entries: list[dict[str, Any]] = [
        {"value": mean, "interval": [*bounds]} for mean, *bounds in zip(means, low, high, strict=True)
    ]
    if len(values) > 1:
        for entry, column in zip(entries, values.T, strict=True):
            entry["range"] = [float(column.min()), float(column.max())]
    return entries


def estimate_share(successes: int, trials: int) -> dict[str, Any]:
    """Return the ``value`` of a share of images, 0..1, and its 95 % ``interval`` (Wilson's).

    >>> estimate_share(4, 4)["value"], round(estimate_share(4, 4)["interval"][0], 2)
    (1.0, 0.51)
    """
    return {"value": successes / trials, "interval": [*wilson_interval(successes, trials)]}


def estimate_change(values: Tensor, draws: Tensor, rows: slice, other: slice) -> list[dict[str, Any]]:
    """Return the means of some sets less those of others; their range over sets would mix the two, and is left out.

    Args:
        values: (S, columns) float64, of all sets.
        draws: (R, S, columns), the same of R bootstrap samples.
        rows: which sets.
        other: which are taken away.

    >>> values = torch.tensor([[0.5], [1.0]])
    >>> estimate_change(values, values.double().expand(9, 2, 1), slice(0, 1), slice(1, 2))
    [{'value': -0.5, 'interval': [-0.5, -0.5]}]
    """
    difference = values[rows].mean(dim=0) - values[other].mean(dim=0)
    drawn = draws[:, rows].mean(dim=1) - draws[:, other].mean(dim=1)
    return estimate_sets(difference[None], drawn[:, None])


def _interval(draws: Tensor) -> list[list[float]]:
    """Return low and high of each column of (R, columns): the middle 95 %."""
    bounds: list[list[float]] = torch.quantile(draws, torch.tensor([0.025, 0.975], dtype=torch.float64), dim=0).tolist()
    return bounds


def _name_columns(columns: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    own = dict(zip(SUMMARIES, columns, strict=False))
    known = {name: column for name, column in own.items() if not math.isnan(column["value"])}
    return {**known, "groups": dict(zip(names, columns[len(SUMMARIES) :], strict=True))}


def _group_shares(correct: Tensor, groups: ImageGroups) -> dict[str, dict[str, Any]]:
    """Return the accuracy of each group, from which images (K,) of all groups are classified rightly."""
    of_group = {name: correct[groups.of_images == group] for group, name in enumerate(groups.names)}
    return {name: estimate_share(int(right.sum()), len(right)) for name, right in of_group.items()}


def _scan(scores: GroupScores, sets: HeadSets, *, start: int) -> list[dict[str, Any]]:
    pairs = zip(scores.accuracy[start:].tolist(), scores.worst[start:].tolist(), strict=True)
    return [
        {"layer": layer, "head": head, "accuracy": accuracy, "worst_group": worst}
        for (layer, head), (accuracy, worst) in zip(sets.single, pairs, strict=True)
    ]
