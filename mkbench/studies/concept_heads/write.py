"""Files of concept heads: tables, scatter and heat maps of models with runs of both systems."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Group
from rich.text import Text

from mkbench.errors import MkbenchError, sentence
from mkbench.plotting.style import save_figure
from mkbench.runs.finished_runs import Run
from mkbench.studies.concept_heads.choice import ConceptHeadModel, concept_head_notes, concept_head_rows, join_models
from mkbench.studies.concept_heads.class_table import class_table, first_heads_table
from mkbench.studies.concept_heads.figure.classes import class_figure
from mkbench.studies.concept_heads.figure.model_scatter import concept_heads_figure, has_points
from mkbench.studies.concept_heads.study import ClassConceptHeads, EmbedBank, find_class_heads
from mkbench.studies.concept_heads.table import concept_heads_console, concept_heads_table
from mkbench.systems.provenance import folder_name
from mkbench.tables import to_console, write_table

_TABLES = (
    "concept_heads.csv",
    "concept_heads.md",
    "concept_heads.tex",
    "concept_heads.png",
    "concept_heads.pdf",
    "concept_heads_by_class.csv",
)
_BY_CLASS = "concept_heads"  # folder of the heat maps


def write_concept_heads(runs: Sequence[Run], folder: Path, embed: EmbedBank, *, width: int = 120) -> Group | None:
    """Write what follows from runs of both systems on the same models, and return it for the console.

    Writes ``concept_heads.csv``, ``concept_heads.md`` and ``concept_heads.tex``; ``concept_heads`` as PNG and PDF for
    two models or more; ``concept_heads_by_class.csv`` and, for each model and explainer, a heat map in
    ``concept_heads/``. What an earlier comparison left under these names is deleted. A model whose concepts cannot be
    encoded any more has none; a note says why.

    Args:
        runs: finished runs, of any system.
        folder: where to write; made where it is missing.
        embed: encodes the concept bank of a model.
        width: columns of the terminal.

    Returns:
        The table of concept heads, and for the first explainer of each model the heads that carry the concepts of its
        classes. Nothing is written if no model has runs of both systems: only notes come back, None for runs of one
        system.
    """
    models, left_out = join_models(runs)
    _clear(folder)
    if not models:
        return Group(Text("\n".join(left_out))) if left_out else None
    found, notes = _find_all(models, embed)
    control = {(one.model, one.explainer): one.control() for one in found}
    rows, about = concept_head_rows(models, control), [*left_out, *concept_head_notes(models), *notes]
    write_table(concept_heads_table(rows, notes=about), folder, "concept_heads", ("csv", "md", "tex"))
    if has_points(rows):
        save_figure(concept_heads_figure(rows), folder / "concept_heads")
    if found:
        write_table(class_table(found), folder, "concept_heads_by_class", ("csv",))
    for one in found:
        save_figure(class_figure(one), folder / _BY_CLASS / folder_name(f"{one.model}-{one.explainer}"))
    first = {one.model: one for one in reversed(found)}
    by_class = [first_heads_table(first[name]) for name in dict.fromkeys(one.model for one in found)]
    shown = [to_console(table, width=width) for table in by_class]
    return Group(concept_heads_console(rows, notes=about, width=width), *shown)


def _clear(folder: Path) -> None:
    """Delete what would be taken for this comparison's."""
    for name in _TABLES:
        (folder / name).unlink(missing_ok=True)
    for path in [*(folder / _BY_CLASS).glob("*.png"), *(folder / _BY_CLASS).glob("*.pdf")]:
        path.unlink()
    with suppress(OSError):  # something else is in it, or there is none
        (folder / _BY_CLASS).rmdir()


def _find_all(models: Sequence[ConceptHeadModel], embed: EmbedBank) -> tuple[list[ClassConceptHeads], list[str]]:
    """Find the concept heads of all models; one that fails never costs the others."""
    found: list[ClassConceptHeads] = []
    notes: list[str] = []
    for model in models:
        try:
            own, about = find_class_heads(model, embed)
        except MkbenchError as error:
            about, own = (f"{model.label}: no concept heads. {sentence(error)}",), []
        found += own
        notes += about
    return found, notes
