"""Mutual information of vision and language concepts over a set of images."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mkbench.metrics.curves import CurveSums
from mkbench.metrics.functional.chance import chance_curves, membership
from mkbench.metrics.functional.curves import Average, check_average, curve_statistics
from mkbench.metrics.functional.estimators import Estimator, check_estimator, mutual_information_curves
from mkbench.metrics.functional.mutual_information import (
    as_ids,
    mutual_information_curve,
    padded_mutual_information_curves,
    sort_by_importance,
)

Ids = Tensor | Sequence[int] | Sequence[Sequence[int]]
Scores = Tensor | Sequence[float] | Sequence[Sequence[float]]


class MutualInformation(CurveSums):
    """Mean mutual information of a set of images, the first entry of the averaged curve; higher is better.

    With ``estimator="paper"`` this is an overlap score, not Shannon information:
    :func:`mkbench.metrics.functional.mutual_information` gives the definition, range and unit (nats).

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        max_concepts: most vision concepts of one image; an image with more raises.
        estimator: ``paper`` or ``shannon``.
        bank_size: descriptors in the bank, needed by ``shannon``.

    Raises:
        ValueError: if the estimator is unknown or lacks its bank size.

    Example:
        >>> metric = MutualInformation()
        >>> metric.update([4, 7, 9], [0.3, 0.2, 0.1], [7, 9, 11, 12])
        >>> metric.compute()
        tensor(3.1781, dtype=torch.float64)
    """

    def __init__(self, *, max_concepts: int = 64, estimator: Estimator = "paper", bank_size: int | None = None) -> None:
        super().__init__(max_concepts=max_concepts)
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
            ValueError: if shapes do not fit or an image has more than ``max_concepts`` ids.
        """
        ids = as_ids(vision_ids, "vision_ids").to(self.device)
        importance = torch.as_tensor(scores, device=self.device)
        language = as_ids(language_ids, "language_ids").to(self.device)
        if ids.ndim == 1:
            curves = mutual_information_curve(
                ids, importance, language, estimator=self.estimator, bank_size=self.bank_size
            )[None]
            counts = torch.tensor([len(ids)], device=self.device)
        else:
            curves, counts = padded_mutual_information_curves(
                ids, importance, language, estimator=self.estimator, bank_size=self.bank_size
            )
        self._add(curve_statistics(curves, counts, max_concepts=self.max_concepts))

    def compute(self) -> Tensor:
        """Mean mutual information in nats, float64; NaN without images."""
        return self.curve_sum[0] / self.images


class MutualInformationAUC(MutualInformation):
    """Area under the mutual information curve of a set of images; higher is better.

    ``average="set"`` is the value of the paper's tables: curves are padded with 0 to the longest, averaged over images,
    and the mean of that curve is taken. ``average="image"`` is the mean of every image's own AUC.

    Source: Sammani & Deligiannis, NeurIPS 2024, arXiv 2410.13016.

    Args:
        average: ``set`` or ``image``.
        max_concepts: most vision concepts of one image.
        estimator: ``paper`` (overlap score) or ``shannon``.
        bank_size: descriptors in the bank, needed by ``shannon``.

    Raises:
        ValueError: if the average or estimator is unknown, or the estimator lacks its bank size.

    Example:
        >>> metric = MutualInformationAUC()
        >>> metric.update([4, 7], [0.3, 0.2], [7, 9])  # the curve is ln 4, ln 4, 0
        >>> metric.compute()
        tensor(0.9242, dtype=torch.float64)
    """

    def __init__(
        self,
        average: Average = "set",
        *,
        max_concepts: int = 64,
        estimator: Estimator = "paper",
        bank_size: int | None = None,
    ) -> None:
        super().__init__(max_concepts=max_concepts, estimator=estimator, bank_size=bank_size)
        check_average(average)
        self.average: Average = average

    def compute(self) -> Tensor:
        """AUC in nats, float64; NaN without images."""
        return self.curve().mean() if self.average == "set" else self.image_auc()


class MutualInformationExcess(CurveSums):
    """AUC of the mutual information curves above the chance level of other classes; higher is better.

    The chance level is :func:`mkbench.metrics.functional.chance_curves`: the same vision concepts against the language
    concepts of other classes. Excess = AUC - chance AUC, 0 for explanations that fit every class alike, negative
    if they fit other classes better. ``update_curves`` takes the difference of both curves.

    Args:
        bank_size: descriptors in the bank.
        average: ``set`` or ``image``, as for :class:`MutualInformationAUC`.
        max_concepts: most vision concepts of one image.
        estimator: ``paper`` (overlap score) or ``shannon``.
        max_classes: most other classes to average over.
        seed: which classes are drawn if there are more.

    Raises:
        ValueError: if the average or estimator is unknown.

    Example:
        >>> metric = MutualInformationExcess(bank_size=4)
        >>> metric.update(torch.tensor([[0]]), torch.tensor([[0.3]]), torch.tensor([[0, 1], [2, 3]]), torch.tensor([0]))
        >>> metric.compute()  # ln 2 and 0 of its own class, 0 by chance
        tensor(0.3466, dtype=torch.float64)
    """

    def __init__(
        self,
        *,
        bank_size: int,
        average: Average = "set",
        max_concepts: int = 64,
        estimator: Estimator = "paper",
        max_classes: int = 200,
        seed: int = 0,
    ) -> None:
        super().__init__(max_concepts=max_concepts)
        check_estimator(estimator, bank_size)
        check_average(average)
        self.bank_size = bank_size
        self.average: Average = average
        self.estimator: Estimator = estimator
        self.max_classes = max_classes
        self.seed = seed

    def update(self, vision_ids: Tensor, scores: Tensor, language_ids: Tensor, conditioning: Tensor) -> None:
        """Add a batch of images.

        Args:
            vision_ids: (B, K) int64 distinct bank entries, padded with -1.
            scores: (B, K) importance of each.
            language_ids: (Y, u) int64 distinct language concepts of *every* class.
            conditioning: (B,) int64 class each image is explained with.

        Raises:
            ValueError: if shapes do not fit, ids lie outside the bank, or an image has more than ``max_concepts`` ids.
        """
        ids, counts = sort_by_importance(vision_ids, scores)
        member = membership(language_ids, self.bank_size)
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
        self._add(curve_statistics(own - chance, counts, max_concepts=self.max_concepts))

    def compute(self) -> Tensor:
        """Excess AUC in nats, float64; NaN without images."""
        return self.curve().mean() if self.average == "set" else self.image_auc()
