from importlib import resources
from pathlib import Path

import open_clip
import pytest
import torch
from data_trees import write_devkit, write_imagenet
from scipy.io import savemat

from mkbench.cli.main import main
from mkbench.datamodules import ImageFolder, ImageNet
from mkbench.datamodules import imagenet as module
from mkbench.datamodules.imagenet_classes import load_imagenet_classes
from mkbench.errors import DataError, UsageError
from mkbench.runs.results import read_results

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "imagenet.yaml"
PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "data" / "images" / "imagenet-24x5"
BAT, EEL, OWL, YAK = WNIDS = ["n00000011", "n00000012", "n00000021", "n00000022"]
#: Images 1 to 7; those of a class do not follow each other.
GROUND_TRUTH = [OWL, BAT, YAK, OWL, EEL, BAT, OWL]


@pytest.fixture
def few_classes(monkeypatch):
    """A class list of four instead of the packaged one."""
    names = dict(zip(WNIDS, ("bat", "eel", "owl", "yak"), strict=True))
    monkeypatch.setattr(module, "load_imagenet_classes", lambda: names)


def test_packaged_classes_are_those_of_the_published_lists():
    wnids = (resources.files("timm") / "data" / "_info" / "imagenet_synsets.txt").read_text().split()
    classes = load_imagenet_classes()
    assert list(classes) == wnids == sorted(wnids)
    assert list(classes.values()) == list(open_clip.IMAGENET_CLASSNAMES)
    # Two words with two meanings each show that neither list is shifted against the other.
    assert (classes["n02012849"], classes["n03126707"]) == ("crane bird", "construction crane")
    assert (classes["n03710637"], classes["n03710721"]) == ("tights", "one-piece bathing suit")


def test_templates_are_the_eight_published_ones():
    assert ImageNet(Path("data")).templates == (
        "itap of a {}.",
        "a bad photo of the {}.",
        "a origami {}.",
        "a photo of the large {}.",
        "a {} in a video game.",
        "art of the {}.",
        "a photo of the small {}.",
        "a photo of a {}.",
    )


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.usefixtures("few_classes")
def test_order_and_ids(tmp_path, flat):
    data = ImageNet(write_imagenet(tmp_path / "data", GROUND_TRUTH, flat=flat))
    assert data.name == "imagenet-val"
    assert data.class_names == ("bat", "eel", "owl", "yak")
    assert [(spec.key, spec.sample_ids) for spec in data.specs] == [
        ("00000-000", (f"{BAT}/ILSVRC2012_val_00000002.JPEG", f"{BAT}/ILSVRC2012_val_00000006.JPEG")),
        ("00001-000", (f"{EEL}/ILSVRC2012_val_00000005.JPEG",)),
        ("00002-000", tuple(f"{OWL}/ILSVRC2012_val_0000000{i}.JPEG" for i in (1, 4, 7))),
        ("00003-000", (f"{YAK}/ILSVRC2012_val_00000003.JPEG",)),
    ]


@pytest.mark.usefixtures("few_classes")
def test_both_layouts_feed_the_same_groups(tmp_path, geometry):
    datas = [
        ImageNet(write_imagenet(tmp_path / str(flat), GROUND_TRUTH, flat=flat), group_size=2) for flat in (False, True)
    ]
    folders, flat = ([data.dataset(geometry, data.specs)[i] for i in range(5)] for data in datas)
    for one, other in zip(folders, flat, strict=True):
        assert (one.key, one.sample_ids, one.unreadable) == (other.key, other.sample_ids, ())
        assert torch.equal(one.images, other.images)
    assert len({group.images.float().mean().item() for group in folders}) == 5  # no image stands in for another


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.usefixtures("few_classes")
def test_root_may_be_the_folder_of_images_itself(tmp_path, flat):
    root = write_imagenet(tmp_path / "data", GROUND_TRUTH, flat=flat)
    above = [spec.sample_ids for spec in ImageNet(root).specs]
    inside = ImageNet(root / "val", devkit=root / "ILSVRC2012_devkit_t12" if flat else None)
    assert [spec.sample_ids for spec in inside.specs] == above


