from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_runs import explained_row, write_object, write_run

from mkbench.errors import DataError
from mkbench.metrics.functional.bootstrap import bootstrap_means
from mkbench.runs.finished_runs import read_runs
from mkbench.runs.group_files import ROW_SCHEMA, GroupRecord, write_group
from mkbench.studies.overview.integrity import require_untampered


def check(run: Path) -> None:
    require_untampered(read_runs(run)[0])


def rewrite(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    write_object(path, document)


def raise_metric(run: Path) -> None:
    rewrite(run / "results.json", lambda document: document["metrics"][2].update(value=9.0))


def raise_accuracy(run: Path) -> None:
    rewrite(run / "results.json", lambda document: document["metrics"][0].update(value=1.0))


def narrow_interval(run: Path) -> None:
    def narrow(document: dict[str, Any]) -> None:
        metric = document["metrics"][2]
        metric["interval"] = [metric["value"] - 0.01, metric["value"] + 0.01]

    rewrite(run / "results.json", narrow)


def forget_interval(run: Path) -> None:
    rewrite(run / "results.json", lambda document: document["metrics"][2].update(interval=None))


def forget_special_case(run: Path) -> None:
    rewrite(run / "results.json", lambda document: document["fallbacks"]["pca"].update(no_foreground=0))


def rename_model(run: Path) -> None:
    rewrite(run / "results.json", lambda document: document["model"].update(label="Better"))


def change_setting(run: Path) -> None:
    rewrite(run / "results.json", lambda document: document["settings"].update(estimator="shannon"))


def raise_curve(run: Path) -> None:
    def raise_first(document: dict[str, Any]) -> None:
        document["curves"]["mutual_information"]["pca"][0] += 1

    rewrite(run / "results.json", raise_first)


def unmark(run: Path) -> None:
    """Say that an explainer is better than its control."""
    rewrite(
        run / "results.json",
        lambda document: document["controls"][0].update(separates=not document["controls"][0]["separates"]),
    )


def rename_data(run: Path) -> None:
    rewrite(run / "results.json", lambda document: document["data"].update(name="imagenet"))


def change_rows(run: Path) -> None:
    import pyarrow as pa

    rows = [explained_row("owl/0.png", 0, "owl", [9.0, 9.0, 0.0])]
    write_group(run, GroupRecord("00000-000", pa.Table.from_pylist(rows, schema=ROW_SCHEMA)))


def forget_digest(run: Path) -> None:
    log = run / "groups.log"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[1:]), encoding="utf-8")


def lose_manifest(run: Path) -> None:
    (run / "manifest.json").unlink()


def lose_group(run: Path) -> None:
    (run / "groups" / "00001-000.parquet").unlink()


def test_run_as_it_was_written(tmp_path: Path) -> None:
    check(write_run(tmp_path / "vit"))


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (raise_metric, "the mutual_information of pca of its rows"),
        (raise_accuracy, "the top1 of its rows"),
        (narrow_interval, "the mutual_information of pca of its rows"),
        (forget_interval, "the mutual_information of pca of its rows"),
        (forget_special_case, "the special cases of its class groups"),
        (raise_curve, "the curve mutual_information of pca of its rows"),
        (rename_model, "model.label as in its manifest"),
        (change_setting, "settings.estimator as in its manifest"),
        (rename_data, "data.name as in its manifest"),
        (change_rows, "its content is not that which groups.log has a digest of"),
        (forget_digest, "a digest of the class group 00000-000 in its log"),
        (lose_manifest, "a manifest, found none"),
        (lose_group, "found 1 missing, such as 00001-000"),
    ],
)
def test_changed_run_is_refused_by_name(tmp_path: Path, tamper: Callable[[Path], None], said: str) -> None:
    run = write_run(tmp_path / "vit")
    tamper(run)
    with pytest.raises(DataError, match=said) as caught:
        check(run)
    assert str(run) in str(caught.value)


def test_mark_that_was_taken_away_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit", explainers=("pca", "random"))
    check(run)
    unmark(run)
    with pytest.raises(DataError, match="of pca beside random of its rows, found another in its results"):
        check(run)


def test_interval_beside_a_control_that_was_narrowed_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit", explainers=("pca", "random"))
    rewrite(run / "results.json", lambda document: document["controls"][0].update(interval=[8.0, 9.0]))
    with pytest.raises(DataError, match="of pca beside random of its rows, found another in its results"):
        check(run)


def test_intervals_of_other_resampled_images_are_those_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "vit", explainers=("pca", "random"), images=40)
    other_seed = functools.partial(bootstrap_means, seed=7)
    monkeypatch.setattr("mkbench.metrics.row_metric.bootstrap_means", other_seed)
    check(run)


def test_users_own_metric_is_left_alone(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit")
    own = {"name": "mine", "explainer": None, "value": 3.0, "heading": "mine", "unit": "", "decimals": 1, "scale": 1.0}
    rewrite(run / "results.json", lambda document: document["metrics"].append(own))
    check(run)


def test_system_of_ones_own_has_its_digests_checked(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit")
    rewrite(run / "results.json", lambda document: document.update(system="mine"))
    check(run)
    forget_digest(run)
    with pytest.raises(DataError, match="a digest of the class group"):
        check(run)
