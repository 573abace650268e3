"""Labelling of attention heads: texts and labels of the heads of a run, and their metrics."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, cast, get_args

import torch
from torch import Tensor

from mkbench.concepts import ConceptBank
from mkbench.errors import DataError, UsageError
from mkbench.heads.head_values import Head
from mkbench.heads.labels import (
    Judge,
    LabelContext,
    LabelDocument,
    Labeller,
    head_texts,
    label_heads,
    read_labels,
)
from mkbench.heads.run_text_spans import rebuild, span_heads
from mkbench.heads.store import ContributionStore, open_store
from mkbench.heads.text_span import TextSpan
from mkbench.metrics.catalogue import CATALOGUE, metrics_of
from mkbench.metrics.metric_results import Result, metric_results
from mkbench.runs.finished_runs import Run
from mkbench.runs.manifest import read_manifest
from mkbench.runs.results import read_results
from mkbench.runs.run_folder import ANSWERS, HEADS, LABELS, RESULTS, read_object, write_json
from mkbench.runs.schema import MetricResult, RunResults, find_fault
from mkbench.studies.head_labels.scores import NUM_TEXTS, score_heads
from mkbench.studies.own_weights import require_own_weights
from mkbench.systems.head_decomposition import HeadDecomposition

SCHEMA_VERSION = 1
Span = Literal["weights", "data"]
#: Right singular vectors that span a head's data in the published code.
PUBLISHED_RANK = 80
#: Metrics of what is left of the embeddings: with the heads alone, and with what texts keep of them.
_COMPLETENESS = ("top1_mean_ablated", "top1_reconstructed")


@dataclass(frozen=True)
class HeadOptions:
    """Options of the labelling and judging of heads.

    Attributes:
        num_texts: texts that are picked for each head; the first five are labelled.
        span: what a head can write: by its ``weights``, whatever the images, or by its ``data``, as in the published
            code.
        rank: of the span of the data; None is the published 80, or as many as images and width allow.
        threshold: how many of five texts have to fit for a head to be associated with its label.
        shuffles: how often labels are permuted over the heads, for the shuffled baseline of the metrics.
        seed: of the shuffles.
        normalise: divide what heads add to an image by the length of its embedding, as the published figures do.

    Raises:
        UsageError: a number out of range, or a rank for the span of the weights.

    >>> HeadOptions(span="data").rank is None
    True
    """

    num_texts: int = 20
    span: Span = "weights"
    rank: int | None = None
    threshold: int = 3
    shuffles: int = 1
    seed: int = 0
    normalise: bool = True

    def __post_init__(self) -> None:
        bounds = {
            "num-texts": (self.num_texts, NUM_TEXTS, None),
            "threshold": (self.threshold, 1, NUM_TEXTS),
            "shuffles": (self.shuffles, 0, None),
        }
        for name, (value, least, most) in bounds.items():
            if value < least or (most is not None and value > most):
                allowed = f"{least} or more" if most is None else f"{least} to {most}"
                raise UsageError(f"Expected --{name} of {allowed}, found {value}.")
        if self.span not in get_args(Span):
            raise UsageError(f"Expected --span to be one of {', '.join(get_args(Span))}, found {self.span!r}.")
        if self.rank is not None and (self.span == "weights" or self.rank < 1):
            raise UsageError(f"Expected --rank of 1 or more, beside --span data alone, found {self.rank}.")


class TextShare(TypedDict):
    """A text of a head, and what share of the head's variance over images it explains, 0 to 1."""

    text: str
    explained_variance: float


class _Head(TypedDict):
    layer: int
    head: int
    texts: list[TextShare]


class _Texts(TypedDict):
    heads: list[_Head]


@dataclass(frozen=True)
class HeadReport:
    """Results, labels and explained variance of the heads of a run.

    Attributes:
        results: the run's ``results.json``, with the metrics of its heads.
        document: the labels.
        texts: for each head, its texts, most important first.
    """

    results: RunResults
    document: LabelDocument
    texts: tuple[tuple[TextShare, ...], ...]

    @property
    def explained(self) -> tuple[float, ...]:
        """For each head, the share of its variance over images that its texts explain, 0 to 1."""
        return tuple(sum(text["explained_variance"] for text in of_head) for of_head in self.texts)


def explain_heads(
    run: Path,
    system: HeadDecomposition,
    pool: ConceptBank,
    labeller: Labeller,
    judge: Judge,
    options: HeadOptions,
    *,
    progress: bool = True,
) -> HeadReport:
    """Describe the heads of a finished run by texts, label them, and add what follows to its results.

    Writes ``heads.json`` (the texts of every head) and ``labels.json`` to the run, and the metrics to its
    ``results.json`` in the place of those of an earlier call; answers of a language model are kept in
    ``answers.jsonl``. The same run and options give the same bytes.

    Args:
        run: folder of a finished run of ``HeadDecomposition``.
        system: that of the run.
        pool: the texts to choose from.
        labeller: what finds the property of each head.
        judge: what judges whether texts fit it.
        options: everything else.
        progress: draw a bar on standard error while a language model is asked.

    Raises:
        UsageError: no such run, or one that is not finished.
        DataError: a damaged file, or a run of another model.
        MkbenchError: as labeller and judge.
    """
    store = open_store(run, normalise=options.normalise)
    results = read_results(run)
    require_own_weights(run, results, system)
    system.prepare_classes(results["class_names"], results["data"]["templates"])
    span, rank = _find_span(store, system, pool, options)
    heads = head_texts(span.indices, pool.descriptors, layers=store.layers, num_texts=NUM_TEXTS)
    context = LabelContext(encoder=system.backbone, log=run / ANSWERS, progress=progress)
    document = label_heads(heads, labeller, judge, context, shuffles=options.shuffles, seed=options.seed)
    settings = {
        **asdict(options),
        "rank": rank,
        "num_label_texts": NUM_TEXTS,
        "pool": {"name": Path(pool.source).name, "sha256": pool.sha256, "size": len(pool)},
        "labeller": document.labeller,
        "judge": document.judge,
    }
    completeness = _completeness(store, span, system)
    merged = _merge(run, results, document, completeness, settings, truncated=system.backbone.truncated_texts)
    described = _describe(store, span, pool, settings)
    write_json(run / HEADS, {"schema_version": SCHEMA_VERSION, **described})
    document.write(run / LABELS)
    write_json(run / RESULTS, merged)
    return HeadReport(merged, document, tuple(tuple(entry["texts"]) for entry in described["heads"]))


