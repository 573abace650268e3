"""Mutual information of vision and language concepts over a set of images."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.metrics.curves import CurveMetric, pad_curves
from mkbench.metrics.functional.chance import Membership, chance_curves
from mkbench.metrics.functional.curves import Average
from mkbench.metrics.functional.estimators import Estimator, check_estimator, mutual_information_curves
from mkbench.metrics.functional.mutual_information import (
    as_ids,
    mutual_information_curve,
    padded_mutual_information_curves,
    sort_by_importance,
)
from mkbench.metrics.row_metric import MeanMetric, Rows, numbers

Ids = Tensor | Sequence[int] | Sequence[Sequence[int]]
Scores = Tensor | Sequence[float] | Sequence[Sequence[float]]


def _curves(
    vision_ids: Ids, scores: Scores, language_ids: Ids, estimator: Estimator, bank_size: int | None
) -> tuple[Tensor, Tensor]:
    """Return the curves (B, K + 1) of one image or a batch, and their lengths (B,)."""
    ids, importance = as_ids(vision_ids, "vision_ids"), torch.as_tensor(scores)
    language = as_ids(language_ids, "language_ids")
    if ids.ndim == 1:
        curve = mutual_information_curve(ids, importance, language, estimator=estimator, bank_size=bank_size)
        return curve[None], torch.tensor([len(curve)])
    curves, counts = padded_mutual_information_curves(
        ids, importance, language, estimator=estimator, bank_size=bank_size
    )
    return curves, counts + 1


class MutualInformation(MeanMetric):
    """Mean mutual information of a set of images, the first entry of the averaged curve; higher is better.

    With ``estimator="paper"`` this is an overlap score, not Shannon information:
    :func:`mkbench.metrics.functional.mutual_information` gives the definition, range and unit (nats).

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        estimator: ``paper`` or ``shannon``; rows have their curves already.
        bank_size: descriptors in the bank, needed by ``shannon``.
        columns: the column of curves.

    Raises:
        ValueError: if the estimator is unknown or lacks its bank size.

    Example:
        >>> metric = MutualInformation()
        >>> metric.update([4, 7, 9], [0.3, 0.2, 0.1], [7, 9, 11, 12])
        >>> metric.compute()
        tensor(3.1781, dtype=torch.float64)
    """

    higher_is_better = True
    columns = ("curve",)

    def __init__(
        self,
        *,
        estimator: Estimator = "paper",
        bank_size: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        super().__init__(columns=columns)
        check_estimator(estimator, bank_size)
        self.estimator: Estimator = estimator
        self.bank_size = bank_size

    def image_values(self, rows: Rows) -> Tensor:
        """Return the first entry of each curve, (n,) float64 in nats."""
        return numbers([None if curve is None else curve[0] for curve in rows[self.columns[0]]])

    def update(self, vision_ids: Ids, scores: Scores, language_ids: Ids) -> None:
        """Add one image or a batch.

        Args:
            vision_ids: (N,) ids of one image, or (B, K) padded with -1.
            scores: importance of each, of the same shape.
            language_ids: (M,) ids of the image's class, or (B, u) padded with -1.

        Raises:
            ValueError: if shapes do not fit.
        """
        self.add(_curves(vision_ids, scores, language_ids, self.estimator, self.bank_size)[0][:, 0])


class MutualInformationAUC(CurveMetric):
    """Area under the mutual information curve of a set of images; higher is better.

    ``average="set"`` is the value of the paper's tables: curves are padded with 0 to the longest, averaged over images,
    and the mean of that curve is taken. ``average="image"`` is the mean of every image's own AUC.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        average: ``set`` or ``image``.
        estimator: ``paper`` (overlap score) or ``shannon``; rows have their curves already.
        bank_size: descriptors in the bank, needed by ``shannon``.
        columns: the column of curves.

    Raises:
        ValueError: if the average or estimator is unknown, or the estimator lacks its bank size.

    Example:
        >>> metric = MutualInformationAUC()
        >>> metric.update([4, 7], [0.3, 0.2], [7, 9])  # the curve is ln 4, ln 4, 0
        >>> metric.compute()
        tensor(0.9242, dtype=torch.float64)
    """

    columns = ("curve",)

    def __init__(
        self,
        average: Average = "set",
        *,
        estimator: Estimator = "paper",
        bank_size: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> None:
        super().__init__(average, columns=columns)
        check_estimator(estimator, bank_size)
        self.estimator: Estimator = estimator
        self.bank_size = bank_size

    def update(self, vision_ids: Ids, scores: Scores, language_ids: Ids) -> None:
        """Add one image or a batch.

        Args:
            vision_ids: (N,) ids of one image, or (B, K) padded with -1.
            scores: importance of each, of the same shape.
            language_ids: (M,) ids of the image's class, or (B, u) padded with -1.

        Raises:
            ValueError: if shapes do not fit.
        """
        self.add_curves(*_curves(vision_ids, scores, language_ids, self.estimator, self.bank_size))


class MutualInformationExcess(CurveMetric):
    """AUC of the mutual information curves above the chance level of other classes; higher is better.

    The chance level is :func:`mkbench.metrics.functional.chance_curves`: the same vision concepts against the language
    concepts of other classes. Excess = AUC - chance AUC, 0 for explanations that fit every class alike, negative
    if they fit other classes better.

    Args:
        average: ``set`` or ``image``, as for :class:`MutualInformationAUC`.
        bank_size: descriptors in the bank, needed by ``update``; rows have their curves already.
        estimator: ``paper`` (overlap score) or ``shannon``.
        max_classes: most other classes to average over.
        seed: which classes are drawn if there are more.
        columns: the columns of curves and of chance curves.

    Raises:
        ValueError: if the average or estimator is unknown, or the estimator lacks its bank size.

    Example:
        >>> metric = MutualInformationExcess(bank_size=4)
        >>> metric.update(torch.tensor([[0]]), torch.tensor([[0.3]]), torch.tensor([[0, 1], [2, 3]]), torch.tensor([0]))
        >>> metric.compute()  # ln 2 and 0 of its own class, 0 of other classes
        tensor(0.3466, dtype=torch.float64)
    """

    columns = ("curve", "chance_curve")

    def __init__(
        self,
        average: Average = "set",
        *,
        bank_size: int | None = None,
        estimator: Estimator = "paper",
        max_classes: int = 200,
        seed: int = 0,
        columns: Sequence[str] | None = None,
    ) -> None:
        super().__init__(average, columns=columns)
        check_estimator(estimator, bank_size)
        self.bank_size = bank_size
        self.estimator: Estimator = estimator
        self.max_classes = max_classes
        self.seed = seed

    def curves(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Return the curves less the chance curves, (n, K) padded with 0, and their lengths (n,)."""
        (own, lengths), (chance, _) = (pad_curves(rows[column]) for column in self.columns)
        return own - chance, lengths

    def update(self, vision_ids: Tensor, scores: Tensor, language_ids: Tensor, conditioning: Tensor) -> None:
        """Add a batch of images.

        Args:
            vision_ids: (B, K) int64 distinct bank entries, padded with -1.
            scores: (B, K) importance of each.
            language_ids: (Y, u) int64 distinct language concepts of *every* class.
            conditioning: (B,) int64 class each image is explained with.

        Raises:
            ValueError: no bank size, shapes that do not fit, or ids outside the bank.
        """
        if self.bank_size is None:
            raise ValueError("expected bank_size for an update with ids, found none")
        ids, counts = sort_by_importance(vision_ids, scores)
        member = Membership(language_ids, self.bank_size)
        num_language = language_ids.shape[1]
        chance = chance_curves(
            ids,
            counts,
            member,
            conditioning,
            num_language=num_language,
            estimator=self.estimator,
            bank_size=self.bank_size,
            max_classes=self.max_classes,
            seed=self.seed,
        )
        hits = member[conditioning].gather(1, ids.clamp(min=0))
        own = mutual_information_curves(hits, counts, num_language, estimator=self.estimator, bank_size=self.bank_size)
        self.add_curves(own - chance, counts + 1)
