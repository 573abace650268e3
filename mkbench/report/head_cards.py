"""Cards of a run's attention heads: what is known of each, with the figures that were drawn of it alone."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias, TypedDict, cast

from mkbench.errors import DataError
from mkbench.heads.head_values import Head
from mkbench.report.figure_copies import FigureCopy, read_figure
from mkbench.report.rendering import ShownTable, show_table
from mkbench.runs.finished_runs import Run
from mkbench.runs.run_folder import ANALYSES, read_object
from mkbench.runs.schema import find_fault
from mkbench.studies.head_labels.cards import HeadCard, head_cards
from mkbench.studies.head_labels.study import read_report
from mkbench.studies.head_labels.table import metrics_table

#: What the questions to one head find: analysis -> caption of its figure.
_FOUND = {
    "image-neighbors": "Nearest images to {image}",
    "text-neighbors": "Nearest images to “{text}”",
    "topic-segmentation": "“{text}” in {image}",
}
#: Metrics of all heads that stand above the cards, each beside its value under permuted labels.
_METRICS = ("entanglement", "association", "concept_consistency")
#: A card, and the figures of its head.
ShownCard: TypeAlias = tuple[HeadCard, Sequence["HeadFigure"]]
_WIDTH = 800  # of a figure, pixels


class _Question(TypedDict, total=False):
    head: tuple[int, int] | None
    image: str
    text: str


class _Answer(TypedDict):
    question: _Question


@dataclass(frozen=True)
class HeadFigure:
    """A figure that was drawn of a head: its caption, and its copy."""

    caption: str
    copy: FigureCopy


@dataclass(frozen=True)
class HeadCards:
    """The cards of a run.

    Attributes:
        metrics: of all heads.
        layers: layer -> the card of each of its heads, with its figures.
        left_out: figures of heads that are not shown.
    """

    metrics: ShownTable
    layers: Mapping[int, Sequence[ShownCard]]
    left_out: int

    @property
    def has_figures(self) -> bool:
        """Whether any head has a figure."""
        return any(figures for cards in self.layers.values() for _, figures in cards)


def read_head_cards(run: Run, name: str, *, most: int) -> HeadCards | None:
    """Read the cards of a run's heads; None for a run whose heads are not described.

    Args:
        run: a finished run.
        name: the beginning of its anchors.
        most: how many figures to read.

    Raises:
        DataError: a file of heads, an answer or its figure is damaged.
    """
    report = read_report(run)
    if report is None:
        return None
    asked = _asked_heads(run.folder / ANALYSES)
    figures: dict[Head, list[HeadFigure]] = defaultdict(list)
    for head, caption, path in asked[:most]:
        copy = read_figure(path, f"`mkbench heads {path.name.partition('_')[0]}`", most=_WIDTH)
        figures[head].append(HeadFigure(caption, copy))
    layers: dict[int, list[ShownCard]] = defaultdict(list)
    for card in head_cards(report):
        layers[card.layer].append((card, figures.get((card.layer, card.head), ())))
    table = replace(metrics_table(report.results, _METRICS), title="All heads of the run")
    return HeadCards(show_table(table, f"{name}-heads-metrics"), layers, len(asked[most:]))


def _asked_heads(folder: Path) -> list[tuple[Head, str, Path]]:
    """Return the answers of one head that have a figure, by the names of their files: head, caption, figure."""
    asked = []
    for path in sorted(folder.glob("*.json")):
        caption, figure = _FOUND.get(path.name.partition("_")[0]), path.with_suffix(".png")
        if caption is not None and figure.is_file():
            question = _read_question(path)
            head = question.get("head")
            if head is not None:  # None: all heads were asked
                words = {"image": "", "text": ""} | question
                asked.append(((head[0], head[1]), caption.format_map(words), figure))
    return asked


def _read_question(path: Path) -> _Question:
    content = read_object(path)
    fault = find_fault(content, _Answer)
    if fault is not None:
        raise DataError(f"Expected in {path} {fault}; delete it, or ask the head again.")
    return cast(_Answer, content)["question"]
