from __future__ import annotations

import pytest
from matplotlib.text import Annotation

from mkbench.plotting.scatter import ScatterPoint, name_points
from mkbench.plotting.style import Page


def test_a_name_stands_beside_the_point_as_it_is_drawn() -> None:
    page = Page(200, 200)
    axes = page.axes_at(20, 20, 160, 160)
    point = ScatterPoint(0.25, 0.5)
    name_points(axes, [("ViT-B/16", point)], [(point, 36.0)])
    (name,) = axes.texts
    assert isinstance(name, Annotation)
    drawn, unmoved = axes.transData.transform([name.xy, (point.x, point.y)])
    assert drawn - unmoved == pytest.approx([36.0 / 72 * page.figure.get_dpi(), 0.0])
