"""Plots on matplotlib: style, point labels, panels; none of them knows a run or a model."""
