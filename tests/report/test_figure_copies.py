from __future__ import annotations

from pathlib import Path

import pytest
from report_runs import write_figure

from mkbench.errors import DataError
from mkbench.report.figure_copies import read_figure


def test_copy_keeps_the_title_and_is_no_wider_than_asked_for(tmp_path: Path) -> None:
    path = write_figure(tmp_path, title="owl/0.png", size=(40, 20))
    copy = read_figure(path, "`a command`", most=20)
    assert (copy.title, copy.width, copy.height) == ("owl/0.png", 20, 10)
    assert read_figure(path, "`a command`").width == 40


def test_damaged_figure_names_what_draws_it(tmp_path: Path) -> None:
    path = write_figure(tmp_path)
    path.write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"found a damaged one .* draw it anew with `a command`"):
        read_figure(path, "`a command`")