@pytest.mark.usefixtures("few_classes")
def test_ids_are_those_of_a_plain_folder_of_class_folders(tmp_path):
    root = write_imagenet(tmp_path / "data", GROUND_TRUTH)
    assert [spec.sample_ids for spec in ImageFolder(root / "val").specs] == [s.sample_ids for s in ImageNet(root).specs]


@pytest.mark.usefixtures("few_classes")
def test_other_files_beside_the_images_do_not_matter(tmp_path):
    for flat in (False, True):
        root = write_imagenet(tmp_path / str(flat), GROUND_TRUTH, flat=flat)
        (root / "val" / ".cache").mkdir()
        (root / "val" / "valprep.sh").touch()
        (root / "train").mkdir()
        assert sum(len(spec.sample_ids) for spec in ImageNet(root).specs) == 7


@pytest.mark.usefixtures("few_classes")
def test_names_are_replaced_and_the_order_stays(tmp_path):
    root = write_imagenet(tmp_path / "data", GROUND_TRUTH)
    names = tmp_path / "names.tsv"
    names.write_text(f"{YAK}\tgrunting ox\n{BAT}\tflittermouse\n{OWL}\towl\n{EEL}\teel\n")
    data = ImageNet(root, class_names=names)
    assert data.class_names == ("flittermouse", "eel", "owl", "grunting ox")
    assert data.specs[3].sample_ids == (f"{YAK}/ILSVRC2012_val_00000003.JPEG",)
    names.write_text("flittermouse\neel\n")
    with pytest.raises(DataError, match=r"each of the 4 class folders, found 2 names in .*names\.tsv"):
        ImageNet(root, class_names=names).specs  # noqa: B018
    with pytest.raises(UsageError, match="Expected a file of class names"):
        ImageNet(root, class_names=tmp_path / "absent").specs  # noqa: B018


@pytest.mark.usefixtures("few_classes")
def test_samples_name_images_of_either_layout(tmp_path):
    chosen = tmp_path / "samples.txt"
    chosen.write_text(f"{OWL}/ILSVRC2012_val_00000004.JPEG\n")
    for flat in (False, True):
        data = ImageNet(write_imagenet(tmp_path / str(flat), GROUND_TRUTH, flat=flat), samples=chosen)
        assert [(spec.class_index, spec.sample_ids) for spec in data.specs] == [
            (2, (f"{OWL}/ILSVRC2012_val_00000004.JPEG",))
        ]


def test_missing_root(tmp_path):
    with pytest.raises(DataError, match=r"folder of ImageNet at .*absent, found nothing; check --data\.root"):
        ImageNet(tmp_path / "absent").specs  # noqa: B018
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="found a file; check"):
        ImageNet(tmp_path / "file").specs  # noqa: B018


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], "neither, but an empty folder"),
        (["cat/", "dog/"], "neither, but cat, dog"),
        (["n99999999/"], "neither, but n99999999"),
        (["val_1.JPEG", "ILSVRC2012_val_1.JPEG"], "neither, but ILSVRC2012_val_1.JPEG, val_1.JPEG"),
        (["ILSVRC2012_val_00000001.JPEG", f"{BAT}/"], "both"),
    ],
)
@pytest.mark.usefixtures("few_classes")
def test_other_layouts(tmp_path, entries, found):
    for entry in entries:
        (tmp_path / entry).mkdir() if entry.endswith("/") else (tmp_path / entry).touch()
    message = (
        r"to hold either a folder for each WordNet id \(n00000011, \.\.\.\) or the images "
        rf"ILSVRC2012_val_00000001\.JPEG and so on, found {found}; check --data\.root"
    )
    with pytest.raises(DataError, match=message):
        ImageNet(tmp_path).specs  # noqa: B018


@pytest.mark.usefixtures("few_classes")
def test_folder_of_another_synset(tmp_path):
    root = write_imagenet(tmp_path, GROUND_TRUTH)
    (root / "val" / "n99999999").mkdir()
    with pytest.raises(
        DataError, match=r"only folders named by the 4 WordNet ids of .*, found n99999999; move them elsewhere"
    ):
        ImageNet(root).specs  # noqa: B018


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.usefixtures("few_classes")
def test_classes_without_images(tmp_path, flat):
    root = write_imagenet(tmp_path, [OWL, YAK, OWL], flat=flat, wnids=WNIDS)
    if not flat:
        (root / "val" / EEL).mkdir()  # an empty folder is no better than none
    message = (
        r"images of all 4 classes in .*val, found none of n00000011, n00000012; add them, or .*missing_classes true"
    )
    with pytest.raises(DataError, match=message):
        ImageNet(root, limit_classes=1).specs  # noqa: B018
    data = ImageNet(root, allow_missing_classes=True)
    assert [spec.key for spec in data.specs] == ["00002-000", "00003-000"]
    assert data.class_names == ("bat", "eel", "owl", "yak")


