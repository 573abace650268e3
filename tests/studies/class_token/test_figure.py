import pytest

from mkbench.runs.results import Estimate
from mkbench.studies.class_token.figure import class_token_figure
from mkbench.studies.class_token.study import ClassTokenCurves


def test_curves_and_bands():
    tokens, keys = ([Estimate(value, (value - 0.1, value + 0.2)) for value in own] for own in ((0.8, 0.3), (0.1, -0.2)))
    figure = class_token_figure(ClassTokenCurves("ViT", "toy", 1200, {"tokens": tokens, "keys": keys}))
    axes = figure.axes[1]
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.8, 0.3], [0.1, -0.2]]
    assert [band.get_paths()[0].vertices[:, 1].max() for band in axes.collections] == pytest.approx([1.0, 0.3])
    assert axes.get_title(loc="left") == "ViT"
    assert axes.get_xlabel().endswith("over 1,200 images")
