from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_runs import write_object, write_run


def test_page_of_a_bench(command: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_run(tmp_path / "bench" / name, name)
    outcome = command("report", "bench", "--out=pages/both.html")
    assert (outcome.code, outcome.output, outcome.error) == (0, "report: pages/both.html\n", "")
    assert "<title>mkbench: a, b</title>" in (tmp_path / "pages" / "both.html").read_text(encoding="utf-8")


def test_page_lies_in_the_folder_it_shows(command: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_run(tmp_path / "bench" / name, name)
    assert command("report", "bench").output == "report: bench/report.html\n"
    assert command("report", "bench/a").output == "report: bench/a/report.html\n"
    assert command("report", "bench/a", "bench/b").output == "report: runs/report.html\n"  # of several there is no such
    assert (tmp_path / "runs" / "report.html").is_file()


def test_site_of_a_bench(command: Callable[..., Any], tmp_path: Path) -> None:
    write_run(tmp_path / "bench" / "a", "a")
    outcome = command("report", "bench", "--site=site")
    assert (outcome.code, outcome.output) == (0, "site: site/index.html\n")
    assert (tmp_path / "site" / "index.html").is_file()
    assert command("report", "bench", "--site=site", "--out=a.html").code == 2  # one or the other


def other_version(run: Path) -> None:
    document = json.loads((run / "results.json").read_text(encoding="utf-8"))
    write_object(run / "results.json", document | {"schema_version": 99})


def unfinished(run: Path) -> None:
    (run / "results.json").unlink()


def damaged(run: Path) -> None:
    (run / "results.json").write_text('{"schema_version": 1', encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (other_version, 1, "results.json of schema version 1, found 99"),
        (unfinished, 2, "Expected the folder of a finished run with results.json, found none at vit"),
        (damaged, 1, "Expected JSON in vit/results.json"),
    ],
)
def test_runs_that_are_none_are_refused(
    command: Callable[..., Any], tmp_path: Path, change: Callable[[Path], None], code: int, said: str
) -> None:
    change(write_run(tmp_path / "vit"))
    outcome = command("report", "vit", "--out=report.html")
    assert (outcome.code, outcome.error.count("\n")) == (code, 1)
    assert said in outcome.error
    assert not list(tmp_path.glob("*report*"))


def test_no_run_at_all(command: Callable[..., Any]) -> None:
    outcome = command("report", "nowhere")
    assert outcome.code == 2
    assert "found none at nowhere" in outcome.error


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("results.json", 2),
        ("groups/00000-000.parquet", 1),
        *((name, 0) for name in ("manifest.json", "environment.json", "groups.log", "config.yaml", "run.lock")),
        ("figures/sample-00000-pca.png", 0),
    ],
)
def test_named_pipes_in_a_run_do_not_hang(command: Callable[..., Any], tmp_path: Path, name: str, code: int) -> None:
    pipe = write_run(tmp_path / "vit") / name
    pipe.parent.mkdir(exist_ok=True)
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    outcome = command("report", "vit", "--out=page.html")
    assert (outcome.code, outcome.error.count("\n")) == (code, int(code > 0))


@pytest.mark.parametrize("place", [["--out=pages/page.html"], ["--site=pages"]])
def test_stop_leaves_no_temporary_file(
    command: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: list[str]
) -> None:
    write_run(tmp_path / "vit")
    replace = Path.replace

    def stop(path: Path, target: Path) -> Path:
        signal.raise_signal(signal.SIGTERM)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", stop)
    outcome = command("report", "vit", *place)
    assert (outcome.code, list((tmp_path / "pages").iterdir())) == (143, [])
    assert outcome.error.startswith("mkbench: stopped by SIGTERM")
