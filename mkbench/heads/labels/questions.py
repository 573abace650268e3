"""Prompts for a language model about the texts of a head, and the parsing of its answers."""

from collections.abc import Sequence

from mkbench.heads.labels.normalise import normalise_label
from mkbench.language_models.answer_log import Answer
from mkbench.language_models.replies import NOT_JSON, read_object

MOST_WORDS = 3
NO_PROPERTY = "not one property"

_LABEL_TASK = """\
A part of a vision model is described by the sentences that tell best what it reacts to. Name the one visual property \
that they have in common: a single general English noun in the singular, such as colour or texture. Where they do not \
all agree, name what most of them are about. Answer with JSON alone, of the form {"label": "noun"}.

Sentences:
1. A quiet alley in Lisbon
2. Fishing boats off the coast of Kerala
3. A picture from the Scottish Highlands
4. Downtown Toronto in winter
5. A vineyard somewhere in Chile
Answer: {"label": "location"}

Sentences:
1. Three bicycles in a row
2. A lone swimmer
3. A dozen eggs
4. Two sisters holding hands
5. Countless paper lanterns
Answer: {"label": "counting"}

Sentences:
"""

_JUDGE_TASK = """\
For each of some sentences about pictures, decide whether it is about a given visual property: whether the property is \
what the sentence describes or depends on. Answer with JSON alone, of the form {"fits": [true, false]}, with one value \
for each sentence in their order.

Property: location
Sentences:
1. A quiet alley in Lisbon
2. Two sisters holding hands
3. A picture from the Scottish Highlands
Answer: {"fits": [true, false, true]}

"""


def _number(texts: Sequence[str]) -> str:
    """The texts on numbered lines, each on one."""
    return "".join(f"{place}. {' '.join(text.split())}\n" for place, text in enumerate(texts, start=1))


def label_question(texts: Sequence[str]) -> str:
    r"""Return the question for the property that texts share, with two worked examples.

    Source: the method of Madasu, Gandelsman, Lal & Howard 2024, arXiv 2409.06579; the words are this project's.

    >>> print(label_question(["red brick", "a blue door"]).rpartition("Sentences:\n")[2])
    1. red brick
    2. a blue door
    Answer:
    """
    return f"{_LABEL_TASK}{_number(texts)}Answer:"


def judge_question(label: str, texts: Sequence[str]) -> str:
    """Return the question which of some texts fit a label.

    >>> print(judge_question("colour", ["red brick"]).rpartition("Property: ")[2])
    colour
    Sentences:
    1. red brick
    Answer:
    """
    return f"{_JUDGE_TASK}Property: {label}\nSentences:\n{_number(texts)}Answer:"


def read_label(answer: Answer) -> tuple[str | None, str | None]:
    """Read the label in an answer.

    Returns:
        The normalised label and None, or None and the reason why there is no label.

    >>> read_label(Answer('{"label": "Locations"}')), read_label(Answer("It is hard to say."))
    (('location', None), (None, 'not the JSON asked for'))
    """
    content, reason = read_object(answer)
    if content is None:
        return None, reason
    label = content.get("label")
    if not isinstance(label, str):
        return None, NOT_JSON
    normalised = normalise_label(label)
    words = normalised.split()
    return (normalised, None) if 1 <= len(words) <= MOST_WORDS else (None, NO_PROPERTY)


def read_fits(answer: Answer, count: int) -> tuple[tuple[bool, ...] | None, str | None]:
    """Read the judgements in an answer.

    Args:
        answer: of the language model.
        count: how many texts it was asked about.

    Returns:
        The judgements and None, or None and the reason why there are none.

    >>> read_fits(Answer('{"fits": [true, false]}'), 2), read_fits(Answer('{"fits": [1, 0]}'), 2)
    (((True, False), None), (None, 'not the JSON asked for'))
    """
    content, reason = read_object(answer)
    if content is None:
        return None, reason
    fits = content.get("fits")
    if not isinstance(fits, list) or len(fits) != count or not all(isinstance(fit, bool) for fit in fits):
        return None, NOT_JSON
    return tuple(fits), None
