from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from chat_server import SECRET, ChatServer, Request, Response, completion, failure
from safetensors.torch import load_file
from torch.nn import functional as F
from toy_data import CONFIGS

from mkbench import load_backbone
from mkbench.cli.commands import heads as command
from mkbench.cli.main import main
from mkbench.concepts import bank_embeddings, class_embeddings, load_bank
from mkbench.datamodules import Critters
from mkbench.heads import Decomposer, textspan
from mkbench.heads.labels import LanguageModelJudge, LanguageModelLabeller, read_labels
from mkbench.language_models import Endpoint
from mkbench.runs.finished_runs import read_runs
from mkbench.studies.reproduction.published import load_published
from mkbench.studies.reproduction.study import verify

POOL = command._packaged("critters-test", "descriptions")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A run of the tiny model over four images each of three kinds of critters."""
    folder = tmp_path_factory.mktemp("finished")
    words = [
        "predict",
        f"--config={CONFIGS / 'critters' / 'heads.yaml'}",
        f"--model.backbone=local-dir:{tiny_model}",
        "--data.images_per_class=4",
        "--data.limit_classes=3",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
    ]
    assert main([*words, f"--results.root={folder}"]) == 0
    return folder / "tiny"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A finished run that a test may change, where `command` looks for it."""
    return Path(shutil.copytree(finished, tmp_path / "runs" / "tiny"))


def metrics_of(outcome: Any) -> dict[str, Any]:
    return {metric["name"]: metric for metric in outcome.results()["metrics"]}


def test_results_gain_what_the_heads_say(command: Callable[..., Any], run: Path) -> None:
    before = json.loads((run / "results.json").read_text())
    outcome = command("heads", run)
    assert (outcome.code, outcome.error) == (0, "")
    after = outcome.results()
    for name in ("model", "data", "class_names", "schema_version"):
        assert after[name] == before[name]
    assert after["metrics"][:2] == before["metrics"]
    assert {"entanglement", "association", "association_shuffled", "ccs@5", "ccs_high"} <= set(metrics_of(outcome))
    assert metrics_of(outcome)["association"]["n"] == 4  # two layers of two heads
    assert {control["metric"] for control in after["controls"]} == {"association", "concept_consistency"}
    assert after["settings"]["labeller"]["name"] == "bank"
    assert after["settings"]["pool"]["name"] == "critters-descriptions.json"
    assert (after["settings"]["span"], after["settings"]["rank"]) == ("weights", None)
    assert set(after["fallbacks"]) == {"text", "labels", "judgements"}
    assert "Heads of" in outcome.output
    assert "association" in outcome.output


@pytest.mark.parametrize("unit", [True, False], ids=["unit embeddings", "raw"])
def test_texts_and_accuracies_are_those_of_the_functions(
    command: Callable[..., Any], run: Path, tiny_model: Path, unit: bool
) -> None:
    outcome = command("heads", run, "--num-texts=6", *([] if unit else ["--no-normalise"]))
    backbone = load_backbone(f"local-dir:{tiny_model}")
    assert POOL is not None
    pool = load_bank(POOL).descriptors
    stored = [load_file(path) for path in sorted(run.glob("contributions/*"))]
    terms = {name: torch.cat([each[name] for each in stored]) for name in stored[0]}
    if unit:
        lengths = terms["embedding"].norm(dim=-1)
        terms = {name: value / lengths.view(-1, *[1] * (value.ndim - 1)) for name, value in terms.items()}
    decomposer = Decomposer(backbone)
    bases = torch.cat([decomposer.basis(layer) for layer in (0, 1)])
    per_head = terms["heads"].flatten(1, 2).transpose(0, 1)
    span = textspan(per_head, bank_embeddings(backbone, pool, "{}"), num_texts=6, basis=bases)
    heads = json.loads((run / "heads.json").read_text())["heads"]
    assert [(head["layer"], head["head"]) for head in heads] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    for head, indices, shares in zip(heads, span.indices.tolist(), span.explained_variance.tolist(), strict=True):
        assert [text["text"] for text in head["texts"]] == [pool[index] for index in indices]
        assert [text["explained_variance"] for text in head["texts"]] == pytest.approx(shares, abs=1e-5)
    data = Critters(images_per_class=4, limit_classes=3)
    classes = class_embeddings(backbone, data.class_names, data.templates)
    others = (terms["mlp"].sum(1) + terms["initial"] + terms["rest"]).mean(0) + terms["constant"]
    labels = torch.arange(3).repeat_interleave(4)
    for name, kept in (("top1_mean_ablated", per_head), ("top1_reconstructed", span.reconstruction)):
        predicted = (F.normalize(kept.sum(0) + others, dim=-1) @ classes.T).argmax(dim=1)
        assert metrics_of(outcome)[name]["value"] == pytest.approx((predicted == labels).double().mean().item())
        assert metrics_of(outcome)[name]["n"] == 12


