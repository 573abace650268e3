"""Gallery of a run's figures of images: smaller copies for a page, and what they show in words."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from mkbench.report.figure_copies import read_figure
from mkbench.report.part_overlay import PartOverlay, read_overlay
from mkbench.runs.finished_runs import Run
from mkbench.runs.results import explainer_label
from mkbench.runs.run_folder import FIGURES
from mkbench.studies.mutual_knowledge.drawn_images import DrawnImage, read_drawn_images

_NAME = re.compile(r"(?:sample-(?:unlabelled-)?\d+-(?P<explainer>.+)|segmentation-.+)\.png")


@dataclass(frozen=True)
class Picture:
    """A figure of a run for a page.

    Attributes:
        name: of its file.
        sample_id: the image that it is of; empty where the file does not say.
        explainer: name of the explainer; empty where it is of none.
        uri: the figure as a ``data:`` address.
        width: of the copy, pixels.
        height: of the copy, pixels.
        words: what it shows; None where the run does not say.
        overlay: where its parts lie; None where the run does not say.
    """

    name: str
    sample_id: str
    explainer: str
    uri: str
    width: int
    height: int
    words: DrawnImage | None = None
    overlay: PartOverlay | None = None

    @property
    def title(self) -> str:
        """The image and the explainer, as far as the file says.

        >>> Picture("sample-00000-pca.png", "owl/3.png", "pca", "data:", 1, 1).title
        'owl/3.png, PCA parts'
        """
        return f"{self.sample_id}, {explainer_label(self.explainer)} parts" if self.sample_id else self.name

    @property
    def alternative(self) -> str:
        """What a screen reader says in the place of the figure.

        >>> Picture("segmentation-00000.png", "", "", "data:", 1, 1).alternative
        'Figure of the run: segmentation-00000.png.'
        """
        if self.words is None:
            return f"Figure of the run: {self.title}."
        return (
            f"{self.title}: {self.words.num_parts} parts, {len(self.words.concepts)} concepts, named below the figure."
        )


def read_gallery(run: Run, *, most: int) -> tuple[list[Picture], int]:
    """Read the figures of images that a run has, in the order of their names.

    Args:
        run: a finished run.
        most: how many to read.

    Returns:
        The figures, and how many there are beside them.

    Raises:
        DataError: a figure, the file beside it, a group file or the list of descriptors is damaged.
    """
    figures = (run.folder / FIGURES).glob("*.png")
    paths = sorted(path for path in figures if _NAME.fullmatch(path.name) and path.is_file())
    pictures = [_read(path) for path in paths[:most]]
    words = read_drawn_images(run, {(one.sample_id, one.explainer) for one in pictures if one.sample_id})
    pictures = [replace(one, words=words.get((one.sample_id, one.explainer))) for one in pictures]
    return pictures, len(paths) - len(pictures)


def _read(path: Path) -> Picture:
    """Read a figure; the run wrote the image that it is of to its metadata."""
    figure = read_figure(path, "`mkbench predict` and --results.overwrite true")
    found = _NAME.fullmatch(path.name)
    return Picture(
        name=path.name,
        sample_id=figure.title,
        explainer=(found and found["explainer"]) or "",
        uri=figure.uri,
        width=figure.width,
        height=figure.height,
        overlay=read_overlay(path.with_suffix(".json"), width=figure.width, height=figure.height),
    )
