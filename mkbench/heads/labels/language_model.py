"""Labels and judgements by a language model."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mkbench.heads.labels.base import LabelContext
from mkbench.heads.labels.questions import judge_question, label_question, read_fits, read_label
from mkbench.heads.labels.records import NO_LABEL, NO_TEXTS, HeadLabel, HeadTexts, Judgement, Source
from mkbench.language_models.answer_log import Answer
from mkbench.language_models.asking import ask_all
from mkbench.language_models.endpoint import Endpoint


def _digest(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()


def _ask(endpoint: Endpoint, prompts: Sequence[str], context: LabelContext, doing: str) -> list[Answer]:
    return ask_all(endpoint, prompts, doing=doing, log=context.log, progress=context.progress)


def _reply(answer: Answer) -> str | None:
    return answer.refusal or answer.content


@dataclass(frozen=True)
class LanguageModelLabeller:
    """Asks a language model for the one property that the texts of a head share, with two worked examples.

    A refusal, or an answer in another form, leaves the head without a label, with the reason beside it.

    Source: the method of Madasu, Gandelsman, Lal & Howard 2024, arXiv 2409.06579; the words are this project's.

    Args:
        endpoint: the language model.

    >>> LanguageModelLabeller(Endpoint("llama", base_url="http://localhost:8000/v1")).settings()["model"]
    'llama'
    """

    endpoint: Endpoint

    def settings(self) -> dict[str, object]:
        """Every choice that changes its labels."""
        return {"name": "language model", **self.endpoint.settings(), "question": _digest(label_question([]))}

    def label(self, heads: Sequence[HeadTexts], context: LabelContext) -> list[HeadLabel]:
        """Return the property of each head.

        Raises:
            EndpointError: a question stayed without an answer; the answers to the others are in the log.
            UsageError: the library is not installed, or the endpoint does not accept the key, the model or a question.
        """
        prompts = [label_question(head.texts) for head in heads if head.texts]
        answers = iter(zip(prompts, _ask(self.endpoint, prompts, context, "labels of heads"), strict=True))
        return [
            self._read(*next(answers)) if head.texts else HeadLabel(None, Source(self.endpoint.model), NO_TEXTS)
            for head in heads
        ]

    def _read(self, prompt: str, answer: Answer) -> HeadLabel:
        label, reason = read_label(answer)
        return HeadLabel(label, Source(self.endpoint.model, prompt, _reply(answer)), reason)


@dataclass(frozen=True)
class LanguageModelJudge:
    """Asks a language model which texts of a head fit its label.

    A refusal, or an answer in another form, leaves the head without judgements, with the reason beside it.

    Args:
        endpoint: the language model.

    >>> LanguageModelJudge(Endpoint("llama", base_url="http://localhost:8000/v1")).settings()["temperature"]
    0.0
    """

    endpoint: Endpoint

    any_label: ClassVar[bool] = True

    def settings(self) -> dict[str, object]:
        """Every choice that changes its judgements."""
        return {"name": "language model", **self.endpoint.settings(), "question": _digest(judge_question("", []))}

    def judge(self, heads: Sequence[HeadTexts], labels: Sequence[str | None], context: LabelContext) -> list[Judgement]:
        """Return for each head which of its texts fit the label.

        Raises:
            EndpointError: a question stayed without an answer; the answers to the others are in the log.
            UsageError: the library is not installed, or the endpoint does not accept the key, the model or a question.
        """
        pairs = list(zip(heads, labels, strict=True))
        prompts = [judge_question(label, head.texts) for head, label in pairs if label]
        answers = iter(zip(prompts, _ask(self.endpoint, prompts, context, "judgements"), strict=True))
        return [
            self._read(len(head.texts), *next(answers))
            if label
            else Judgement(None, Source(self.endpoint.model), NO_LABEL)
            for head, label in pairs
        ]

    def _read(self, count: int, prompt: str, answer: Answer) -> Judgement:
        fits, reason = read_fits(answer, count)
        return Judgement(fits, Source(self.endpoint.model, prompt, _reply(answer)), reason)
