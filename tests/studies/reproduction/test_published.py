import json

import pytest

from mkbench.backbones import model_entries
from mkbench.baselines import HEADS
from mkbench.concepts.descriptions import DESCRIPTION_TEMPLATE
from mkbench.errors import UsageError
from mkbench.language_models.descriptor_questions import prompt_names
from mkbench.studies.reproduction.published import (
    FOLDER,
    load_published,
    published_line,
    published_names,
    with_columns,
    with_tolerances,
)

TEMPLATES = json.loads((FOLDER.parent / "templates.json").read_text())
IMAGES = {"imagenet": 50_000, "places365": 36_500, "food101": 25_250}
SETS = {"table3": "imagenet", "places365": "places365", "food101": "food101"}


@pytest.mark.parametrize("name", published_names())
def test_every_table_is_whole(name):
    table = load_published(name)
    assert set(table.rows) <= {entry.label for entry in model_entries()}
    assert all(row and set(row) <= set(table.columns) for row in table.rows.values())
    assert all(column.tolerance > 0 and column.scale > 0 for column in table.columns.values())
    paths = {path for column in table.columns.values() for path in table.requirements(column)}
    assert {path.split(".")[0] for path in paths} <= {"data", "model", "settings"}
    assert table.source
    assert table.data_names
    assert (FOLDER / f"{name}.json").is_file()


@pytest.mark.parametrize("stem", SETS)
def test_tables_of_mutual_knowledge(stem):
    table = load_published(f"mutual-knowledge-{stem}")
    assert set(table.rows) <= {entry.label for entry in model_entries() if "mutual-knowledge-table3" in entry.sets}
    assert all(set(row) == set(table.columns) and 0 < row["top1"] < 100 for row in table.rows.values())
    assert {key: column.tolerance for key, column in table.columns.items()} == {
        key: 0.3 if key == "top1" else 0.05 for key in table.columns
    }
    data = SETS[stem]
    assert (table.images, table.requires["data.templates"]) == (IMAGES[data], TEMPLATES[data])
    assert table.requires_of_explainers["settings.explainers.{explainer}.pool"] == 500


def test_numbers_of_table_3():
    # Three rows as printed in the paper.
    rows = load_published("mutual-knowledge-table3").rows
    assert len(rows) == 13
    assert list(rows["ViT-B/32"].values()) == [61.66, 7.40, 7.26, 3.61, 3.39]
    assert list(rows["RN-50x16"].values()) == [70.04, 7.51, 7.63, 3.85, 4.03]
    assert list(rows["CNeXt-B2"].values()) == [71.22, 7.16, 7.56, 3.19, 3.74]


def test_numbers_of_table_2():
    # Both ends as printed in the paper, whose base has the classes' own descriptors.
    table = load_published("mutual-knowledge-table2")
    assert len(table.rows) == 8
    assert list(table.rows["RN-50"].values()) == [59.54, 61.85]
    assert list(table.rows["ViT-L/14@336"].values()) == [75.49, 77.64]
    assert {column.metric for column in table.columns.values()} == {"top1_descriptors", "top1_mined"}
    assert table.requires["settings.template"] == DESCRIPTION_TEMPLATE
    assert table.requires["data.templates"] == TEMPLATES["imagenet"]


def test_numbers_of_table_1():
    # Both ends as printed in the paper; its areas are sums over the steps.
    table = load_published("mutual-knowledge-table1")
    (row,) = table.rows.values()
    assert list(row.values())[:4] == [3.147, 3.385, 2.634, 1.013]
    assert list(row.values())[-4:] == [2.422, 3.122, 1.555, 1.781]
    assert {column.metric for column in table.columns.values()} == {
        f"{stem}_sum" for stem in ("deletion", "insertion", "accuracy_drop", "accuracy_increase")
    }
    assert {column.explainer for column in table.columns.values()} == {
        *("mm-cbm", "mm-protosim", "feature-maps"),
        *("pca", "kmeans"),
    }
    assert "scale" in table.note
    # Trained explainers have no pool of descriptors.
    pools = {key for key, column in table.columns.items() if any("pool" in path for path in table.requirements(column))}
    assert pools == {key for key in row if key.endswith(("_pca", "_kmeans"))}


def test_numbers_of_table_5():
    table = load_published("mutual-knowledge-table5")
    assert list(table.rows["ViT-B/16"].values()) == [73.36, 71.95, 77.88, 78.79, 92.75, 94.96, 95.43, 65.76, 83.84]
    assert list(table.rows) == ["ViT-B/16"]
    compared = [key for key, column in table.columns.items() if not column.not_comparable]
    assert compared == ["lf_cbm", "mm_cbm", "mm_protosim", "mm_cbm_top5", "mm_protosim_top5"]
    assert "MLP on vision features" in table.columns["standard"].not_comparable
    assert {column.explainer for column in table.columns.values()} <= set(HEADS)
    assert table.requirements(table.columns["lf_cbm"])["settings.heads.lf-cbm.training.batch_size"] == 64


