from __future__ import annotations

import base64
import io
import json
import re

from asked_models import InventedRun, explain
from PIL import Image
from torch import zeros

from mkbench.report.app.shown_answer import ShownAnswer, show_answer, show_explanation


def files(shown: ShownAnswer) -> dict[str, bytes]:
    """The files to download, by name."""
    links = re.findall(r'<a download="([^"]+)" href="data:[\w/]+;base64,([^"]+)"', shown.to_html())
    return {name: base64.b64decode(content) for name, content in links}


def test_an_answer_of_heads_with_its_files() -> None:
    shown = show_answer(InventedRun().image_neighbors(image="a", head=(3, 1), top=2, similarity="dot"))
    found = files(shown)
    stem = next(iter(found)).removesuffix(".png")
    assert stem.startswith("image-neighbors_3-1_")
    assert set(found) == {f"{stem}.png", f"{stem}.csv", f"{stem}.json"}
    with Image.open(io.BytesIO(found[f"{stem}.png"])) as figure:
        assert figure.format == "PNG"
    assert found[f"{stem}.csv"].decode() == "image,rank,dot\nowl/1.png,1,0.5000\nowl/2.png,2,0.2500\n"
    content = json.loads(found[f"{stem}.json"])
    assert [one["score"] for one in content["result"]["neighbors"]] == [0.5, 0.25]
    assert (content["schema_version"], content["analysis"]) == (1, "image-neighbors")


def test_an_explained_image_with_its_files() -> None:
    shown = show_explanation(explain(zeros(3, 16, 16)), "My Owl <1>.PNG")
    found = files(shown)
    assert set(found) == {f"mutual-knowledge_my-owl-1-png.{suffix}" for suffix in ("png", "csv", "json")}
    assert found["mutual-knowledge_my-owl-1-png.csv"].decode() == (
        "descriptor,importance,named_by_text\n<i>wings</i>,0.875,yes\n"
    )
    result = json.loads(found["mutual-knowledge_my-owl-1-png.json"])["result"]
    assert result["chance_auc"] is None
    assert (result["mutual_information"], result["auc"], result["kept"]) == (1.5, 0.75, 1)
    assert "Predicted: owl. MI 1.50, AUC 0.75, in nats; 1 of 1 concepts stay" in shown.sentence


def test_what_users_and_models_say_stays_text() -> None:
    for shown in (
        show_answer(InventedRun().image_neighbors(image="a", head=(3, 1), top=2, similarity="dot")),
        show_explanation(explain(zeros(3, 16, 16)), "<b>colour</b>"),
    ):
        text = shown.to_html()
        assert "<b>" not in text
        assert "<i>" not in text
        assert "&lt;b&gt;colour" in text


def test_nothing_of_an_answer_is_loaded_from_elsewhere() -> None:
    text = show_explanation(explain(zeros(3, 16, 16)), "owl").to_html()
    assert {address.partition(":")[0] for address in re.findall(r'(?:src|href)="([^"]+)', text)} == {"data"}
