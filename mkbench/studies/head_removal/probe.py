"""Linear probe on the image embeddings of a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from mkbench.concepts.linalg import unit_rows
from mkbench.errors import UsageError
from mkbench.heads.store import ContributionStore, open_store
from mkbench.runs.results import read_results
from mkbench.runs.schema import RunResults

#: The inverse strength of the penalty. Entries of unit embeddings are small; the usual 1 would hold the weights too
#: short to tell near twins apart.
INVERSE_PENALTY = 100.0
_MOST_STEPS = 10_000


@dataclass(frozen=True)
class Probe:
    """A fitted probe.

    Attributes:
        model: of scikit-learn.
        data: name of the data that it was fitted on.
        images: how many images.
    """

    model: Any
    data: str
    images: int

    def classify(self, embeddings: Tensor) -> Tensor:
        """Return the classes (n,) int64 of image embeddings (n, d), of whatever length."""
        return torch.from_numpy(self.model.predict(unit_rows(embeddings.double()).cpu().numpy()))


def fit_probe(embeddings: Tensor, classes: Tensor, *, data: str = "") -> Probe:
    """Fit multinomial logistic regression on unit embeddings.

    Args:
        embeddings: (n, d) of any length.
        classes: (n,) int64, at least two different ones.
        data: name of the data.

    >>> probe = fit_probe(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([4, 7]))
    >>> probe.classify(torch.tensor([[9.0, 1.0], [0.1, 0.2]])).tolist()
    [4, 7]
    """
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=_MOST_STEPS)
    model.fit(unit_rows(embeddings.double()).numpy(), classes.numpy())
    return Probe(model, data, len(classes))


def fit_probe_of_run(tied: Path, evaluated: ContributionStore, results: RunResults) -> Probe:
    """Fit a probe on the embeddings of one run, to classify those of another.

    Args:
        tied: folder of the run to learn from, in which class and background are tied.
        evaluated: the other run.
        results: its ``results.json``.

    Raises:
        UsageError: no finished run of ``HeadDecomposition``, one of another model or class list, one that shares
            images with the other run or lacks classes of it, or one of fewer than two classes.
        DataError: a damaged file.
    """
    store, own = open_store(tied), read_results(tied)
    same_data = own["data"].get("seed") == results["data"].get("seed")
    shared = set(store.sample_ids) & set(evaluated.sample_ids) if same_data else set()
    learnt = set(store.class_index.tolist())
    lacking = set(evaluated.class_index.tolist()) - learnt
    faults = {
        "the same model": own["model"]["fingerprint"] != results["model"]["fingerprint"],
        "the same classes": own["class_names"] != results["class_names"] or bool(lacking),
        "other images": bool(shared),
        "at least two classes, all known": len(learnt) < 2 or min(learnt) < 0,
    }
    for wanted, wrong in faults.items():
        if wrong:
            raise UsageError(f"Expected --probe to be a run of {wanted}, found {tied}; give another run, or leave it.")
    embeddings = torch.cat([terms.embedding for terms in store])
    return fit_probe(embeddings, store.class_index, data=str(own["data"]["name"]))
