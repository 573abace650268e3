"""Tables of the removal steps of an explained image: its concepts one by one, and its parts."""

from mkbench.studies.mutual_knowledge.drawn_images import DrawnImage
from mkbench.tables import Column, ResultTable

_NOTHING = "nothing"
_HEADINGS = {
    "deletion_scores": "blurred",
    "insertion_scores": "brought back",
    "exact_deletion_scores": "taken away",
    "exact_insertion_scores": "put into the scene",
}
_INFORMATION = "Nats, after each concept and those above it are removed, the most important first."
_SCORES = "Class score of the predicted class, 2.5 cos(image, class), after so many parts in the order of importance."


def removal_tables(image: DrawnImage) -> list[ResultTable]:
    """Declare the tables of an image's removal steps: of its concepts, and of its parts where the run removed them.

    >>> image = DrawnImage("owl", "owl", True, 1, (("wings", 0.9, True),), (2.0, 0.0), (0.5, 0.0), {})
    >>> [row for table in removal_tables(image) for row in table.rows]
    [('nothing', 2.0, 0.5), ('wings', 0.0, 0.0)]
    """
    tables = [_concept_steps(image)] if image.concepts else []
    return tables + ([_part_steps(image)] if image.scores else [])


def _concept_steps(image: DrawnImage) -> ResultTable:
    removed = [_NOTHING, *(text for text, _, _ in image.concepts)]
    columns = [
        Column("removed", lambda row: row[0], text=True),
        Column("MI", lambda row: row[1], decimals=2),
        Column("at chance", lambda row: row[2], decimals=2),
    ]
    rows = list(zip(removed, image.information, image.chance, strict=True))
    return ResultTable(columns, rows, title="Mutual information without concepts", notes=[_INFORMATION])


def _part_steps(image: DrawnImage) -> ResultTable:
    columns = [Column("parts", lambda step: step)]
    columns += [
        _score_column(heading, image.scores[name]) for name, heading in _HEADINGS.items() if name in image.scores
    ]
    steps = range(max(map(len, image.scores.values())))
    return ResultTable(columns, steps, title="Class score by parts", notes=[_SCORES])


def _score_column(heading: str, scores: tuple[float, ...]) -> Column:
    return Column(heading, lambda step: scores[step] if step < len(scores) else None, decimals=3)
