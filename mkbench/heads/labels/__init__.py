"""Property labels of attention heads, and judgements whether the head's texts fit them."""

from mkbench.heads.labels.base import Judge, LabelContext, Labeller
from mkbench.heads.labels.document import LabelDocument, LabelledHead, ShuffledLabels, read_labels
from mkbench.heads.labels.label_file import FileJudge, FileLabeller
from mkbench.heads.labels.labelling import label_heads, shuffle_labels
from mkbench.heads.labels.language_model import LanguageModelJudge, LanguageModelLabeller
from mkbench.heads.labels.normalise import normalise_label, singular
from mkbench.heads.labels.records import HeadLabel, HeadTexts, Judgement, Source, head_texts
from mkbench.heads.labels.similarity import BankLabeller, SimilarityJudge

__all__ = [
    "BankLabeller",
    "FileJudge",
    "FileLabeller",
    "HeadLabel",
    "HeadTexts",
    "Judge",
    "Judgement",
    "LabelContext",
    "LabelDocument",
    "LabelledHead",
    "Labeller",
    "LanguageModelJudge",
    "LanguageModelLabeller",
    "ShuffledLabels",
    "SimilarityJudge",
    "Source",
    "head_texts",
    "label_heads",
    "normalise_label",
    "read_labels",
    "shuffle_labels",
    "singular",
]
