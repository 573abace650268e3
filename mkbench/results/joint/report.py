"""Writes what follows from runs of both systems on the same models."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from mkbench.errors import MkbenchError, sentence
from mkbench.results.bundle import write_text_atomically
from mkbench.results.description import folder_name
from mkbench.results.drawing import save_figure
from mkbench.results.joint.carrier_tables import carriers_console, carriers_csv
from mkbench.results.joint.carriers import ClassCarriers, EmbedBank, carry
from mkbench.results.joint.figure import has_points, joint_figure
from mkbench.results.joint.heat_map import carriers_figure
from mkbench.results.joint.models import JointModel, join_models, joint_notes, joint_rows
from mkbench.results.joint.tables import joint_console, joint_csv, joint_latex, joint_markdown
from mkbench.results.runs import Run

_TABLES = ("joint.csv", "joint.md", "joint.tex", "joint.png", "joint.pdf", "carriers.csv")
_CARRIERS = "carriers"  # folder of the heat maps


def write_joint(runs: Sequence[Run], folder: Path, embed: EmbedBank, *, width: int = 120) -> Group | None:
    """Write what follows from runs of both systems on the same models, and return it for the console.

    Writes ``joint.csv``, ``joint.md`` and ``joint.tex``; ``joint`` as PNG and PDF for two models or more;
    ``carriers.csv`` and, for each model and explainer, a heat map in ``carriers/``. What an earlier comparison left
    under these names is deleted. A model whose concepts cannot be encoded any more has no carriers; a note says why.

    Args:
        runs: finished runs, of any system.
        folder: where to write; made where it is missing.
        embed: encodes the concept bank of a model.
        width: columns of the terminal.

    Returns:
        The joint table, and for the first explainer of each model the heads that carry the concepts of its classes.
        Nothing is written if no model has runs of both systems: only notes come back, None for runs of one system.
    """
    models, left_out = join_models(runs)
    _clear(folder)
    if not models:
        return Group(Text("\n".join(left_out))) if left_out else None
    found, notes = _carry_all(models, embed)
    control = {(one.model, one.explainer): one.control() for one in found}
    rows, about = joint_rows(models, control), [*left_out, *joint_notes(models), *notes]
    write_text_atomically(folder / "joint.csv", joint_csv(rows))
    write_text_atomically(folder / "joint.md", joint_markdown(rows, notes=about))
    write_text_atomically(folder / "joint.tex", joint_latex(rows, notes=about))
    if has_points(rows):
        save_figure(joint_figure(rows), folder / "joint")
    if found:
        write_text_atomically(folder / "carriers.csv", carriers_csv(found))
    for one in found:
        save_figure(carriers_figure(one), folder / _CARRIERS / folder_name(f"{one.model}-{one.explainer}"))
    first = {one.model: one for one in reversed(found)}
    shown: list[RenderableType] = [carriers_console(first[name]) for name in dict.fromkeys(one.model for one in found)]
    return Group(joint_console(rows, notes=about, width=width), *shown)


def _clear(folder: Path) -> None:
    """Delete what would be taken for this comparison's."""
    for name in _TABLES:
        (folder / name).unlink(missing_ok=True)
    for path in [*(folder / _CARRIERS).glob("*.png"), *(folder / _CARRIERS).glob("*.pdf")]:
        path.unlink()
    with suppress(OSError):  # something else is in it, or there is none
        (folder / _CARRIERS).rmdir()


def _carry_all(models: Sequence[JointModel], embed: EmbedBank) -> tuple[list[ClassCarriers], list[str]]:
    """Find the carriers of all models; one that fails never costs the others."""
    found: list[ClassCarriers] = []
    notes: list[str] = []
    for model in models:
        try:
            own, about = carry(model, embed)
        except MkbenchError as error:
            about, own = (f"{model.label}: no heads that carry its concepts. {sentence(error)}",), []
        found += own
        notes += about
    return found, notes
