"""Table of the similarity of class token and patches: a row for each layer."""

from mkbench.studies.class_token.study import KINDS, ClassTokenCurves
from mkbench.tables import BELOW, BESIDE, Column, ResultTable

_NOTE = (
    "Mean cosine of the class token and the patches of its image: of the tokens after a layer, and of the keys of its "
    "attention; 95 % intervals over images."
)


def class_token_table(found: ClassTokenCurves) -> ResultTable:
    """Declare the table.

    Args:
        found: of ``class_token_curves``.

    >>> from mkbench.runs.results import Estimate
    >>> curves = {"tokens": [Estimate(0.5)], "keys": [Estimate(0.25)]}
    >>> [column.title for column in class_token_table(ClassTokenCurves("ViT", "toy", 4, curves)).shown]
    ['layer', 'tokens', 'keys of the attention']
    """

    def of_kind(kind: str) -> Column:
        return Column(KINDS[kind], lambda layer: found.curves[kind][layer], decimals=3)

    layers = range(len(found.curves["tokens"]))
    columns = [Column("layer", lambda layer: layer), *map(of_kind, KINDS)]
    title = f"{found.model}, {found.images:,} images of {found.data}"
    return ResultTable(columns, list(layers), title=title, notes=[_NOTE], layouts=(BESIDE, BELOW))
