"""Plots on matplotlib: style, point labels, panels and figures; none of them knows a run or a model."""
