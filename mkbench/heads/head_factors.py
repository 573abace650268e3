"""Factors that heads write: factor shares, accuracy of labels, and routes, with intervals over classes."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mkbench.heads.factor_shares import factor_shares, permuted_shares
from mkbench.heads.part_maps import PartMapScores
from mkbench.metrics.functional import bootstrap_interval, wilson_interval
from mkbench.metrics.functional.bootstrap import bootstrap_means
from mkbench.metrics.functional.cluster_bootstrap import cluster_bootstrap_interval, expanded_tail


class PairMoves(NamedTuple):
    """Changes of N images with each of F factors changed, as G heads write them.

    Attributes:
        energies: (N, F, G) float64, see :func:`mkbench.heads.factor_shares.text_energy`.
        along: (N, F, G) float64, the change of each head in the direction of the descriptors that become true, away
            from those that become false.
        whole: (N, F) float64, the change of the whole embedding in that direction.
        classes: (N,) int64.
    """

    energies: Tensor
    along: Tensor
    whole: Tensor
    classes: Tensor


class HeadFactors(NamedTuple):
    """Factors that G heads write, with intervals over classes.

    Attributes:
        shares: (F, G) float64, see :func:`mkbench.heads.factor_shares.factor_shares`; NaN where nothing moves a head.
        intervals: (2, F, G) float64, low and high.
        most: (G,) int64, the factor with the largest share.
        specific: (G,) int64, the factor whose share exceeds its mean over heads most.
        bound: (G,) float64, the largest share that 97.5 % of permutations of the factors stay below.
        permuted: (G,) float64, the mean largest share with permuted factors.
    """

    shares: Tensor
    intervals: Tensor
    most: Tensor
    specific: Tensor
    bound: Tensor
    permuted: Tensor


def find_factors(moves: PairMoves) -> HeadFactors:
    """Find how much of each factor heads write, and compare the largest share with that of permuted factors.

    Args:
        moves: of at least one image.

    >>> moves = PairMoves(torch.tensor([[[1.0], [0.0]]] * 8), *torch.ones(2, 8, 2, 1), torch.arange(8))
    >>> found = find_factors(moves)
    >>> found.shares.tolist(), found.most.tolist(), found.bound.item() < 1
    ([[1.0], [0.0]], [0], True)
    """
    shares = factor_shares(moves.energies)
    known = shares.nan_to_num(nan=0.0)
    largest = permuted_shares(moves.energies).amax(dim=1)  # (permutations, heads)
    return HeadFactors(
        shares=shares,
        intervals=_class_interval(moves.energies, moves.classes, lambda sums: factor_shares(sums[:, None])),
        most=known.argmax(dim=0),
        specific=(known - known.mean(dim=1, keepdim=True)).argmax(dim=0),
        bound=largest.quantile(0.975, dim=0),
        permuted=largest.mean(dim=0),
    )


def score_labels(named: Sequence[Sequence[int]], written: Sequence[int]) -> dict[str, Any] | None:
    """Share of heads whose label names the factor that they write, and that of permuted labels.

    Args:
        named: the factors that each label names; heads of none are left out, of the permutations too.
        written: the factor that each head writes.

    Returns:
        ``heads``, how many; ``accuracy`` with Wilson's 95 % interval, 0..1, higher is better; ``permuted``, its mean
        over all permutations of the labels; ``gain``, the paired difference with its interval over heads. None where no
        label names a factor.

    >>> found = score_labels([(0,), (1,), ()], [0, 1, 1])
    >>> found["heads"], found["accuracy"]["value"], found["permuted"]
    (2, 1.0, 0.5)
    """
    heads = [place for place, factors in enumerate(named) if factors]
    if not heads:
        return None
    right = torch.tensor([[written[other] in named[head] for other in heads] for head in heads]).double()
    own, permuted = right.diagonal(), right.mean(dim=1)
    return {
        "heads": len(heads),
        "accuracy": {
            "value": float(own.mean()),
            "interval": [*wilson_interval(int(own.sum()), len(heads))],
        },
        "permuted": float(permuted.mean()),
        "gain": {"value": float((own - permuted).mean()), "interval": [*bootstrap_interval(own - permuted)]},
    }


def score_routes(moves: PairMoves, named: Sequence[Sequence[int]]) -> dict[str, Any] | None:
    """Share of the embedding's change that goes through a head labelled with what was changed, and with another thing.

    Both are along the direction of the descriptors whose truth changes, summed over pairs before they are divided, and
    averages over labelled heads.

    Args:
        moves: of at least one image.
        named: the factors that each label names.

    Returns:
        ``own``, ``mispaired``, and ``gain``, their difference, each with its 95 % interval over classes; None where no
        label names a factor, or all of them, or the embedding does not change.

    >>> along = torch.tensor([[[2.0], [1.0]], [[2.0], [1.0]]])
    >>> moves = PairMoves(along, along, torch.full((2, 2), 4.0), torch.arange(2))
    >>> {name: score["value"] for name, score in score_routes(moves, [(0,)]).items()}
    {'own': 0.5, 'mispaired': 0.25, 'gain': 0.25}
    """
    factors = moves.along.shape[1]
    own = torch.zeros(factors, len(named)).to(moves.along)
    for head, chosen in enumerate(named):
        own[list(chosen), head] = 1
    other = (1 - own) * own.any(dim=0)
    if not own.any() or not other.any():
        return None
    weights = torch.stack([each / each.sum(dim=0).clamp(min=1) for each in (own, other)])  # (2, factors, heads)
    through = torch.einsum("nfg,cfg->nc", moves.along, weights)
    whole = torch.einsum("nf,cfg->nc", moves.whole, weights)

    def ratios(sums: Tensor) -> Tensor:
        shares = sums[:, :2] / sums[:, 2:]
        return torch.cat([shares, shares[:, :1] - shares[:, 1:]], dim=1)

    rows = torch.cat([through, whole], dim=1)
    values = ratios(rows.sum(dim=0, keepdim=True))[0]
    bounds = _class_interval(rows, moves.classes, ratios).T
    if not bool(values.isfinite().all() and bounds.isfinite().all()):
        return None
    return {
        name: {"value": value, "interval": interval}
        for name, value, interval in zip(("own", "mispaired", "gain"), values.tolist(), bounds.tolist(), strict=True)
    }


def route_shares(moves: PairMoves) -> Tensor:
    """Share of the embedding's change, along the descriptors whose truth changes, that goes through each head.

    Returns:
        (F, G) float64, signed; NaN for a factor along which the embedding does not change.
    """
    return moves.along.sum(dim=0) / moves.whole.sum(dim=0)[:, None]


def score_maps_of_parts(scores: PartMapScores, classes: Tensor, names: Sequence[str]) -> dict[str, Any]:
    """Average the overlap of maps and true parts, over the parts of an image and over images.

    Args:
        scores: of N images and P parts.
        classes: (N,) int64.
        names: of the parts.

    Returns:
        ``parts``: for ``all`` and each part that some image has ``images``, ``own``, ``others`` and ``attention``, and
        the paired ``gain`` over the others and ``gain_over_attention``, each with its 95 % interval over classes.
    """
    columns = {"all": PartMapScores(*(each.nanmean(dim=1) for each in scores))}
    columns |= {name: PartMapScores(*(each[:, place] for each in scores)) for place, name in enumerate(names)}
    return {name: scored for name, each in columns.items() if (scored := _score_part(each, classes)) is not None}


def _score_part(scores: PartMapScores, classes: Tensor) -> dict[str, Any] | None:
    there = ~torch.stack(scores).isnan().any(dim=0)
    if not there.any():
        return None
    own, others, attention = (each[there] for each in scores)
    compared = {
        "own": own,
        "others": others,
        "attention": attention,
        "gain": own - others,
        "gain_over_attention": own - attention,
    }
    return {
        "images": len(own),
        **{name: estimate_over_classes(each, classes[there]) for name, each in compared.items()},
    }


def estimate_over_classes(values: Tensor, classes: Tensor) -> dict[str, Any]:
    """Return a mean over images with its 95 % interval over classes; over images where there is one class.

    Args:
        values: (n,), of at least one image.
        classes: (n,) int64.

    >>> estimate_over_classes(torch.tensor([1.0, 1.0]), torch.tensor([0, 1]))
    {'value': 1.0, 'interval': [1.0, 1.0]}
    """
    several = len(set(classes.tolist())) > 1
    interval = cluster_bootstrap_interval(values, classes) if several else bootstrap_interval(values)
    return {"value": float(values.double().mean()), "interval": [*interval]}


def _class_interval(values: Tensor, classes: Tensor, measure: Callable[[Tensor], Tensor]) -> Tensor:
    """Bootstrap interval over classes of what follows from sums over images, with the percentiles of Student's t.

    Args:
        values: (N, ...) of images.
        classes: (N,) int64.
        measure: from sums (R, ...) to values (R, ...).

    Returns:
        (2, ...) float64, low and high; over images where there is one class.
    """
    names, members = torch.unique(classes, return_inverse=True)
    if len(names) == 1:
        names, members = torch.arange(len(values)), torch.arange(len(values))
    sums = torch.zeros(len(names), *values.shape[1:], dtype=torch.float64).index_add_(0, members, values.double())
    drawn = measure(bootstrap_means(sums.flatten(1)).view(-1, *values.shape[1:]))
    tail = expanded_tail(len(names), 0.95) if len(names) > 1 else 0.025
    return torch.quantile(drawn, torch.tensor([tail, 1 - tail], dtype=torch.float64), dim=0)
