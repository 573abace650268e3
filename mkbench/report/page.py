"""Report of finished runs: one HTML file that opens from a disk, without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mkbench.errors import DataError, name_some
from mkbench.report.gallery import Picture, read_gallery
from mkbench.report.head_cards import HeadCards, read_head_cards
from mkbench.report.removal_steps import removal_tables
from mkbench.report.rendering import ShownTable, render, show_sections, show_table
from mkbench.runs.finished_runs import Run, require_whole
from mkbench.runs.run_folder import CONFIG, write_text_atomically
from mkbench.studies.overview.study import command_again
from mkbench.studies.overview.table import present_overview, provenance_table
from mkbench.studies.registry import present

_MOST_PICTURES = 64  # of all runs together, so that a page stays small enough to send
_MOST_NAMES = 4  # of models in the title


@dataclass(frozen=True)
class _ShownRun:
    """A run of the page: anchor, name, its figures, the cards of its heads, and what is recorded of it."""

    name: str
    label: str
    folder: str
    pictures: Sequence[tuple[Picture, Sequence[ShownTable]]]
    left_out: int
    heads: HeadCards | None
    provenance: ShownTable
    command: str | None
    config: str | None

    @property
    def has_parts(self) -> bool:
        """Whether the parts of any image have shapes that can be pointed at."""
        return any(picture.overlay and picture.overlay.parts for picture, _ in self.pictures)


def write_page(runs: Sequence[Run], path: Path) -> None:
    """Write the report of runs; the file appears whole or not at all, and the same runs give the same bytes.

    The page needs no server, no network and no other file; it reads without JavaScript, too, which only sorts and
    searches tables. Nothing is computed here: tables and plots are those of the studies.

    Args:
        runs: at least one finished run; runs of one system stand beside each other.
        path: of the file; missing folders are made.

    Raises:
        DataError: a run is damaged, or lacks class groups.
        OSError: the file cannot be written.
    """
    require_whole(runs)
    labels = [run.label for run in runs]
    each = max(_MOST_PICTURES // len(runs), 1)
    first, *others = present(runs)
    text = render(
        "page.html",
        title=f"mkbench: {name_some(labels, shown=_MOST_NAMES)}",
        sections=list(show_sections([first, present_overview(runs), *others])),
        runs=[_show_run(run, f"run-{place}", most=each) for place, run in enumerate(runs, start=1)],
    )
    write_text_atomically(path, text)


def _show_run(run: Run, name: str, *, most: int) -> _ShownRun:
    pictures, left_out = read_gallery(run, most=most)
    return _ShownRun(
        name=name,
        label=run.label,
        folder=run.folder.as_posix(),
        pictures=[(one, _show_steps(one, f"{name}-image-{place}")) for place, one in enumerate(pictures, start=1)],
        left_out=left_out,
        heads=read_head_cards(run, name, most=most) if run.system == "head_decomposition" else None,
        provenance=show_table(provenance_table(run), f"{name}-provenance"),
        command=command_again(run),
        config=_read_config(run.folder / CONFIG),
    )


def _show_steps(picture: Picture, name: str) -> list[ShownTable]:
    """Return the removal steps of an image that the run has in words."""
    tables = [] if picture.words is None else removal_tables(picture.words)
    return [show_table(table, f"{name}-steps-{place}") for place, table in enumerate(tables, start=1)]


def _read_config(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"Expected the configuration {path} in UTF-8, found other bytes; run it again.") from error
