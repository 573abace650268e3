"""Small whole files of every kind that is read, each with what reads it, and the ways in which a test spoils them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import result_documents
from described_heads import ask_head, head_run
from group_rows import row, write_rows
from hypothesis import strategies as st
from packed_images import write_names, write_tar
from PIL import Image
from published_runs import TABLE, reproduction, write_run
from report_runs import write_regions

from mkbench.cli.bench_config import list_jobs, read_config
from mkbench.cli.lost_results import open_runs
from mkbench.cli.main import main
from mkbench.concepts import load_bank
from mkbench.datamodules import WebDataset
from mkbench.datamodules.boxes import read_boxes
from mkbench.datamodules.class_names import label_positions, read_class_names
from mkbench.datamodules.image_files import read_image
from mkbench.datamodules.listed_source import read_lines
from mkbench.datamodules.sample_subset import read_sample_ids
from mkbench.errors import MkbenchError
from mkbench.heads.labels import read_labels
from mkbench.report.head_cards import read_head_cards
from mkbench.report.part_overlay import read_overlay
from mkbench.runs.finished_runs import Run, require_whole
from mkbench.runs.group_files import GroupRecord, log_group, read_group
from mkbench.runs.manifest import read_manifest
from mkbench.runs.ownership import LOCK, read_owner
from mkbench.runs.run_folder import group_path
from mkbench.studies.head_labels.study import read_text_shares
from mkbench.studies.reproduction.published import FOLDER, read_table
from mkbench.text_files import parse_json, parse_yaml

#: What has broken readers before.
TOKENS = (b"[" * 3000, b"{", b'"', b"\x00", b"\xff\xfe", b"NaN", b"1e999", b"-1", b"9" * 400, b"null", b"\n", b"\r")
TOKENS += (
    b"../../../etc/passwd",
    b"=1+1",
    b"\t",
    b": ",
    b"- ",
    b"&a [*a]",
    b"!!python/name:os.system ",
    b"\xe2\x80\xa8",
)
TOKENS += (b"\\ud800", b",", b"{}", b"7fffffffffffffff", b"\x7f" * 8)
_PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)

Edit = tuple[str, int, bytes]
bytes_edits = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "replace", "truncate", "repeat"]),
        st.integers(0, 2**20),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6)),
    ),
    min_size=1,
    max_size=3,
)
_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=8), st.just("a\ud800")
)
json_values = st.recursive(
    _leaves, lambda one: st.one_of(st.lists(one, max_size=3), st.dictionaries(st.text(max_size=5), one)), max_leaves=4
)
#: Place of a node, in any order, and what comes there; "delete" takes it away.
json_edits = st.lists(
    st.tuples(st.integers(0, 2**16), st.one_of(st.just("delete"), json_values)), min_size=1, max_size=2
)


def spoil_bytes(content: bytes, edits: list[Edit]) -> bytes:
    """Apply edits one after the other."""
    for kind, number, token in edits:
        place = number % (len(content) + 1)
        before, after = content[:place], content[place:]
        if kind == "flip" and after:
            after = bytes([after[0] ^ (1 << number % 8)]) + after[1:]
        content = {
            "cut": before + after[1 + len(token) :],
            "insert": before + token + after,
            "replace": before + token + after[len(token) :],
            "truncate": before,
            "repeat": before + after[:64] + after,
        }.get(kind, before + after)
    return content


def _nodes(content: Any) -> Iterator[tuple[Any, Any]]:
    """All places within a JSON document: what holds them, and their key there."""
    for key in list(content) if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ():
        yield content, key
        yield from _nodes(content[key])


def spoil_json(content: bytes, edits: list[tuple[int, Any]]) -> bytes:
    """Replace or take away entries of a JSON document."""
    document = json.loads(content)
    for number, value in edits:
        nodes = list(_nodes(document))
        if not nodes:
            break
        holder, key = nodes[number % len(nodes)]
        if value == "delete":
            del holder[key]
        else:
            holder[key] = value
    return json.dumps(document).encode()


@dataclass(frozen=True)
class Target:
    """A file and its reader.

    Attributes:
        name: what is read, for the report.
        make: writes whole files to a folder, and returns the one to spoil.
        read: reads it; raises MkbenchError, or returns anything.
        is_json: the file is JSON, so that its entries are spoilt too.
        weight: share of all cases; commands take longer than readers.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    is_json: bool = False
    weight: float = 1.0


