"""Menus of a page: the heads of a model with their labels and scores, its properties and its images."""

from collections import Counter
from collections.abc import Sequence

from mkbench.heads.head_values import Head
from mkbench.heads.labels import LabelledHead
from mkbench.report.app.asked_model import AskedModel
from mkbench.studies.head_queries.study import HeadRun

#: Images that a menu lists; any other can be typed.
MOST_IMAGES = 500
#: Entry of a menu that stands for all heads together.
ALL_HEADS = "all"
#: What is shown, and what is asked for.
Choices = list[tuple[str, str]]


def image_choices(model: AskedModel) -> list[str]:
    """List images of a model's run: all of a small one, of a larger one as many of each part of the list.

    >>> from types import SimpleNamespace as Names
    >>> image_choices(Names(images=Names(sample_ids=tuple("abc"))))
    ['a', 'b', 'c']
    """
    names = model.images.sample_ids
    return list(names[:: -(-len(names) // MOST_IMAGES) or 1])


def head_choices(model: AskedModel) -> Choices:
    """List the heads of a model's run with their labels and scores; none of a model without heads."""
    if not isinstance(model.heads, HeadRun):
        return []
    store, known = model.heads.store, _labelled(model)
    heads = [(layer, head) for layer in store.layers for head in range(store.num_heads)]
    return [(_describe(head, known.get(head)), f"{head[0]}.{head[1]}") for head in heads]


def property_choices(model: AskedModel) -> Choices:
    """List the properties that heads of a model's run are labelled with, and how many heads each has."""
    if not isinstance(model.heads, HeadRun):
        return []
    layers = model.heads.store.layers
    labels = [one.label.label for head, one in _labelled(model).items() if head[0] in layers]
    held = Counter(label for label in labels if label)
    return [(f"{label} ({count} head{'s' * (count > 1)})", label) for label, count in sorted(held.items())]


def example_property(model: AskedModel) -> str:
    """Return the property of the heads whose texts fit it best; empty without heads."""
    offered = [label for _, label in property_choices(model)]
    best = [one.label.label for _, one in _best_first(model) if one.label.label in offered]
    return next(iter([*best, *offered]), "")


def example_texts(model: AskedModel) -> tuple[str, str]:
    """Return two texts to try: what the heads whose texts fit best are described by, or what images may show."""
    texts = list(dict.fromkeys([one.texts.texts[0] for _, one in _best_first(model) if one.texts.texts]))
    first, second = [*texts, *model.texts][:2]
    return first, second


def example_head(model: AskedModel) -> str:
    """Return the head whose texts fit its label best, or the last one of the last layer; empty without heads."""
    heads = {value for _, value in head_choices(model)}
    best = [f"{layer}.{head}" for (layer, head), _ in _best_first(model) if f"{layer}.{head}" in heads]
    return next(iter([*best, *sorted(heads, reverse=True)]), "")


def _labelled(model: AskedModel) -> dict[Head, LabelledHead]:
    heads: Sequence[LabelledHead] = () if model.labels is None else model.labels.heads
    return {(one.texts.layer, one.texts.head): one for one in heads}


def _best_first(model: AskedModel) -> list[tuple[Head, LabelledHead]]:
    """Return labelled heads by how well their texts fit, those first whose first text fits, late layers first."""

    def rank(pair: tuple[Head, LabelledHead]) -> tuple[bool, int, int]:
        (layer, _), one = pair
        fits = one.judgement.fits or (False,)
        return not fits[0], -sum(fits), -layer

    return sorted(_labelled(model).items(), key=rank)


def _fits(one: LabelledHead) -> int | None:
    return None if one.judgement.fits is None else sum(one.judgement.fits)


def _describe(head: Head, one: LabelledHead | None) -> str:
    """Return the entry of a head.

    >>> from mkbench.heads.labels import HeadLabel, HeadTexts, Judgement, Source
    >>> texts, source = HeadTexts(4, 2, ("a red tail",)), Source("m")
    >>> label, judgement = HeadLabel("colour", source), Judgement((True, True, False, False, False), source)
    >>> _describe((4, 2), LabelledHead(texts, label, judgement)), _describe((4, 3), None)
    ('4.2  colour (2 of 5 texts fit)', '4.3')
    """
    name = f"{head[0]}.{head[1]}"
    if one is None or not one.label.label:
        return name
    fits = _fits(one)
    score = "" if fits is None else f" ({fits} of {len(one.judgement.fits or ())} texts fit)"
    return f"{name}  {one.label.label}{score}"
