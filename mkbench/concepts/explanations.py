"""What the explainers of a run say about one class group, each made when it is first asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mkbench.concepts.explainer import Explainer
from mkbench.concepts.explanation import GroupExplanation
from mkbench.concepts.foreground import Stage, no_stage
from mkbench.concepts.group_context import GroupContext


class Explanations(Mapping[str, GroupExplanation]):
    """Explainer name -> its explanation of a class group.

    Each explainer sees these explanations in its context, so that a control can ask for the one it is compared with,
    in whatever order they are listed.

    Args:
        explainers: of different names.
        context: the group.
        around: opened by the name of an explainer while it explains; those that it asks are opened within.

    Example:
        >>> from mkbench.concepts import PartsExplainer
        >>> list(Explanations([PartsExplainer("pca"), PartsExplainer("kmeans")], context=None))
        ['pca', 'kmeans']
    """

    def __init__(self, explainers: Sequence[Explainer], context: GroupContext, *, around: Stage = no_stage) -> None:
        self.context = context
        self._around = around
        self._explainers = {explainer.name: explainer for explainer in explainers}
        self._made: dict[str, GroupExplanation] = {}

    def __getitem__(self, name: str) -> GroupExplanation:
        if name not in self._made:
            with self._around(name):
                self._made[name] = self._explainers[name].explain(replace(self.context, explanations=self))
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._explainers

    def __iter__(self) -> Iterator[str]:
        return iter(self._explainers)

    def __len__(self) -> int:
        return len(self._explainers)
