import numpy as np
import pytest
import torch

from mkbench.concepts import ConceptBank
from mkbench.concepts.descriptions import (
    DESCRIPTION_TEMPLATE,
    describe_class,
    description_vectors,
    own_descriptors,
)


def unit(rows):
    rows = np.asarray(rows, dtype=np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_mean_of_cosines_against_numpy():
    rng = np.random.default_rng(0)
    texts, images, without = (
        unit(rng.normal(size=(12, 5))),
        unit(rng.normal(size=(7, 5))),
        unit(rng.normal(size=(4, 5))),
    )
    owners = np.array([2, 0, 0, 2, 3, 2, 0, 3, 3, 3, 0, 2])  # class 1 has no description
    expected = np.empty((7, 4))
    for image in range(7):
        for index in range(4):
            cosines = [images[image] @ text for text, owner in zip(texts, owners, strict=True) if owner == index]
            expected[image, index] = np.mean(cosines) if cosines else images[image] @ without[index]
    vectors = description_vectors(torch.tensor(texts), torch.tensor(owners), torch.tensor(without))
    assert vectors.dtype == torch.float64
    np.testing.assert_allclose(images @ vectors.numpy().T, expected, atol=1e-12)


def test_mean_vector_is_not_normalised_again():
    # Class 0 has the texts (1, 0) and (0, 1), class 1 the text (0.6, 0.8) twice. To the image (1, 0) the mean cosines
    # are 0.5 and 0.6; a normalised mean vector would give 0.71 and 0.6, and so the other class.
    texts = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.6, 0.8]])
    vectors = description_vectors(texts, torch.tensor([0, 0, 1, 1]), torch.eye(2))
    scores = vectors @ torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert scores.tolist() == pytest.approx([0.5, 0.6], abs=1e-7)


def test_without_any_description_everything_stands_in():
    vectors = description_vectors(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), torch.eye(3))
    assert torch.equal(vectors, torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("texts", "owners", "message"),
    [
        (torch.zeros(2, 3), torch.tensor([0]), "owners"),
        (torch.zeros(2, 4), torch.tensor([0, 0]), "texts must be"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), r"owners must lie in 0\.\.2, found 0\.\.3"),
        (torch.full((1, 3), torch.nan), torch.tensor([0]), "texts must be finite"),
    ],
)
def test_misfits_are_refused(texts, owners, message):
    with pytest.raises(ValueError, match=message):
        description_vectors(texts, owners, torch.eye(3))


BANK = ConceptBank(
    ("wings", "large eyes", "fur"), {"snowy_owl": (1, 0), "bat": (0, 2), "Bat": (2,), "moth": ()}, "bank.json", ""
)


def test_descriptors_are_found_by_name_and_never_by_place():
    assert own_descriptors(BANK, ["bat", "moth", "snowy_owl"]) == [(0, 2), (), (1, 0)]
    assert own_descriptors(BANK, ["snowy_owl", "bat"]) == [(1, 0), (0, 2)]


@pytest.mark.parametrize("name", ["Snowy owl", "snowy-owl", "SNOWY  OWL"])
def test_spelling_may_differ_in_case_and_punctuation(name):
    assert own_descriptors(BANK, [name]) == [(1, 0)]


def test_ambiguous_spelling_finds_nothing():
    assert own_descriptors(BANK, ["BAT", "Bat", "fox"]) == [(), (2,), ()]


def test_bank_without_classes_is_refused():
    with pytest.raises(ValueError, match="must have classes"):
        own_descriptors(ConceptBank(("wings", "fur"), None, "bank.txt", ""), ["bat"])


def test_published_words():
    assert describe_class(DESCRIPTION_TEMPLATE, "hen", "a red comb") == (
        "how can you identify a hen. Distinctive and physical features describing it is a red comb"
    )


def test_braces_of_names_stay():
    assert describe_class("{class}: {descriptor}", "{descriptor}", "{class}") == "{descriptor}: {class}"