def test_one_folder_of_a_thousand_is_missing(tmp_path):
    wnids = list(load_imagenet_classes())
    for wnid in wnids[:417] + wnids[418:]:
        (tmp_path / wnid).mkdir()
        (tmp_path / wnid / "1.JPEG").touch()
    with pytest.raises(DataError, match=rf"images of all 1000 classes in .*, found none of {wnids[417]}; add"):
        ImageNet(tmp_path).specs  # noqa: B018
    data = ImageNet(tmp_path, allow_missing_classes=True)
    assert (len(data.specs), len(data.class_names)) == (999, 1000)


@pytest.mark.parametrize("file", ["meta.mat", "ILSVRC2012_validation_ground_truth.txt"])
@pytest.mark.usefixtures("few_classes")
def test_missing_devkit(tmp_path, file):
    root = write_imagenet(tmp_path, GROUND_TRUTH, flat=True)
    (root / "ILSVRC2012_devkit_t12" / "data" / file).unlink()
    message = (
        rf"Expected a file .*ILSVRC2012_devkit_t12.data.{file}, found none; unpack ILSVRC2012_devkit_t12\.tar\.gz so "
        r"that the file lies there, or name the unpacked folder with --data\.devkit"
    )
    with pytest.raises(DataError, match=message):
        ImageNet(root).specs  # noqa: B018


def damage_bytes(meta):
    whole = meta.read_bytes()
    meta.write_bytes(whole[: len(whole) // 2])


def damage_contents(meta):
    savemat(meta, {"synsets": 3.0})


def damage_names(meta):
    savemat(meta, {"classes": ["bat"]})


def damage_all(meta):
    meta.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_bytes, damage_contents, damage_names, damage_all])
@pytest.mark.usefixtures("few_classes")
def test_damaged_devkit(tmp_path, damage):
    root = write_imagenet(tmp_path, GROUND_TRUTH, flat=True)
    damage(root / "ILSVRC2012_devkit_t12" / "data" / "meta.mat")
    with pytest.raises(
        DataError, match=r"synsets of the development kit in .*meta\.mat, found a damaged or .* \(\w+: .*\); unpack"
    ):
        ImageNet(root).specs  # noqa: B018


@pytest.mark.usefixtures("few_classes")
def test_devkit_of_other_classes(tmp_path):
    root = write_imagenet(tmp_path, [BAT, OWL], flat=True, wnids=[BAT, OWL, "n99999999", EEL])
    message = (
        r"the 4 classes of .*meta\.mat, found 4 that are not the same \(different are n00000022, n99999999\); unpack"
    )
    with pytest.raises(DataError, match=message):
        ImageNet(root).specs  # noqa: B018


@pytest.mark.parametrize("line", ["5", "0", "-1", "owl"])
@pytest.mark.usefixtures("few_classes")
def test_ground_truth_that_is_none(tmp_path, line):
    root = write_imagenet(tmp_path, GROUND_TRUTH, flat=True)
    ground_truth = root / "ILSVRC2012_devkit_t12" / "data" / "ILSVRC2012_validation_ground_truth.txt"
    ground_truth.write_text(f"1\n{line}\n")
    with pytest.raises(
        DataError, match=rf"number of a class \(1 to 4\) on each line of .*truth\.txt, found {line}; rest"
    ):
        ImageNet(root).specs  # noqa: B018