def test_calling_again_changes_nothing_and_other_options_replace(command: Callable[..., Any], run: Path) -> None:
    names = ("results.json", "heads.json", "labels.json")
    command("heads", run)
    before = [(run / name).read_bytes() for name in names]
    first = metrics_of(command("heads", run))
    assert [(run / name).read_bytes() for name in names] == before
    again = command("heads", run, "--shuffles=0", "--threshold=1", "--span=data", "--rank=3")
    metrics = again.results()["metrics"]
    assert len({metric["name"] for metric in metrics}) == len(metrics)
    assert not any(metric["name"].endswith("_shuffled") for metric in metrics)
    assert again.results()["controls"] == []
    settings = again.results()["settings"]
    assert (settings["span"], settings["rank"], settings["threshold"], settings["num_layers"]) == ("data", 3, 1, 2)
    assert metrics_of(again)["top1"] == first["top1"]


def test_labels_of_a_file_are_scored_without_a_model_of_them(
    command: Callable[..., Any], run: Path, tmp_path: Path
) -> None:
    first = metrics_of(command("heads", run))
    (run / "labels.json").rename(tmp_path / "mine.json")
    outcome = command("heads", run, "--labeller=file", "--judge=file", "--labels=mine.json")
    assert outcome.code == 0
    scored = metrics_of(outcome)
    for name in ("entanglement", "association", "concept_consistency", "ccs_high"):
        assert scored[name] == first[name]
    labels = [
        [head.label.label for head in read_labels(path).heads] for path in (run / "labels.json", Path("mine.json"))
    ]
    assert labels[0] == labels[1]
    settings = outcome.results()["settings"]
    assert settings["labeller"]["name"] == settings["judge"]["name"] == "file"


def test_run_goes_on_without_metrics_of_fewer_images(command: Callable[..., Any], run: Path) -> None:
    command("heads", run)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["results"]["root"] = "runs"
    Path("again.yaml").write_text(yaml.safe_dump(config))
    (run / "groups" / "00001-000.parquet").unlink()
    assert command("heads", run).code == 2  # not finished
    assert command("predict", "--config=again.yaml").code == 0
    outcome = command("heads", run)
    assert outcome.code == 0
    assert metrics_of(outcome)["top1_reconstructed"]["n"] == 12


@pytest.mark.parametrize("name", ["heads-entanglement", "heads-consistency"])
def test_settings_lie_where_published_tables_look_for_them(command: Callable[..., Any], run: Path, name: str) -> None:
    outcome = command("heads", run, "--span=data")
    table = load_published(name)
    for path in table.requires:
        found: Any = outcome.results()
        for part in path.split("."):
            assert part in found, path
            found = found[part]
    reasons = {reason for cell in verify(table, read_runs([run])).cells for reason in cell.reasons}
    # Twelve images bound the rank of the span.
    assert {"rank 12, published with 80", "num_layers 2, published with 4"} <= reasons
    assert not any(reason.startswith(("span", "num_label_texts", "precision")) for reason in reasons)