def test_numbers_of_the_banks():
    # Both ends as printed in the paper: top-1, top-5, InterDiv, IntraDiv of eight pairs.
    table = load_published("mutual-knowledge-banks")
    (row,) = table.rows.values()
    assert len(row) == 8 * 4
    assert list(row.values())[:4] == [67.93, 91.45, 0.345, 0.206]
    assert list(row.values())[-4:] == [68.40, 91.68, 0.236, 0.159]
    assert table.requires["settings.template"] == DESCRIPTION_TEMPLATE
    assert row["p1_gpt_3_5_top1"] == load_published("mutual-knowledge-table2").rows["ViT-B/16"]["base"]
    prompts = {name for key, column in table.columns.items() for name in column.requires["data.bank.prompts"]}
    assert prompts == set(prompt_names())
    compared = {column.metric for column in table.columns.values() if not column.not_comparable}
    assert compared == {"top1_descriptors", "top5_descriptors"}


def test_numbers_of_the_ablations():
    table = load_published("mutual-knowledge-ablations")
    assert {model: len(row) for model, row in table.rows.items()} == {
        **dict.fromkeys(("ViT-B/32", "ViT-L/14", "RN-50", "RN-101"), 4),
        "ViT-B/16": 6 + 4 + 4,
        "ViT-L/14@336": 4,
    }
    row = table.rows["ViT-B/16"]
    assert (row["corloc_tokens_gdc"], row["entropy_without_kmeans"], row["crf"]) == (55.8, 1.7, 64.32)
    table3 = load_published("mutual-knowledge-table3").rows
    assert all(row["base"] == table3[model]["top1"] for model, row in table.rows.items() if "base" in row)


def test_variants_are_told_apart_by_what_they_require():
    table = load_published("mutual-knowledge-ablations")
    variants = {key: table.variant(column) for key, column in table.columns.items()}
    assert all(set(variant) <= set(table.requirements(table.columns[key])) for key, variant in variants.items())
    assert variants["corloc_keys_pca"] == {
        **{"settings.features": "keys", "settings.saliency": "pca", "settings.refine": "crf"}
    }
    assert variants["entropy_without_pca"]["settings.explainers.pca.transport"] is False
    assert not [path for variant in variants.values() for path in variant if "{" in path]
    table3 = load_published("mutual-knowledge-table3")
    assert table3.variant(table3.columns["auc_pca"]) == {}


@pytest.mark.parametrize("name", ["heads-entanglement", "heads-consistency"])
def test_tables_of_heads(name):
    table = load_published(name)
    assert set(table.rows) <= {entry.label for entry in model_entries() if "heads" in entry.sets}
    assert all(set(row) == set(table.columns) for row in table.rows.values())
    assert {column.explainer for column in table.columns.values()} == {None}
    # A judgement of two heads of the smaller models is a match, one of three is not.
    heads = 48 if name == "heads-entanglement" else 1
    assert all(2 / heads <= column.tolerance < 3 / heads for column in table.columns.values())


def test_numbers_of_heads():
    # As printed: shares of 48 heads (ViT-B) or 64 (ViT-L), cut off after three places.
    rows = load_published("heads-entanglement").rows
    assert len(rows) == 4
    assert list(rows["ViT-B-16 laion2b_s34b_b88k"].values()) == [0.541, 0.166]
    for model, row in rows.items():
        heads = 48 if "-B" in model else 64
        assert all(int(round(share * heads) / heads * 1000) == round(share * 1000) for share in row.values())
    rows = load_published("heads-consistency").rows
    assert len(rows) == 6
    assert list(rows["ViT-L-14 laion2b_s32b_b82k"].values()) == [21, 14, 3]


@pytest.mark.parametrize("name", ["mutual-knowledge-places365", "mutual-knowledge-food101"])
def test_columns_without_a_named_explainer_do_not_compare(name):
    columns = load_published(name).columns
    assert {key for key, column in columns.items() if column.not_comparable} == {"mi", "auc"}


def test_requirements_of_a_column():
    table = load_published("mutual-knowledge-table3")
    assert set(table.requirements(table.columns["top1"])) == {"data.resize", "data.templates", "model.precision"}
    needed = table.requirements(table.columns["mi_kmeans"])
    assert needed["settings.estimator"] == "paper"
    assert needed["settings.explainers.kmeans.topk"] == 3
    assert not [path for path in needed if "pca" in path or "{" in path]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("table3", "known are heads-consistency, .*mutual-knowledge-table3, "),
        ("../templates", "known are heads-consistency, "),
        ("", "known are heads-consistency, "),
        ("mutual-knowledge-tabel3", "did you mean mutual-knowledge-table3"),
    ],
)
def test_unknown_table_is_answered_by_the_nearest_or_the_known(name, advice):
    with pytest.raises(UsageError, match=rf"^Expected a published table, found '{name}'; {advice}"):
        load_published(name)


def test_unknown_names_list_the_known():
    table = load_published("mutual-knowledge-table3")
    known = "top1, mi, auc, mi_pca, mi_kmeans, auc_pca, auc_kmeans"
    with pytest.raises(UsageError, match=f"tolerance for one of {known}, found 'acc'"):
        with_tolerances(table, {"auc": 0.1, "acc": 0.1})
    with pytest.raises(UsageError, match=r"columns out of top1, mi_pca, .*auc_kmeans, found 'auc'"):
        with_columns(table, ["auc"])


def test_columns_stay_in_the_order_of_the_table():
    assert list(with_columns(load_published("mutual-knowledge-table3"), ["auc_pca", "top1"]).columns) == [
        "top1",
        "auc_pca",
    ]


def test_line_belongs_to_its_data_set():
    assert published_line("imagenet-val").family == "ViT"
    assert published_line("places365-val") is None
