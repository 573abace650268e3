"""Tables of classes: intervals over them, the lowest and the highest AUC, the same MI with another AUC, differences."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mkbench.metrics.catalogue import CATALOGUE
from mkbench.runs.results import Estimate, explainer_label
from mkbench.studies.metric_columns import metric_column
from mkbench.studies.mutual_knowledge.class_intervals import METRICS, ClassIntervals
from mkbench.studies.mutual_knowledge.class_values import SAME_MI, ClassValue, same_information_pairs
from mkbench.tables import Cell, Column, ResultTable, csv_bounds

_SHOWN = 10  # classes at each end
_CHANCE = (
    "95 % intervals over the images of a class. The ends of a long list are partly chance: with other images, other "
    "classes would stand there."
)
_BOTH = (
    "95 % intervals: over images for other images of the same classes (bootstrap; top-1: Wilson), over classes for "
    "images of other classes (whole classes drawn)."
)
_MI, _AUC = "mutual_information", "mutual_information_auc"


def _estimate(key: str) -> Callable[[ClassValue], Estimate]:
    return lambda one: one.estimate(key)


def extremes_table(classes: Sequence[ClassValue], explainer: str, model: str, *, decimals: int = 2) -> ResultTable:
    """Declare the table of the classes with the highest and the lowest AUC of a run; all of them where they are few.

    Args:
        classes: of one run and explainer.
        explainer: its name.
        model: its label.
        decimals: of values in nats.

    >>> [column.title for column in extremes_table([], "pca", "ViT").shown]
    ['class', 'images', 'top-1 % ↑', 'MI ↑', 'AUC ↑']
    """
    ranked = sorted(classes, key=lambda one: -one.mean("auc"))
    few = len(ranked) <= 2 * _SHOWN
    kept = ranked if few else [*ranked[:_SHOWN], *ranked[-_SHOWN:]]
    which = f"all {len(ranked)}" if few else f"highest {_SHOWN} and lowest {_SHOWN} of {len(ranked)}"
    columns = [
        Column("class", lambda one: one.name, text=True),
        Column("images", lambda one: one.images),
        metric_column("top1", lambda one: one.top1),
        metric_column(_MI, _estimate("mutual_information"), decimals=decimals),
        metric_column(_AUC, _estimate("auc"), decimals=decimals),
    ]
    return ResultTable(
        columns,
        kept,
        title=f"Classes by AUC, {model}, {explainer_label(explainer)}: {which}",
        notes=[_CHANCE],
        section=None if few else lambda one: ranked.index(one) < _SHOWN,
    )


def same_information_table(
    classes: Sequence[ClassValue], explainer: str, model: str, *, decimals: int = 2
) -> ResultTable:
    """Declare the table of pairs of classes with the same MI and another AUC.

    Args:
        classes: of one run and explainer.
        explainer: its name.
        model: its label.
        decimals: of values in nats.

    >>> same_information_table([], "pca", "ViT").rows
    []
    """
    pairs = same_information_pairs(classes)
    columns: list[Column] = []
    for place, end in enumerate(("higher AUC", "lower AUC")):
        columns += [
            Column(f"class of {end}", _of_pair(place, lambda one: one.name), text=True),
            Column("MI", _of_pair(place, _estimate("mutual_information")), decimals=decimals),
            Column("AUC", _of_pair(place, _estimate("auc")), decimals=decimals),
        ]
    same = f"The same MI: no further apart than {SAME_MI * 100:.0f} % of the mean over classes."
    return ResultTable(
        columns,
        pairs,
        title=f"The same MI, another AUC, {model}, {explainer_label(explainer)}",
        notes=[f"{same} {_CHANCE}"],
    )


def _of_pair(
    place: int, value: Callable[[ClassValue], Estimate | str]
) -> Callable[[tuple[ClassValue, ClassValue]], Estimate | str]:
    return lambda pair: value(pair[place])


def model_differences_table(
    models: Mapping[str, Sequence[ClassValue]], explainer: str, *, decimals: int = 2
) -> ResultTable:
    """Declare the table of the classes whose AUC differs most between models.

    Args:
        models: label -> its classes, by one explainer; classes that a model lacks are left out.
        explainer: its name.
        decimals: of values in nats.

    >>> [column.title for column in model_differences_table({"a": [], "b": []}, "pca").shown]
    ['class', 'a: AUC', 'b: AUC', 'largest difference']
    """
    by_name = {model: {one.name: one for one in classes} for model, classes in models.items()}
    shared = [name for name in next(iter(by_name.values())) if all(name in own for own in by_name.values())]

    def largest(name: str) -> float:
        values = [own[name].mean("auc") for own in by_name.values()]
        return max(values) - min(values)

    def auc_of(model: str) -> Callable[[str], Estimate]:
        return lambda name: by_name[model][name].estimate("auc")

    columns = [
        Column("class", lambda name: name, text=True),
        *(Column(f"{model}: AUC", auc_of(model), decimals=decimals) for model in by_name),
        Column("largest difference", largest, decimals=decimals),
    ]
    return ResultTable(
        columns,
        sorted(shared, key=lambda name: -largest(name))[:_SHOWN],
        title=f"Classes whose AUC differs most between models, {explainer_label(explainer)}",
        notes=[_CHANCE],
    )


def intervals_table(rows: Sequence[ClassIntervals]) -> ResultTable:
    """Declare the table of the headline metrics with intervals over images and over classes, a row for each metric.

    Args:
        rows: of runs and explainers.

    >>> [column.title for column in intervals_table([]).shown]
    ['model', 'parts', 'metric', 'over images', 'over classes']
    """
    columns = [
        Column("model", lambda line: line[0].model, text=True, csv="model"),
        Column(None, lambda line: line[0].explainer, csv="explainer"),
        Column("parts", lambda line: explainer_label(line[0].explainer), text=True),
        Column("metric", lambda line: metric_column(line[1], "").title, text=True),
        Column(None, lambda line: line[1], csv="metric"),
        Column(None, lambda line: line[0].classes, csv="classes"),
        *_both_ways("over images", lambda line: line[0].over_images[line[1]], csv=csv_bounds("value")),
        *_both_ways("over classes", lambda line: line[0].over_classes[line[1]], csv=csv_bounds("over_classes")),
    ]
    return ResultTable(
        columns,
        [(row, metric) for row in rows for metric in METRICS if row.over_images[metric] is not None],
        notes=[_BOTH],
        section=lambda line: (line[0].model, line[0].explainer),
    )


def _both_ways(heading: str, value: Callable[[Any], Estimate | None], *, csv: tuple[str, str, str]) -> list[Column]:
    """A column as the metric of each row is printed, and one for programs."""

    def printed(line: tuple[ClassIntervals, str]) -> Cell:
        shown, estimate = CATALOGUE[line[1]].display, value(line)
        return Cell(estimate and estimate.scaled(shown.scale), decimals=shown.decimals)

    return [Column(heading, printed), Column(None, value, csv=csv)]
