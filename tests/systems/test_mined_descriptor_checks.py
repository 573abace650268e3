from pathlib import Path

import pytest
import torch

from mkbench.errors import UsageError
from mkbench.systems.mined_descriptor_checks import count_seen, kept_classes, require_same
from mkbench.systems.mined_descriptors import HeldOutRun, MinedRun

HERE = [("owls", "1.png"), ("owls", "2.png")]
OTHERS = [("owls", "3.png"), ("bats", "1.png")]  # bats have an image of that name too


def test_images_are_told_apart_by_data_set_and_name():
    assert count_seen(HERE, {"mined_from": OTHERS, "held_out_from": OTHERS[:1]}, "train") == {
        "mined_from": 0,
        "held_out_from": 0,
    }


def test_train_refuses_one_image_seen_by_either_run():
    for option in ("mined_from", "held_out_from"):
        runs = {"mined_from": OTHERS, "held_out_from": OTHERS, option: [*OTHERS, HERE[1]]}
        with pytest.raises(UsageError, match=rf"--model.{option} has not seen, found 1 of 2 seen there, .*'2.png'"):
            count_seen(HERE, runs, "train")


def test_run_before_the_choice_may_have_been_mined_from():
    assert count_seen(HERE, {"mined_from": [*HERE, *OTHERS]}, "train") == {"mined_from": 2}


def test_paper_asks_for_all_images_of_the_runs():
    assert count_seen(HERE, {"mined_from": HERE[:1], "held_out_from": HERE}, "paper") == {
        "mined_from": 1,
        "held_out_from": 2,
    }
    with pytest.raises(UsageError, match=r"--model.held_out_from, found 2 of 3 that are not evaluated"):
        count_seen(HERE, {"mined_from": HERE, "held_out_from": [*HERE[:1], *OTHERS]}, "paper")


NOTHING = torch.zeros(0, dtype=torch.int64)


def runs(mined_images):
    """One image of each of two classes, of which the second is right without mined descriptors only."""
    mined = MinedRun(Path("mined"), {}, frozenset(mined_images), NOTHING, NOTHING, NOTHING, "")
    own, after = torch.tensor([True, True]), torch.tensor([True, False])
    return mined, HeldOutRun(Path("held"), {}, tuple(HERE), torch.tensor([0, 1]), own, after, "")


def test_class_that_is_hurt_keeps_its_own():
    assert kept_classes(*runs(OTHERS), "train", 3).tolist() == [True, False, True]


def test_only_images_that_were_not_mined_from_decide():
    mined, held_out = runs(HERE[1:])
    assert kept_classes(mined, held_out, "train", 3).all()
    assert kept_classes(mined, held_out, "paper", 3).tolist() == [True, False, True]


def test_without_held_out_images_all_are_kept():
    mined, held_out = runs(HERE)
    assert kept_classes(mined, None, "train", 2).tolist() == [True, True]
    with pytest.raises(UsageError, match="images at held that were not mined from, found none"):
        kept_classes(mined, held_out, "train", 2)


def test_what_matters_must_be_the_same():
    found = {"model": {"fingerprint": "x", "name": "a"}, "data": {"bank": {"sha256": "1", "source": "a.json"}}}
    require_same(Path("run"), found, {"model": {"fingerprint": "x"}, "data": {"bank": {"sha256": "1"}}}, option="--o")
    with pytest.raises(UsageError, match=r"run at run .* differs in data\.bank\.sha256 \(1, now 2\), settings \(None"):
        require_same(
            Path("run"), found, {"data": {"bank": {"sha256": "2"}}, "settings": {"split": "train"}}, option="--o"
        )
