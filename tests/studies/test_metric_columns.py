from mkbench.metrics.catalogue import CATALOGUE
from mkbench.metrics.entry import Display
from mkbench.runs.results import Estimate
from mkbench.studies.metric_columns import OwnMetric, metric_column, own_columns, own_metrics


def test_headings_units_and_directions_are_those_of_the_catalogue() -> None:
    for name, entry in CATALOGUE.items():
        column, shown = metric_column(name, name), entry.display
        assert column.title.startswith(shown.heading)
        assert column.title.endswith({True: " ↑", False: " ↓", None: ""}[shown.higher_is_better])
        assert (column.decimals, column.scale) == (shown.decimals, shown.scale)
        assert ("%" in column.title) is (shown.unit == "%")


def test_what_a_table_says_takes_the_place_of_the_catalogue() -> None:
    column = metric_column("top1", "top1", scale=1, console_heading="top")
    assert (column.title, column.scale, column.console_heading) == ("top-1 % ↑", 1, "top")
    assert metric_column(Display("weight", "kg", 1, None), "w").title == "weight (kg)"


def test_own_metrics_are_those_that_say_how_they_are_shown() -> None:
    shown = {"heading": "dark", "unit": "", "decimals": 1, "higher_is_better": None, "scale": 1.0}
    metrics = [
        {"name": "dark", "explainer": "pca", "value": 0.5, "interval": [0.25, 0.75], **shown},
        {"name": "dark", "explainer": "kmeans", "value": 0.7, "interval": None, **shown},
        {"name": "bright", "explainer": None, "value": 0.1, "interval": None, **shown},
        {"name": "absent", "explainer": "pca", "value": None, "interval": None, **shown},
        {"name": "unknown", "explainer": "pca", "value": 0.1, "interval": None},
        {"name": "top1", "explainer": None, "value": 0.9, "interval": None},
    ]
    found = own_metrics({"metrics": metrics}, "pca")  # type: ignore[typeddict-item]
    assert {name: metric.estimate for name, metric in found.items()} == {
        "dark": Estimate(0.5, (0.25, 0.75)),
        "bright": Estimate(0.1),
    }


def test_a_row_without_the_metric_of_another_has_none() -> None:
    dark = OwnMetric(Display("dark", "%", 1, False, 100), Estimate(0.5))
    rows = [{"own": {}}, {"own": {"dark": dark}}]
    (column,) = own_columns(rows, lambda row: row["own"])
    assert [column.print_cell(row).join() for row in rows] == ["–", "50.0"]
    assert (column.title, column.csv) == ("dark % ↓", ("dark", "dark_low", "dark_high"))