def read_report(run: Run) -> HeadReport | None:
    """Read what ``explain_heads`` wrote to a run; None before it.

    Args:
        run: a finished run of ``HeadDecomposition``.

    Raises:
        DataError: a damaged file, or texts and labels of other heads.
    """
    texts = read_text_shares(run.folder)
    if texts is None or not (run.folder / LABELS).is_file():
        return None
    document = read_labels(run.folder / LABELS)
    heads = [(head.texts.layer, head.texts.head) for head in document.heads]
    if set(heads) != set(texts):
        raise DataError(
            f"Expected {run.folder / HEADS} and {LABELS} of the same heads, found others; run `mkbench heads` again."
        )
    return HeadReport(run.results, document, tuple(texts[head] for head in heads))


def read_text_shares(run: Path) -> dict[Head, tuple[TextShare, ...]] | None:
    """Read the texts of each head of a run from its ``heads.json``; None before ``explain_heads``.

    Args:
        run: folder of a run.

    Raises:
        DataError: a damaged file.

    >>> read_text_shares(Path("nowhere")) is None
    True
    """
    content = read_object(run / HEADS)
    if content is None:
        return None
    fault = find_fault(content, _Texts)
    if fault is not None:
        raise DataError(f"Expected in {run / HEADS} {fault}; run `mkbench heads` again.")
    return {(entry["layer"], entry["head"]): tuple(entry["texts"]) for entry in content["heads"]}


def _find_span(
    store: ContributionStore, system: HeadDecomposition, pool: ConceptBank, options: HeadOptions
) -> tuple[TextSpan, int | None]:
    """Return the span of all heads, and the rank that was used; None for that of the weights."""
    texts = system.text_cache.embed_bank(system.backbone, pool.descriptors, "{}").cpu()
    if options.span == "weights":
        bases = system.decomposer.basis
        span = span_heads(store, texts, num_texts=options.num_texts, bases=lambda layer: bases(layer).cpu())
        return span, None
    most = min(store.num_images, store.width)
    if options.rank is not None and options.rank > most:
        raise UsageError(
            f"Expected --rank of at most {most} for {store.num_images} images and embeddings of width {store.width}, "
            f"found {options.rank}."
        )
    rank = options.rank or min(PUBLISHED_RANK, most)
    return span_heads(store, texts, num_texts=options.num_texts, rank=rank), rank


def _completeness(store: ContributionStore, span: TextSpan, system: HeadDecomposition) -> list[Result]:
    """The accuracy from heads alone, and from what texts keep of them; none of images without labels."""
    labels = store.class_index
    if bool((labels < 0).any()):
        return []
    with torch.no_grad():
        pairs = [[system.classify(each)[:, 0] for each in rebuilt] for rebuilt in rebuild(store, span)]
    columns: list[Tensor] = [torch.cat(column) for column in zip(*pairs, strict=True)]
    rows = {name: (found == labels).tolist() for name, found in zip(_COMPLETENESS, columns, strict=True)}
    return metric_results([CATALOGUE[name] for name in _COMPLETENESS], rows)


def _merge(
    run: Path,
    results: RunResults,
    document: LabelDocument,
    completeness: Sequence[Result],
    settings: dict[str, Any],
    *,
    truncated: int,
) -> RunResults:
    """Put what follows from the heads in the place of what an earlier call put there."""
    scores = score_heads(document, threshold=settings["threshold"])
    replaced = {*_COMPLETENESS, *(entry.name for entry in metrics_of({"label", "fits", "shuffled_fits"}))}
    own = [metric for metric in results["metrics"] if metric["name"] not in replaced]
    manifest = read_manifest(run) or {}
    return {
        **results,
        "settings": manifest["settings"] | settings,
        "metrics": cast(list[MetricResult], [*own, *completeness, *scores["metrics"]]),
        "controls": scores["controls"],
        "fallbacks": {"text": {"truncated": truncated}, **scores["fallbacks"]},
    }


def _describe(store: ContributionStore, span: TextSpan, pool: ConceptBank, settings: dict[str, Any]) -> dict[str, Any]:
    """Return every head with its texts, most telling first, and what share of its variance each explains."""
    places = [(layer, head) for layer in store.layers for head in range(store.num_heads)]
    rows = zip(places, span.indices.tolist(), span.explained_variance.double().tolist(), strict=True)
    return {
        "settings": {name: settings[name] for name in ("num_texts", "span", "rank", "normalise", "pool")},
        "images": store.num_images,
        "heads": [
            {
                "layer": layer,
                "head": head,
                "texts": [
                    {"text": pool.descriptors[index], "explained_variance": share}
                    for index, share in zip(indices, shares, strict=True)
                    if index >= 0
                ],
            }
            for (layer, head), indices, shares in rows
        ],
    }
