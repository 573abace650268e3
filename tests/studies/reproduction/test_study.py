from pathlib import Path

import pytest
from published_runs import TABLE, reproduction, shift, without

from mkbench.runs.finished_runs import Run
from mkbench.studies.reproduction.published import load_published, with_tolerances
from mkbench.studies.reproduction.study import verify

TABLE_1, TABLE_5 = "mutual-knowledge-table1", "mutual-knowledge-table5"
ABLATIONS, BANKS = "mutual-knowledge-ablations", "mutual-knowledge-banks"
PLACES = "mutual-knowledge-places365"
ANALYSIS = {"mi_pca", "mi_kmeans", "auc_pca", "auc_kmeans"}


def _verify(*documents, table=TABLE, **tolerances):
    runs = [Run(Path(f"run{i}"), document["model"]["label"], document, {}) for i, document in enumerate(documents)]
    return verify(with_tolerances(load_published(table), tolerances), runs)


def test_every_published_row_matches_itself():
    table = load_published(TABLE)
    verification = _verify(*(reproduction(model) for model in table.rows))
    assert verification.counts == {"match": 65, "mismatch": 0, "not comparable": 0, "not run": 0}
    assert verification.verified(complete=True)
    assert [cell.column for cell in verification.cells[:5]] == list(table.columns)


@pytest.mark.parametrize("table", ["heads-entanglement", "heads-consistency"])
def test_tables_of_heads_match_themselves_if_a_language_model_gave_the_labels(table):
    models = load_published(table).rows
    verification = _verify(*(reproduction(model, table) for model in models), table=table)
    assert verification.verified(complete=True)
    (cell, *_) = _verify(reproduction("ViT-B/32", table, settings__labeller__name="bank"), table=table).cells
    assert cell.reasons == ("labeller.name bank, published with language model",)


def test_table_of_explanations_by_baselines_matches_itself():
    verification = _verify(reproduction("ViT-B/16", TABLE_1), table=TABLE_1)
    assert verification.verified(complete=True)
    assert len(verification.cells) == len(load_published(TABLE_1).columns)


def test_accuracies_of_baselines_match_themselves_but_the_mlp():
    verification = _verify(reproduction("ViT-B/16", TABLE_5), table=TABLE_5)
    assert verification.counts == {"match": 5, "mismatch": 0, "not comparable": 4, "not run": 0}
    other = {cell.column for cell in verification.cells if cell.verdict != "match"}
    assert other == {"standard", "standard_top5", "labeller_all", "labeller_top10"}


def test_banks_are_told_apart_by_prompt_and_language_model():
    columns = [f"p2_gpt_4o_mini_{name}" for name in ("top1", "top5")]
    verification = _verify(reproduction("ViT-B/16", BANKS, columns=columns), table=BANKS)
    assert {cell.column: cell.verdict for cell in verification.cells} == {
        **dict.fromkeys(columns, "match"),
        **{f"p2_gpt_4o_mini_{name}": "not comparable" for name in ("interdiv", "intradiv")},
    }
    other = reproduction("ViT-B/16", BANKS, columns=columns, data__bank__prompts=["P5"])
    assert {cell.verdict for cell in _verify(other, table=BANKS).cells} == {"not comparable"}


def test_faithfulness_is_compared_on_the_scale_of_sums():
    # A fifth of the sum is the mean over five steps: no match, though it is of the same curve.
    run = shift(reproduction("ViT-B/16", TABLE_1), "deletion_sum", "pca", -2.46 * 4 / 5)
    verification = _verify(run, table=TABLE_1)
    (cell,) = [cell for cell in verification.cells if cell.verdict == "mismatch"]
    assert (cell.column, cell.published) == ("deletion_pca", 2.46)
    run = reproduction("ViT-B/16", TABLE_1, settings__features="keys")
    assert {cell.reasons for cell in _verify(run, table=TABLE_1).cells} == {("features keys, published with tokens",)}


def test_trained_explainer_that_is_missing_costs_its_columns_alone():
    run = reproduction("ViT-B/16", TABLE_1)
    run["metrics"] = [metric for metric in run["metrics"] if metric["explainer"] != "mm-cbm"]
    del run["settings"]["explainers"]["mm-cbm"]
    verification = _verify(run, table=TABLE_1)
    assert verification.counts == {"match": 16, "mismatch": 0, "not comparable": 4, "not run": 0}
    assert verification.cells[0].reasons == (
        "num_parts unknown, published with 5",
        'prompts unknown, published with ["ring", "grey", "blur"]',
        "no deletion_sum of mm-cbm in the results",
    )


