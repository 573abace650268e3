"""The options of the DataModules on the command line: listed, described, checked and kept."""

import inspect
from typing import get_type_hints

import pytest
import yaml
from jsonargparse import ArgumentError, ArgumentParser

from mkbench import datamodules
from mkbench.datamodules import ClassGroupDataModule
from mkbench.datamodules.options import OwnImageOptions

REQUIRED = {
    "ImageFolder": {"root": "images"},
    "ImageNet": {"root": "images"},
    "Places365": {"root": "images"},
    "Food101": {"root": "images"},
    "UnlabelledFolder": {"root": "images"},
    "HuggingFace": {"path": "images"},
    "WebDataset": {"shards": "0.tar"},
    "Critters": {},
}
SHARED = {name: parameter.default for name, parameter in inspect.signature(ClassGroupDataModule).parameters.items()}
#: What a DataModule sets itself and so does not offer.
OWN = {"Critters": {"bank"}, "UnlabelledFolder": {"limit_classes", "limit_images_per_class"}}


def parse(name, **options):
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(ClassGroupDataModule, "data")
    words = [f"--data={datamodules.__name__}.{name}"]
    parsed = parser.parse_args(words + [f"--data.{key}={value}" for key, value in (REQUIRED[name] | options).items()])
    return parser, parsed


def test_every_data_module_is_here():
    known = {name for name in datamodules.__all__ if isinstance(getattr(datamodules, name), type)}
    assert known - {"ClassGroup", "ClassGroupDataModule"} == set(REQUIRED)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_saved_configuration_lists_every_value(name):
    parser, parsed = parse(name, num_workers=7)
    saved = yaml.safe_load(parser.dump(parsed, skip_none=False))["data"]["init_args"]
    expected = SHARED.keys() - OWN.get(name, set())
    assert expected <= saved.keys()
    assert not OWN.get(name, set()) & saved.keys()
    assert saved["num_workers"] == 7
    for option in expected - {"templates", "group_size", "num_workers"}:  # these have defaults of their own
        assert saved[option] == SHARED[option]


@pytest.mark.parametrize("name", REQUIRED)
def test_misspelt_options_are_refused(name):
    with pytest.raises(ArgumentError, match="limit_clases"):
        parse(name, limit_clases=3)
    with pytest.raises(TypeError, match="limit_clases"):
        getattr(datamodules, name)(**REQUIRED[name], limit_clases=3)


@pytest.mark.parametrize("name", REQUIRED)
def test_every_option_is_described(name, capsys):
    parser = ArgumentParser()
    parser.add_subclass_arguments(ClassGroupDataModule, "data")
    with pytest.raises(SystemExit):
        parser.parse_args([f"--data.help={datamodules.__name__}.{name}"])
    listed = " ".join(capsys.readouterr().out.split())
    for option in SHARED.keys() - OWN.get(name, set()):
        assert f"--data.{option}" in listed
    assert "processes that decode images; 0 decodes in the process of the model." in listed
    assert "most pixels of an image file" in listed


def test_the_options_of_type_checkers_are_those_of_the_constructor():
    typed = get_type_hints(OwnImageOptions)
    assert typed.keys() - {"exif_orientation"} == SHARED.keys()
    for name, parameter in inspect.signature(ClassGroupDataModule).parameters.items():
        assert typed[name] == parameter.annotation


def test_orientation_is_an_option_of_own_images_alone():
    turned = {name for name in REQUIRED if "exif_orientation" in parse(name)[1].data.init_args}
    assert turned == {"ImageFolder", "UnlabelledFolder", "HuggingFace", "WebDataset"}