def _text(name: str, content: str | bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder / name

    return make


def _image(kind: str) -> Callable[[Path], Path]:
    file = io.BytesIO()
    Image.fromarray(_PIXELS).save(file, format=kind)
    return _text(f"a.{kind.lower()}", file.getvalue())


def _run_file(name: str) -> Callable[[Path], Path]:
    """Write a run with two groups of one image each, and return one of its files."""

    def make(folder: Path) -> Path:
        results = reproduction("ViT-B/16")
        results["curves"] = {"mutual_information": {"pca": [1.0, 0.0]}}
        run = write_run(folder / "vit", results)
        keys = ["00000-000", "00001-000"]
        for key in keys:
            write_rows(run, [row(f"{key}.png", [1.0, 0.0])], key=key)
            log_group(run, read_group(group_path(run, key)), images=1)
        shared = {entry: results[entry] for entry in ("schema_version", "system", "model", "data", "settings")}
        groups = {key: [f"{key}.png"] for key in keys}
        (run / "manifest.json").write_text(json.dumps({**shared, "groups": groups}), encoding="utf-8")
        (run / "environment.json").write_text(
            '{"images_per_second": 3.5, "versions": {"torch": "2"}}', encoding="utf-8"
        )
        owner = {"host": "h", "pid": 1, "started": "7", "since": "now"}
        (run / LOCK).write_text(json.dumps(owner), encoding="utf-8")
        return run / name

    return make


def _shard(folder: Path) -> Path:
    content = _image("PNG")(folder).read_bytes()
    members = [(f"{number}.{kind}", data) for number in range(2) for kind, data in (("cls", b"0"), ("png", content))]
    write_names(folder / "names.txt", ["owl", "bat"])
    return write_tar(folder / "a.tar", members)


def _read_shard(path: Path) -> None:
    data = WebDataset(path, class_names=path.with_name("names.txt"))
    for spec in data.specs:
        for sample_id in spec.sample_ids:
            with suppress(MkbenchError):  # an unreadable image of a shard that is fine
                data.source.read(spec.listed_under, sample_id)
        data.content(spec)


def _read_group(path: Path) -> GroupRecord:
    """Read a group whose digest was logged: it is what was written, or refused."""
    found = read_group(path)
    if (path.parent.parent / "groups.log").read_bytes().count(b"blake2b") == 2:
        assert found.rows["sample_id"].to_pylist() == [f"{path.stem}.png"], "other rows than those written"
    return found


def _read_all_groups(path: Path) -> None:
    for key in ("00000-000", "00001-000"):
        _read_group(group_path(path.parent, key))


def _parse(parse: Callable[[str], Any]) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        try:
            return parse(path.read_text(encoding="utf-8"))
        except ValueError as error:  # what these two promise
            raise MkbenchError(str(error)) from error

    return read


def _command(name: str, *words: str, out: str = "--out") -> Callable[[Path], None]:
    """Run a command over the run that holds the file; it ends with one of the codes of a sentence."""

    def call(path: Path) -> None:
        run = next(folder for folder in path.parents if folder.name == "vit")
        assert main([name, str(run), *words, out, str(run.parent / "out")]) in (0, 1, 2, 3)

    return call


def _read_run(path: Path) -> None:
    runs = open_runs([path.parent])
    require_whole(runs)
    runs.metrics()
    runs.samples()


def _read_positions(path: Path) -> Any:
    return label_positions(read_class_names(path))


def _answer(place: Path) -> Path:
    return ask_head(head_run(place / "heads"))


def _read_cards(path: Path) -> Any:
    return read_head_cards(Run(path.parents[1], "heads", result_documents.results(), {}), "run-1", most=1)


def _regions(place: Path) -> Path:
    return write_regions(place / "sample.png", "wings", "a tail")


_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
_BANK = '{"owl": ["round eyes", "wings"], "bat": ["wings", "large ears"]}'
_LABELS = '{"heads": [{"layer": 1, "head": 0, "label": "colour", "texts": ["red"], "fits": [true]}]}'
_TEXTS = '{"heads": [{"layer": 1, "head": 0, "texts": [{"text": "red", "explained_variance": 0.5}]}]}'
_BENCH = (
    "protocol: a.yaml\nmodels:\n  - critters-vit-s\n  - {backbone: b, pretrained: c}\nvariants: {a: {model.seed: 1}}\n"
)
_VERIFY = _command("verify", "--against", TABLE)
_COMPARE = _command("compare")
_REPORT, _SITE = _command("report"), _command("report", out="--site")

TARGETS = (
    Target("bank as JSON", _text("b.json", _BANK), load_bank, is_json=True),
    Target("bank as text", _text("b.txt", "round eyes\n# a remark\nwings\n"), load_bank),
    Target("bank as CSV", _text("b.csv", 'descriptor\n"round, eyes"\nwings\n'), load_bank),
    Target("class names as JSON", _text("n.json", '{"n1": "owl", "n2": "bat"}'), read_class_names, is_json=True),
    Target(
        "class names as lines",
        _text("n.txt", "n1\towl\nn2\tbat\n"),
        lambda path: label_positions(read_class_names(path)),
    ),
    Target("boxes", _text("x.csv", "class,file,x_min,y_min,x_max,y_max\nowl,1.png,0,0,4,4\n"), read_boxes),
    Target("sample ids", _text("s.txt", "owl/1.png\nbat/1.png\n"), read_sample_ids),
    Target("lists", _text("l.txt", "/a/1.jpg 0\n"), lambda path: read_lines(path, advice="restore it")),
    Target("labels of heads", _text("h.json", _LABELS), read_labels, is_json=True),
    Target(
        "published table", _text("t.json", (FOLDER / f"{TABLE}.json").read_bytes()), read_table, is_json=True, weight=2
    ),
    Target("bench", _text("b.yaml", _BENCH), lambda path: list_jobs(read_config(path))),
    Target("JSON", _text("a.json", '{"a": [1, {"b": null}]}'), _parse(parse_json), is_json=True),
    Target("YAML", _text("a.yaml", "a: [1, {b: ~}]\nc: &x [1]\nd: *x\n"), _parse(parse_yaml)),
    Target("results", _run_file("results.json"), _read_run, is_json=True, weight=4),
    Target("manifest", _run_file("manifest.json"), _read_run, is_json=True, weight=2),
    Target("manifest alone", _run_file("manifest.json"), lambda path: read_manifest(path.parent), is_json=True),
    Target("environment", _run_file("environment.json"), _read_run, is_json=True),
    Target("texts of heads", _text("heads.json", _TEXTS), lambda path: read_text_shares(path.parent), is_json=True),
    Target("answer of a head", _answer, _read_cards, is_json=True),
    Target("parts of a figure", _regions, lambda path: read_overlay(path, width=500, height=250), is_json=True),
    Target("lock", _run_file(LOCK), lambda path: read_owner(path.parent), is_json=True),
    Target("group", _run_file("groups/00000-000.parquet"), _read_group, weight=3),
    Target("log of groups", _run_file("groups.log"), _read_all_groups),
    *(
        Target(f"image {kind}", _image(kind), read_image)
        for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
    ),
    Target("shard", _shard, _read_shard, weight=2),
    Target("verify with spoilt results", _run_file("results.json"), _VERIFY, is_json=True, weight=1),
    Target("verify with a spoilt manifest", _run_file("manifest.json"), _VERIFY, is_json=True, weight=0.5),
    Target("compare with spoilt results", _run_file("results.json"), _COMPARE, is_json=True, weight=0.4),
    Target("compare with a spoilt manifest", _run_file("manifest.json"), _COMPARE, is_json=True, weight=0.2),
    Target("compare with a spoilt group", _run_file("groups/00000-000.parquet"), _COMPARE, weight=0.2),
    Target("report with spoilt results", _run_file("results.json"), _REPORT, is_json=True, weight=0.3),
    Target("report with a spoilt manifest", _run_file("manifest.json"), _REPORT, is_json=True, weight=0.1),
    Target("site with spoilt results", _run_file("results.json"), _SITE, is_json=True, weight=0.3),
    Target("site with a spoilt manifest", _run_file("manifest.json"), _SITE, is_json=True, weight=0.2),
)