def test_accuracy_of_a_baseline_that_was_trained_otherwise():
    run = reproduction("ViT-B/16", TABLE_5)
    run["settings"]["heads"]["mm-cbm"]["training"]["learning_rate"] = [1e-3, 1e-4]
    run["settings"]["heads"]["lf-cbm"]["data"]["limit_images_per_class"] = 50
    run = shift(run, "top1", "mm-protosim", -0.02)
    cells = {cell.column: cell for cell in _verify(run, table=TABLE_5).cells}
    verdicts = ["not comparable", "not comparable", "mismatch"]
    assert [cells[key].verdict for key in ("lf_cbm", "mm_cbm", "mm_protosim")] == verdicts
    assert cells["lf_cbm"].reasons == ("heads.lf-cbm.data.limit_images_per_class 50, published with none",)
    assert cells["mm_cbm"].reasons == ("other heads.mm-cbm.training.learning_rate than published",)


def variant_of(model, *columns):
    return reproduction(model, ABLATIONS, columns=columns)


def test_variants_are_compared_with_their_own_columns_alone():
    runs = [variant_of("ViT-B/16", "corloc_keys_gdc"), variant_of("ViT-B/16", "base", "nearest")]
    verification = _verify(*runs, table=ABLATIONS)
    assert [cell.column for cell in verification.cells] == ["corloc_keys_gdc", "base", "nearest"]
    assert verification.verified()
    assert not verification.verified(complete=True)
    assert len(verification.not_measured) == 14 - 3
    assert ("ViT-B/16", "components") in verification.not_measured
    assert {model for model, _ in verification.not_measured} == {"ViT-B/16"}


def test_all_variants_of_all_models_are_the_whole_table():
    table = load_published(ABLATIONS)
    runs = [variant_of(model, key) for model, row in table.rows.items() for key in row]
    verification = _verify(*runs, table=ABLATIONS)
    assert (verification.not_run, verification.not_measured) == ((), ())
    # Of what several columns share, such as the foreground of `corloc_tokens_gdc` and `crf`, these runs have one.
    assert {cell.reasons for cell in verification.cells if cell.verdict == "not comparable"} <= {
        (f"no {metric} in the results",) for metric in ("corloc", "kept_region_top1", "top1")
    }
    matched = {(cell.model, cell.column) for cell in verification.cells if cell.verdict == "match"}
    assert len(matched) == sum(len(row) for row in table.rows.values())


def test_variant_that_was_not_published_says_why():
    run = variant_of("RN-50", "crf")
    run["settings"]["features"] = "keys"
    verification = _verify(run, table=ABLATIONS)
    assert len(verification.cells) == 4
    assert verification.cells[3].reasons == ("features keys, published with tokens",)
    assert not verification.verified()


def test_variant_that_differs_is_a_mismatch():
    run = shift(variant_of("ViT-L/14@336", "corloc_tokens_pca"), "corloc", None, 0.02)
    (cell,) = _verify(run, table=ABLATIONS).cells
    assert (cell.verdict, cell.published, round(cell.difference, 6)) == ("mismatch", 30.0, 2.0)


def test_one_number_off_is_one_mismatch():
    verification = _verify(shift(reproduction("ViT-B/16"), "mutual_information_auc", "pca", -0.25))
    (cell,) = [cell for cell in verification.cells if cell.verdict != "match"]
    assert (cell.verdict, cell.column, cell.published, cell.reasons) == ("mismatch", "auc_pca", 3.62, ())
    assert cell.difference == pytest.approx(-0.25)
    assert cell.measured.value == pytest.approx(3.37)
    assert not verification.verified()


@pytest.mark.parametrize(
    ("metric", "explainer", "by", "verdict"),
    [
        # Accuracy is kept as a share: 0.003 is 0.3 points.
        ("top1", None, 0.003, "match"),
        ("top1", None, -0.0031, "mismatch"),
        ("mutual_information", "kmeans", 0.05, "match"),
        ("mutual_information", "kmeans", -0.0501, "mismatch"),
    ],
)
def test_tolerance_is_the_last_match(metric, explainer, by, verdict):
    cells = _verify(shift(reproduction("RN-50"), metric, explainer, by)).cells
    assert [cell.verdict for cell in cells if cell.difference] == [verdict]


def test_tolerance_can_be_changed():
    run = shift(reproduction("ViT-B/16"), "mutual_information_auc", "pca", 0.09)
    run = shift(run, "mutual_information_auc", "kmeans", 0.09)
    verdicts = {name: _verify(run, **{name: 0.1}).counts["mismatch"] for name in ("auc", "auc_pca", "mi", "top1")}
    assert verdicts == {"auc": 0, "auc_pca": 1, "mi": 2, "top1": 2}
    assert _verify(reproduction("ViT-B/16"), auc=0.0).counts["match"] == 5


