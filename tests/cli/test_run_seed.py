from __future__ import annotations

import pytest

from mkbench.cli.trainer import MkbenchCLI
from mkbench.errors import UsageError


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], 0),
        (["--seed_everything=7"], 7),
        (["--model.seed=7"], 7),
        (["--seed_everything=7", "--model.seed=7"], 7),
    ],
)
def test_run_and_system_have_one_seed(predict_words: list[str], words: list[str], expected: int) -> None:
    config = MkbenchCLI([*predict_words[1:], *words], run=False).config
    assert (config.seed_everything, config.model.init_args.seed) == (expected, expected)
    assert config.data.init_args.seed == 0  # says which images are rendered


def test_two_different_seeds_are_refused(predict_words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"found --seed_everything 3 and --model\.seed 4; leave one of them out"):
        MkbenchCLI([*predict_words[1:], "--seed_everything=3", "--model.seed=4"], run=False)
