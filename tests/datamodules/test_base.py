import json
import pickle
import warnings

import lightning as L
import pytest
import torch
from PIL import Image

from mkbench.datamodules import Critters, ImageFolder
from mkbench.datamodules.base import ClassGroupDataModule, load_templates, require_at_least
from mkbench.errors import DataError, UsageError


class Recorder(L.LightningModule):
    """A system that only notes what it is fed."""

    def __init__(self, geometry=None):
        super().__init__()
        if geometry is not None:
            self.geometry = geometry
        self.groups = []

    def predict_step(self, batch, batch_index):
        self.groups.append(batch)
        return batch.key


def predict(data, system, tmp_path):
    trainer = L.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    with warnings.catch_warnings():
        # Lightning advises on worker counts and on loaders without a batch; both are on purpose here.
        warnings.filterwarnings("ignore", message=".*(does not have many workers|DataLoader` across ranks is zero)")
        # A class that torch is about to retire, used inside Lightning.
        warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
        trainer.predict(system, datamodule=data, return_predictions=False)
    return system.groups


def make_folder(tmp_path):
    for number, name in enumerate(("ant", "bat", "cat")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for place in range(3):
            Image.new("RGB", (9, 7), (50 * number, 40 * place, 7)).save(tmp_path / "data" / name / f"{place}.png")
    (tmp_path / "data" / "bat" / "9.png").write_bytes(b"")
    return tmp_path / "data"


def summary(groups):
    return [(g.key, g.sample_ids, g.unreadable, g.images.tolist()) for g in groups]


def test_trainer_is_fed_every_group_whatever_the_workers(tmp_path, geometry):
    root = make_folder(tmp_path)
    fed = [
        summary(predict(ImageFolder(root, group_size=2, num_workers=workers), Recorder(geometry), tmp_path))
        for workers in (0, 2)
    ]
    assert fed[0] == fed[1]
    keys = [key for key, *_ in fed[0]]
    assert keys == ["00000-000", "00000-001", "00001-000", "00001-001", "00002-000", "00002-001"]
    assert [ids for _, ids, *_ in fed[0]][2:4] == [("bat/0.png", "bat/1.png"), ("bat/2.png",)]
    assert "bat/9.png" in fed[0][3][2][0]


def test_finished_groups_are_left_out(tmp_path, geometry):
    data = ImageFolder(make_folder(tmp_path), num_workers=0)
    data.finished = frozenset({"00001-000", "00000-000"})
    assert [group.key for group in predict(data, Recorder(geometry), tmp_path)] == ["00002-000"]
    assert len(data.specs) == 3


def test_nothing_left_to_do(tmp_path, geometry):
    data = ImageFolder(make_folder(tmp_path), num_workers=2)
    data.finished = {spec.key for spec in data.specs}
    assert predict(data, Recorder(geometry), tmp_path) == []


def test_system_without_geometry(tmp_path):
    message = "Expected a system with a `geometry` .*, found Recorder without; choose a system"
    with pytest.raises(UsageError, match=message):
        predict(ImageFolder(make_folder(tmp_path)), Recorder(), tmp_path)
    with pytest.raises(UsageError, match="found NoneType without"):
        ImageFolder(tmp_path / "data").predict_dataloader()


def test_source_must_be_named():
    with pytest.raises(TypeError, match="make_source"):
        ClassGroupDataModule()


def test_limits(tmp_path):
    root = make_folder(tmp_path)
    data = ImageFolder(root, limit_classes=2, limit_images_per_class=1)
    assert [spec.sample_ids for spec in data.specs] == [("ant/0.png",), ("bat/0.png",)]
    assert data.class_names == ("ant", "bat", "cat")
    assert len(ImageFolder(root, limit_classes=9).specs) == 3


def test_limits_that_leave_nothing(tmp_path):
    (tmp_path / "samples.txt").write_text("cat/0.png\n")
    data = ImageFolder(make_folder(tmp_path), samples=tmp_path / "samples.txt", limit_classes=2)
    with pytest.raises(DataError, match=r"images of the first 2 classes, found none; raise --data\.limit_classes or"):
        data.specs  # noqa: B018


@pytest.mark.parametrize("option", ["limit_classes", "limit_images_per_class", "group_size"])
@pytest.mark.parametrize("value", [0, -1])
def test_limits_below_one(tmp_path, option, value):
    with pytest.raises(UsageError, match=rf"Expected --data\.{option} to be at least 1, found {value}; give a larger"):
        ImageFolder(tmp_path, **{option: value})


def test_negative_worker_count(tmp_path):
    with pytest.raises(UsageError, match=r"--data\.num_workers to be at least 0, found -1"):
        ImageFolder(tmp_path, num_workers=-1)


def test_require_at_least_includes_the_bound():
    require_at_least(2, "group_size", 2)
    require_at_least(2, "group_size", None)
    with pytest.raises(UsageError, match="found 1"):
        require_at_least(2, "group_size", 1)


@pytest.mark.parametrize("name", ["default", "critters", "imagenet", "places365", "food101"])
def test_packaged_templates(name):
    templates = load_templates(name)
    assert templates
    assert all(template.count("{}") == 1 for template in templates)


def test_own_templates():
    assert load_templates(["{}", "my {}"]) == ("{}", "my {}")


def test_unknown_template_set():
    with pytest.raises(UsageError, match=r"--data\.templates to be one of .*imagenet.*, found 'a {}'; .* as a list"):
        load_templates("a {}")


@pytest.mark.parametrize("templates", [["a photo"], ["a {}", "{} or {}"], ["a {name}"], ["{} of {c}"]])
def test_templates_without_a_place_for_the_name(templates):
    with pytest.raises(UsageError, match=r"^Expected --data\.templates to hold \{\} exactly once and no other braces"):
        load_templates(templates)


def test_no_template():
    with pytest.raises(UsageError, match=r"at least one prompt template, found none; correct --data\.templates"):
        load_templates([])


def test_bank(tmp_path):
    root = make_folder(tmp_path)
    (tmp_path / "bank.json").write_text(json.dumps({"ant": ["six legs", "feelers"], "bat": ["wings"]}))
    assert ImageFolder(root, bank=tmp_path / "bank.json").bank.descriptors == ("six legs", "feelers", "wings")
    with pytest.raises(UsageError, match=r"Expected a concept bank, found none; give .*--data\.bank FILE"):
        ImageFolder(root).bank  # noqa: B018


def test_description_changes_with_what_makes_results_incomparable(tmp_path):
    root = make_folder(tmp_path)
    (tmp_path / "bank.txt").write_text("wings\nfur\n")
    (tmp_path / "names.txt").write_text("army ant\nbat\ncat\n")

    def describe(**options):
        return ImageFolder(root, bank=tmp_path / "bank.txt", **options).describe()

    plain = describe()
    assert plain == describe()
    assert plain["name"] == "data"
    assert (plain["classes"], plain["class_list"], plain["bank"]["size"]) == (3, 3, 2)
    assert json.loads(json.dumps(plain)) == plain
    changes = [
        {"class_names": tmp_path / "names.txt"},
        {"limit_classes": 2},
        {"templates": "default"},
        {"group_size": 2},
        {"limit_images_per_class": 2},
        {"resize": "model"},
    ]
    assert all(describe(**change) != plain for change in changes)
    assert describe(num_workers=0, on_bad_image="raise") == plain


def test_a_data_set_can_be_sent_to_worker_processes(geometry):
    # Platforms without fork pickle what they send.
    data = Critters(images_per_class=1, limit_classes=1)
    here = data.dataset(geometry, data.specs)
    there = pickle.loads(pickle.dumps(here))
    assert torch.equal(here[0].images, there[0].images)
