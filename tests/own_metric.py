"""A user's own metric in a `results.json`, as a run writes it."""

from typing import Any


def own_metric(explainer: str | None, value: float) -> dict[str, Any]:
    """The entry of a metric that the catalogue does not have: the darkness of images, in percent."""
    shown = {"heading": "dark", "unit": "%", "decimals": 1, "scale": 100.0, "higher_is_better": False}
    bounds = [value - 0.125, value + 0.125]
    return {"name": "darkness", "explainer": explainer, "value": value, "interval": bounds, "n": 8, **shown}
