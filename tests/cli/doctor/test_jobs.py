from __future__ import annotations

from pathlib import Path

import pytest
from toy_data import CONFIGS

from mkbench.cli.doctor.jobs import figures_of, find_jobs, needed_descriptors
from mkbench.errors import UsageError

PROTOCOL = CONFIGS / "critters" / "mutual_knowledge.yaml"


def test_a_configuration_of_predict_is_one_subject() -> None:
    (job,) = find_jobs(PROTOCOL, ["--data.limit_classes=2"])
    assert job.label is None
    assert job.words == ("--config", str(PROTOCOL), "--data.limit_classes=2")
    cli = job.parse()
    assert cli.config.data.init_args.limit_classes == 2
    assert figures_of(cli) == 4 * 4 + 1  # two explainers and two controls


def test_a_bench_has_a_subject_for_each_model(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(f"protocol: {PROTOCOL}\nmodels: [critters-vit-s, {{backbone: RN50, random_weights: true}}]\n")
    first, second = find_jobs(path, ["--model.pool=9"])
    assert (first.label, second.label) == ("critters-vit-s", "RN50")
    assert second.words == (
        "--config",
        str(PROTOCOL),
        "--model.pool=9",
        "--model.backbone=RN50",
        "--model.random_weights=true",
    )
    settings = second.parse().config.model.init_args
    assert (settings.backbone, settings.random_weights, settings.pool) == ("RN50", True, 9)


def test_a_bench_has_a_subject_for_each_variant(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    variants = "{keys: {model.features: keys}, small: {data.limit_classes: 3, data.templates: ['a {}.']}}"
    path.write_text(f"protocol: {PROTOCOL}\nmodels: [critters-vit-s, critters-vit-m]\nvariants: {variants}\n")
    jobs = find_jobs(path, [])
    assert [job.label for job in jobs] == [
        "critters-vit-s (keys)",
        "critters-vit-m (keys)",
        "critters-vit-s (small)",
        "critters-vit-m (small)",
    ]
    assert jobs[1].parse().config.model.init_args.features == "keys"
    data = jobs[3].parse().config.data.init_args
    assert (data.limit_classes, data.templates) == (3, ["a {}."])


def test_a_damaged_bench_is_the_users(tmp_path: Path) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text("protocol: a.yaml\n")
    with pytest.raises(UsageError, match="the entries `protocol` and `models`"):
        find_jobs(path, [])


@pytest.mark.parametrize("content", ["[1, 2", "- a\n", None])
def test_what_is_no_bench_is_left_to_predict(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "wrong.yaml"
    if content is not None:
        path.write_text(content)
    (job,) = find_jobs(path, [])
    with pytest.raises(UsageError, match=r"wrong\.yaml|Unexpected config|Problems parsing"):
        job.parse()


def test_descriptors_that_the_settings_ask_for() -> None:
    explainers = [
        {"class_path": "mkbench.concepts.PartsExplainer", "init_args": {"pool": 20}},
        {"class_path": "mkbench.concepts.PartsExplainer", "init_args": {"pool": 30}},
        {"class_path": "toy_classes.WholeForeground", "init_args": {"topk": 3}},
        {"class_path": "toy_classes.WholeForeground"},
    ]
    settings = {"num_language_concepts": 5, "pool": 500, "explainers": explainers}
    assert needed_descriptors(settings) == {"--model.num_language_concepts": 5, "--model.pool": 30}
    assert needed_descriptors({**settings, "explainers": explainers[2:]}) == {"--model.num_language_concepts": 5}
    explainers[1] = {"class_path": "mkbench.concepts.PartsExplainer", "init_args": {"pool": None}}  # that of the run
    assert needed_descriptors(settings) == {"--model.num_language_concepts": 5, "--model.pool": 500}
    assert needed_descriptors({}) == {}