def test_several_runs_end_in_one_table(command: Callable[..., Any], run: Path) -> None:
    shutil.copytree(run, run.with_name("other"))
    outcome = command("heads", run.parent)
    assert outcome.code == 0
    assert outcome.output.count("Heads of") == 2
    assert "entanglement ↓" in (run.parent / "heads.md").read_text(encoding="utf-8")
    assert (run.parent / "heads.csv").read_text().count("\n") == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num-texts=4"], "Expected --num-texts of 5 or more, found 4."),
        (["--rank=5"], "Expected --rank of 1 or more, beside --span data alone, found 5."),
        (["--span=data", "--rank=13"], "Expected --rank of at most 12 for 12 images and embeddings of width 32"),
        (["--labeller=file"], "Expected --labels beside --labeller or --judge file, found none; give it."),
        (["--judge=llm"], "Expected --llm beside --labeller or --judge llm, found none; give it."),
        (["--llm=gpt"], "Expected --labeller or --judge llm beside --llm, found neither; give one of them."),
        (["--labels=a.json"], "Expected --labeller or --judge file beside --labels, found neither"),
        (
            ["--labeller=file", "--judge=file", "--labels=a.json", "--properties=b.txt"],
            "Expected no --properties, found one; neither --labeller nor --judge compares with a list.",
        ),
        (
            ["--pool=none.txt"],
            "Expected a concept bank (.json, .txt, .csv or .tsv) at none.txt, found no readable file",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(
    command: Callable[..., Any], run: Path, options: list[str], message: str
) -> None:
    before = (run / "results.json").read_bytes()
    outcome = command("heads", run, *options)
    assert (outcome.code, outcome.output) == (2, "")
    assert outcome.error.startswith(f"mkbench: {message}")
    assert (run / "results.json").read_bytes() == before


def test_language_model_is_asked_where_the_options_say() -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ["--labeller=llm", "--judge=llm", "--llm=llama", "--base-url=http://localhost:1/v1"]
    labeller, judge = command.choose_labels(parser.parse_args(["run", *words, "--api-key-variable=MY_KEY"]), None)
    assert isinstance(labeller, LanguageModelLabeller)
    assert isinstance(judge, LanguageModelJudge)
    expected = Endpoint("llama", base_url="http://localhost:1/v1", api_key_variable="MY_KEY")
    assert labeller.endpoint == judge.endpoint == expected
    assert labeller.settings()["name"] == judge.settings()["name"] == "language model"  # as published tables want it


def answer(request: Request) -> Response:
    """Judges the property that it names, and knows three of five texts to fit."""
    judged = "Property: size" in request.prompt
    return completion('{"fits": [true, true, true, false, false]}' if judged else '{"label": "Sizes"}')


def llm_words(server: ChatServer) -> list[str]:
    words = ["--labeller=llm", "--judge=llm", "--llm=toy", f"--base-url={server.url}"]
    return [*words, "--api-key-variable=TEST_KEY", "--shuffles=0"]


def test_language_model_labels_and_judges(command: Callable[..., Any], run: Path, server: ChatServer) -> None:
    pytest.importorskip("openai")
    server.respond = answer
    outcome = command("heads", run, *llm_words(server))
    assert outcome.code == 0
    metrics = metrics_of(outcome)
    # Four heads of one label: three have it from an earlier one; three texts of five are enough to fit.
    values = {name: metrics[name]["value"] for name in ("entanglement", "association", "ccs@3")}
    assert values == {"entanglement": 0.75, "association": 1.0, "ccs@3": 1.0}
    assert len(server.requests) == 8
    document = read_labels(run / "labels.json")
    assert [head.label.label for head in document.heads] == ["size"] * 4
    assert {head.label.source.model for head in document.heads} == {"toy"}
    written = b"".join(path.read_bytes() for path in run.rglob("*.json*"))
    assert SECRET.encode() not in written
    server.requests.clear()
    before = (run / "results.json").read_bytes()
    assert command("heads", run, *llm_words(server)).code == 0  # from the answers that are kept
    assert (server.requests, (run / "results.json").read_bytes()) == ([], before)


def test_language_model_that_lets_nobody_in_changes_nothing(
    command: Callable[..., Any], run: Path, server: ChatServer
) -> None:
    pytest.importorskip("openai")
    server.respond = lambda request: failure(401, "bad key")
    before = (run / "results.json").read_bytes()
    outcome = command("heads", run, *llm_words(server))
    assert outcome.code == 2
    assert "mkbench: Expected" in outcome.error
    assert ((run / "results.json").read_bytes(), (run / "labels.json").exists()) == (before, False)


def test_other_data_needs_a_pool(command: Callable[..., Any], run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    results["data"]["name"] = "imagenet-val"
    (run / "results.json").write_text(json.dumps(results))
    outcome = command("heads", run)
    assert outcome.code == 2
    assert "Expected --pool FILE with general descriptions of images for imagenet-val" in outcome.error
    texts = [f"a {colour} {thing}" for colour in ("red", "blue") for thing in ("sky", "tail", "wing")]
    Path("pool.txt").write_text("\n".join(texts))
    outcome = command("heads", run, "--pool=pool.txt")
    assert outcome.code == 0
    assert outcome.results()["settings"]["pool"]["size"] == 6


def test_other_weights_are_refused(command: Callable[..., Any], run: Path, other_weights: Path) -> None:
    config = run / "config.yaml"
    content = yaml.safe_load(config.read_text())
    content["model"]["init_args"]["backbone"] = f"local-dir:{other_weights}"
    config.write_text(yaml.safe_dump(content))
    outcome = command("heads", run)
    assert outcome.code == 1
    assert "with the weights that" in outcome.error
    assert "found others; restore them" in outcome.error


def test_other_runs_are_refused(command: Callable[..., Any], predict_words: list[str], tmp_path: Path) -> None:
    run = command(*predict_words).run
    outcome = command("heads", run)
    assert outcome.code == 2
    assert "run of mkbench.systems.HeadDecomposition, found one of MutualKnowledge" in outcome.error
    outcome = command("heads", tmp_path / "nothing")
    assert outcome.code == 2
    assert "found none at" in outcome.error
