from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mkbench.cli.bench_config import list_jobs, read_config
from mkbench.errors import UsageError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2", "Expected YAML in .*wrong.yaml, found something else"),
        ("models: [a]\n", "to have the entries `protocol` and `models`, and none .*, found models"),
        ("protocol: a.yaml\nmodels: [a]\nmodles: [b]\n", "found protocol, models, modles"),
        ("protocol: a.yaml\nmodels: [a]\nvariants: [b]\n", "`variants` .* to map different names to options such as"),
        ("protocol: a.yaml\nmodels: [a]\nvariants: {b c: {}, 'b, c': {}}\n", "to map different names"),
        (
            "protocol: a.yaml\nmodels: [a]\nvariants: {b: {models: 3}}\n",
            "to be a list of names or a set of models, found 3",
        ),
        ("protocol: a.yaml\nmodels: [a]\ntrain: b.yaml\n", "`train` .* to map configurations to options"),
        ("- a\n", "found list"),
        ("protocol: a.yaml\nmodels: []\n", "to be a list of names"),
        ("protocol: a.yaml\nmodels: 3\n", "to be a list of names or a set of models, found 3"),
        (
            "protocol: a.yaml\nmodels: tiny\n",
            "name of a set of models, found 'tiny'; known are .*mutual-knowledge",
        ),
        ("protocol: a.yaml\nmodels: [{pretrained: openai}]\n", "a name or a mapping with `backbone`"),
        ("protocol: a.yaml\nmodels: [3]\n", "a name or a mapping with `backbone`"),
    ],
)
def test_wrong_configuration_is_explained(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "wrong.yaml").write_text(content)
    with pytest.raises(UsageError, match=message):
        read_config(tmp_path / "wrong.yaml")


def test_missing_configuration(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Expected a bench configuration at .*, found none; check --config"):
        read_config(tmp_path / "none.yaml")


def test_protocol_lies_beside_the_bench(tmp_path: Path) -> None:
    (tmp_path / "bench.yaml").write_text("protocol: p.yaml\nmodels: [a, {backbone: b, pretrained: c}]\n")
    config = read_config(tmp_path / "bench.yaml")
    assert config.protocol == tmp_path / "p.yaml"
    assert config.models == ({"backbone": "a"}, {"backbone": "b", "pretrained": "c"})


def test_variant_may_have_models_of_its_own(tmp_path: Path) -> None:
    variants = {"plain": {}, "keys": {"models": ["b", {"backbone": "c", "pretrained": "d"}], "model.features": "keys"}}
    content = {"protocol": "p.yaml", "models": ["a"], "variants": variants}
    (tmp_path / "bench.yaml").write_text(yaml.safe_dump(content))
    jobs = list_jobs(read_config(tmp_path / "bench.yaml"))
    assert {(job.folder, job.model["backbone"]) for job in jobs} == {("plain", "a"), ("keys", "b"), ("keys", "c")}
    assert not any(word.startswith("--models") for job in jobs for word in job.words)
    (keys,) = [job for job in jobs if job.model["backbone"] == "c"]
    assert keys.words[2:] == ("--model.backbone=c", "--model.pretrained=d", "--model.features=keys")


def test_models_may_be_a_named_set(tmp_path: Path) -> None:
    (tmp_path / "bench.yaml").write_text("protocol: p.yaml\nmodels: mutual-knowledge-table3\n")
    models = [model["backbone"] for model in read_config(tmp_path / "bench.yaml").models]
    assert (len(models), models[0]) == (13, "vit-b-32-openai")
