"""Templates with a place for what they are filled with."""

from __future__ import annotations

import pytest

from mkbench.concepts.descriptions import DESCRIPTION_PLACES, DESCRIPTION_TEMPLATE
from mkbench.concepts.templates import PLACE, is_template, require_template
from mkbench.errors import UsageError
from mkbench.heads.labels.similarity import BankLabeller, SimilarityJudge
from mkbench.systems import DescriptorZeroShot, MutualKnowledge

ODD = ["a photo", "{c}", "{} and {}", "{} of {c}", "{", ""]


@pytest.mark.parametrize("text", ["{}", "a photo showing {}", "{}."])
def test_templates(text: str) -> None:
    assert is_template(text)
    require_template("--option", text)


@pytest.mark.parametrize("text", ODD)
def test_no_templates(text: str) -> None:
    assert not is_template(text)
    with pytest.raises(UsageError, match=r"^Expected --option to hold \{\} exactly once and no other braces, found '"):
        require_template("--option", text)


@pytest.mark.parametrize("option", ["descriptor_template", "relevance_template"])
@pytest.mark.parametrize("text", ODD)
def test_mutual_knowledge_says_which_option(option: str, text: str) -> None:
    with pytest.raises(UsageError, match=rf"^Expected --model\.{option} to hold "):
        MutualKnowledge("fixture/RN50", **{option: text})


@pytest.mark.parametrize(
    "text", ["a {class}", "{descriptor}", "{class} {class} {descriptor}", "a {} with {}", "{class} {descriptor} {}"]
)
def test_descriptions_need_class_and_descriptor(text: str) -> None:
    assert is_template(DESCRIPTION_TEMPLATE, DESCRIPTION_PLACES)
    with pytest.raises(UsageError, match=r"^Expected --model\.template to hold \{class\} and \{descriptor\} .* each"):
        DescriptorZeroShot("fixture/RN50", template=text)


@pytest.mark.parametrize("kind", [BankLabeller, SimilarityJudge])
def test_labels(kind: type[BankLabeller | SimilarityJudge]) -> None:
    assert kind(template=f"a {PLACE}").template == "a {}"
    with pytest.raises(UsageError, match=r"^Expected the template of labels to hold"):
        kind(template="a photo")