@pytest.mark.usefixtures("few_classes")
def test_ground_truth_of_another_length(tmp_path):
    root = write_imagenet(tmp_path / "data", GROUND_TRUTH, flat=True)
    longer = write_devkit(tmp_path / "longer", WNIDS, [*GROUND_TRUTH, BAT])
    message = r"Expected the images 1 to 8, .*longer, found 7 in .*val \(numbers 1 to 7\); unpack the whole"
    with pytest.raises(DataError, match=message):
        ImageNet(root, devkit=longer).specs  # noqa: B018
    (root / "val" / "ILSVRC2012_val_00000003.JPEG").rename(root / "val" / "ILSVRC2012_val_00000008.JPEG")
    with pytest.raises(DataError, match=r"Expected the images 1 to 7, .*, found 7 in .*val \(numbers 1 to 8\)"):
        ImageNet(root).specs  # noqa: B018


def test_predict_gives_the_same_results_in_both_layouts(tmp_path, write_bank, capsys):
    # Two images of each of the first two classes, the rest as the class list wants it.
    wnids = list(load_imagenet_classes())
    words = [
        "predict",
        f"--config={CONFIG}",
        "--model.backbone=critters-vit-s",
        "--model.num_language_concepts=5",
        "--model.explainers=null",
        "--model.pool=6",
        f"--data.bank={write_bank()}",
        "--data.allow_missing_classes=true",
        "--data.limit_classes=2",
        "--data.num_workers=0",
        "--trainer.accelerator=cpu",
        "--progress.enabled=false",
        "--figures.samples=0",
    ]
    found = []
    for flat in (False, True):
        root = write_imagenet(tmp_path / f"flat-{flat}", [wnids[i] for i in (1, 0, 9, 0, 1)], flat=flat, wnids=wnids)
        code = main([*words, f"--data.root={root}", f"--results.root={tmp_path / f'runs-{flat}'}"])
        assert (code, capsys.readouterr().err) == (0, "")
        found.append(read_results(tmp_path / f"runs-{flat}" / "critters-vit-s"))
    assert found[0] == found[1]
    assert (found[0]["data"]["name"], found[0]["data"]["images"], found[0]["data"]["classes"]) == ("imagenet-val", 4, 2)
    (top1,) = (metric for metric in found[0]["metrics"] if metric["name"] == "top1")
    assert top1["n"] == 4
    assert top1["value"] in {0, 0.25, 0.5, 0.75, 1}


@pytest.mark.skipif(not PHOTOGRAPHS.exists(), reason="needs ../shared/data, which may not be shipped")
def test_photographs(geometry):
    data = ImageNet(PHOTOGRAPHS, allow_missing_classes=True, on_bad_image="raise")
    assert len(data.specs) == 24
    group = data.dataset(geometry, data.specs)[5]
    assert group.images.shape == (5, 3, 16, 16)
    assert list(load_imagenet_classes())[group.class_index] == group.sample_ids[0].split("/")[0]


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.usefixtures("few_classes")
def test_boxes_belong_to_images_in_both_layouts(tmp_path, flat):
    root = write_imagenet(tmp_path / "data", GROUND_TRUTH, flat=flat)
    header = "class,file,x_min,y_min,x_max,y_max\n"
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(f"{header}{OWL},ILSVRC2012_val_00000001.JPEG,1,2,9,6\n")
    data = ImageNet(root, boxes=boxes)
    ids = data.source.sample_ids(2)
    assert data.source.ground_truth(2, ids[0]).boxes.tolist() == [[1, 2, 9, 6]]
    assert data.source.ground_truth(2, ids[1]).boxes.shape == (0, 4)
    boxes.write_text(f"{header}{BAT},ILSVRC2012_val_00000001.JPEG,1,2,9,6\n")
    with pytest.raises(DataError, match=rf"to name images below .*, found 1 of 1 that are not there \(such as '{BAT}/"):
        _ = ImageNet(root, boxes=boxes).source


@pytest.mark.usefixtures("few_classes")
def test_results_tell_runs_with_other_boxes_apart(tmp_path, write_bank):
    root, bank = write_imagenet(tmp_path / "data", GROUND_TRUTH), write_bank()
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(f"class,file,x_min,y_min,x_max,y_max\n{OWL},ILSVRC2012_val_00000001.JPEG,1,2,9,6\n")
    described = ImageNet(root, bank=bank, boxes=boxes).describe()
    assert len(described.pop("boxes_sha256")) == 64
    assert described == ImageNet(root, bank=bank).describe()
