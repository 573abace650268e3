"""Parsed files of invented runs of mutual knowledge, as comparisons take them."""

from result_documents import results


def compared(name, excess, top1=0.5, auc=3.0, speed=None, **settings):
    """``results.json`` and ``environment.json`` of a run: excess AUC of PCA parts, accuracy, AUC, speed."""
    values = {"auc": auc} if excess is None else {"auc": auc, "excess": excess}
    document = results(name, top1=top1, pca=values, kmeans={"auc": auc}, **settings)
    return document, {} if speed is None else {"images_per_second": speed}


#: Four runs: two alike, one without an excess, one with a speed.
COMPARED = [
    compared("a", 0.5, 0.3),
    compared("b", 0.9, 0.5, speed=10.0),
    compared("c", None, 0.7),
    compared("d", 0.5, 0.3),
]