@pytest.mark.parametrize(
    ("changes", "reason", "columns"),
    [
        ({"data__images": 5_000}, "5,000 of 50,000 images", None),
        ({"data__images": 49_999}, "49,999 of 50,000 images", None),
        ({"data__images": 60_000}, "60,000 images, not 50,000", None),
        ({"data__classes": 10}, "10 of 1,000 classes", None),
        ({"data__name": "critters-test", "data__images": 4}, "data set critters-test, published of imagenet-val", None),
        ({"data__resize": "model"}, "resize model, published with squash", None),
        ({"data__templates": ["a {}"]}, "other templates than published", None),
        ({"model__precision": "bf16"}, "precision bf16, published with 32", None),
        ({"model__random_weights": True}, "random weights", None),
        ({"settings__estimator": "shannon"}, "estimator shannon, published with paper", ANALYSIS),
        ({"settings__condition_on": "true"}, "condition_on true, published with predicted", ANALYSIS),
        ({"settings__num_language_concepts": 15}, "num_language_concepts 15, published with 50", ANALYSIS),
        ({"settings__refine": "none"}, "refine none, published with crf", ANALYSIS),
        ({"data__group_size": 64}, "group_size 64, published with none", ANALYSIS),
        ({"data__bank": {}}, "bank.size unknown, published with 4229", ANALYSIS),
        ({"settings__explainers__pca__pool": 62}, "pool 62, published with 500", {"mi_pca", "auc_pca"}),
        (
            {"settings__explainers__kmeans__prompts": ["ring"]},
            "other prompts than published",
            {"mi_kmeans", "auc_kmeans"},
        ),
        (
            {"settings__explainers__pca__transport": False},
            "transport false, published with true",
            {"mi_pca", "auc_pca"},
        ),
    ],
)
def test_what_does_not_compare_says_why(changes, reason, columns):
    verification = _verify(reproduction("ViT-L/14", **changes))
    other = {cell.column for cell in verification.cells if cell.verdict == "not comparable"}
    assert other == (columns or {"top1", *ANALYSIS})
    for cell in verification.cells:
        assert cell.reasons == ((reason,) if cell.column in other else ())
        assert cell.difference is None or cell.verdict == "match"
        assert cell.measured is not None  # shown all the same
    assert not verification.verified()


def test_all_reasons_are_given():
    cells = _verify(reproduction("ViT-L/14", data__images=9, settings__refine="none")).cells
    assert cells[0].reasons == ("9 of 50,000 images",)
    assert cells[1].reasons == ("9 of 50,000 images", "refine none, published with crf")


def test_model_that_is_not_in_the_table():
    verification = _verify(reproduction("ViT-L/14", model__name="own", model__label="own"))
    assert {cell.reasons for cell in verification.cells} == {("model not in the table",)}
    assert {cell.published for cell in verification.cells} == {None}
    assert len(verification.not_run) == 13


def test_random_weights_keep_their_row():
    name = "vit-l-14-openai (random weights)"
    random = reproduction("ViT-L/14", model__name=name, model__label=name, model__random_weights=True)
    verification = _verify(random)
    assert {cell.reasons for cell in verification.cells} == {("random weights",)}
    assert verification.cells[0].published == 74.77
    assert "ViT-L/14" not in verification.not_run


def test_metric_that_is_absent():
    verification = _verify(without(reproduction("ViT-L/14"), "top1"))
    assert verification.cells[0].reasons == ("no top1 in the results",)
    assert verification.cells[0].measured is None
    verification = _verify(without(reproduction("ViT-L/14"), "mutual_information"))
    assert verification.cells[2].reasons == ("no mutual_information of kmeans in the results",)


def test_runs_are_judged_one_by_one():
    verification = _verify(
        reproduction("ViT-B/32"),
        shift(reproduction("RN-50"), "top1", None, 0.1),
        reproduction("ViT-B/32", settings__estimator="shannon"),
    )
    assert verification.counts == {"match": 10, "mismatch": 1, "not comparable": 4, "not run": 11}
    assert [cell.run for cell in verification.cells[::5]] == ["run0", "run1", "run2"]
    assert "ViT-B/32" not in verification.not_run


def test_models_that_were_not_run_fail_only_where_all_are_asked_for():
    verification = _verify(reproduction("CNeXt-B1"))
    assert verification.verified()
    assert not verification.verified(complete=True)


def test_unnamed_explainers_leave_accuracy_to_compare():
    verification = _verify(reproduction("ViT-B/16-dfn", PLACES), table=PLACES)
    assert [cell.verdict for cell in verification.cells] == ["match", "not comparable", "not comparable"]
    assert verification.cells[2].reasons == (
        "the paper names neither PCA nor K-means here; the measured value is PCA's",
    )
    assert verification.cells[2].measured.value == 2.9


def test_no_run_is_refused():
    with pytest.raises(ValueError, match="at least one run, found none"):
        _verify()
