from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mkbench import load_backbone
from mkbench.cli.doctor.bank import alike_when_cut, check_bank, check_lengths, check_size, too_long
from mkbench.concepts import load_bank
from mkbench.concepts.bank import bank_entries
from mkbench.datamodules import Critters

from .conftest import said, states
from .test_model import Linear

PUBLISHED = Path(__file__).resolve().parents[4] / "shared" / "data" / "text" / "descriptors_imagenet.json"
SETTINGS = {"--model.num_language_concepts": 2, "--model.pool": 6}


@pytest.mark.parametrize(
    ("name", "content", "entries"),
    [
        ("bank.json", '{"owl": ["large eyes", "wings"], "bat": ["wings", " wings "]}', 4),
        ("bank.json", '["large eyes", "wings", "wings", ""]', 3),
        ("bank.txt", "large eyes\n\nwings\nwings\n", 3),
    ],
)
def test_entries_are_counted_with_their_repeats(tmp_path: Path, name: str, content: str, entries: int) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert len(bank_entries(path)) == entries
    (remark,) = check_bank(load_bank(path), path)
    assert f"{name}: {entries} entries, 2 unique; {entries - 2} repeat" in remark.sentence


def test_a_bank_without_repeats(write_bank: Callable[[], Path]) -> None:
    path = write_bank()
    (remark,) = check_bank(load_bank(path), path)
    assert remark == ("ok", "bank.json: 24 entries, 24 unique")


def test_a_bank_that_came_from_no_file(write_bank: Callable[[], Path]) -> None:
    (remark,) = check_bank(load_bank(write_bank()), None)
    assert remark.sentence.endswith("24 entries, 24 unique")


def test_a_bank_with_known_facts_says_how_many() -> None:
    (remark,) = check_bank(Critters().bank, None)
    assert remark == ("ok", "critters: 247 entries, 247 unique, which state 108 facts")


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="needs the published bank in ../shared")
def test_the_published_bank_has_4229_unique_descriptors() -> None:
    (remark,) = check_bank(load_bank(PUBLISHED), PUBLISHED)
    assert remark == ("ok", "descriptors_imagenet.json: 5,800 entries, 4,229 unique; 1,571 repeats left out")


def test_a_bank_smaller_than_the_settings_ask_for(write_bank: Callable[[], Path]) -> None:
    bank = load_bank(write_bank())
    assert list(check_size(bank, SETTINGS)) == []
    problems = said(check_size(bank, {"--model.num_language_concepts": 25, "--model.pool": 500}), "problem")
    assert "24 descriptors, fewer than the 25 of --model.num_language_concepts; give a larger bank" in problems
    assert "fewer than the 500 of --model.pool" in problems


def test_much_overlap_by_chance(write_bank: Callable[[], Path]) -> None:
    remarks = list(check_size(load_bank(write_bank()), {"--model.num_language_concepts": 12}))
    assert states(remarks) == ["warning"]
    assert "12 language concepts of a class are 50% of the bank" in remarks[0].sentence


def test_descriptors_longer_than_the_context(tiny_model: Path, tmp_path: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    # Capitals are folded, and the tiny vocabulary spells a digit out: one token each, and two for start and end.
    fits, long = "0 1 2 3 4 5 6 7 8 9 0 1 2 3", "0 1 2 3 4 5 6 7 8 9 0 1 2 3 4"
    assert backbone.count_tokens([fits, long]) == [16, 17]
    (tmp_path / "bank.json").write_text(json.dumps([fits, long]))
    bank = load_bank(tmp_path / "bank.json")
    encoded = backbone.truncated_texts
    alike, remark = check_lengths(backbone, bank.descriptors, ["{}"])
    assert alike.state == remark.state == "warning"
    assert "1 descriptor that the model cannot tell from another" in alike.sentence
    assert remark.sentence.startswith("1 descriptor longer than the 16 tokens the model reads")
    assert f"{long!r} (17 tokens) is the first" in remark.sentence
    _, remark = check_lengths(backbone, bank.descriptors, ["{}", "0 {}"])  # in the longer template both are
    assert remark.sentence.startswith("2 descriptors longer")
    assert backbone.truncated_texts == encoded  # nothing was encoded
    (remark,) = check_lengths(backbone, [fits], ["{}"])
    assert remark == ("ok", "all descriptors fit into the 16 tokens that the model reads")


def test_a_model_that_counts_no_tokens_says_nothing() -> None:
    assert list(check_lengths(Linear(), ["a " * 1000], ["{}"])) == []
    assert too_long(Linear(), {"name": "a " * 1000}) == {}


def test_case_variants_are_said(tmp_path: Path) -> None:
    path = tmp_path / "bank.txt"
    path.write_text("Large eyes\nwings\nlarge eyes\n")
    remarks = list(check_bank(load_bank(path), path))
    assert states(remarks) == ["warning", "ok"]
    assert "2 descriptors that differ from another in capitals alone, such as 'Large eyes'" in remarks[0].sentence


def test_descriptors_that_become_one_when_cut_are_said(tiny_model: Path) -> None:
    backbone = load_backbone(f"local-dir:{tiny_model}")
    read = "0 1 2 3 4 5 6 7 8 9 0 1 2 3"  # 14 tokens, and two for start and end
    texts = [f"{read} 4", f"{read} 5", "0 1 2 3 4 5 6 7 8 9 0 1 3 3 4"]
    assert alike_when_cut(backbone, texts, ["{}"]) == [f"{read} 5"]
    remarks = said(check_lengths(backbone, texts, ["{}"]), "warning")
    assert "1 descriptor that the model cannot tell from another" in remarks
    assert alike_when_cut(backbone, texts[1:], ["{}"]) == []
    assert alike_when_cut(backbone, texts[1:], ["9 {}"]) == []
    assert alike_when_cut(backbone, texts[1:], ["9 9 {}"]) == [texts[2]]
