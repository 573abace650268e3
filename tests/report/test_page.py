from __future__ import annotations

import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from report_runs import HOSTILE, titled, write_figure, write_object, write_regions, write_run

from mkbench.errors import DataError
from mkbench.report.page import write_page
from mkbench.runs.finished_runs import read_runs

#: A figure as runs draw them.
SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "images" / "sample.png"


class Outline(HTMLParser):
    """Tags that were opened and not closed, headings, and elements that lack what a screen reader needs."""

    VOID = frozenset({"meta", "img", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.silent: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in {"h1", "h2", "h3"}:
            self.headings.append(tag)
        self.scripts += tag == "script"
        lacking = (tag == "img" and not named.get("alt")) or (tag == "th" and "scope" not in named)
        if lacking or (tag == "svg" and not (named.get("aria-labelledby") or named.get("aria-label"))):
            self.silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(path: Path) -> Outline:
    parser = Outline()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def page(tmp_path: Path, *runs: Path) -> Path:
    write_page(read_runs(runs), tmp_path / "report.html")
    return tmp_path / "report.html"


def test_page_of_one_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit")
    write_figure(run, title="owl/0.png")
    (run / "config.yaml").write_text("seed_everything: 7\n", encoding="utf-8")
    text = page(tmp_path, run).read_text(encoding="utf-8")
    titles = re.findall(r"<h2[^>]*>([^<]+)", text)
    assert titles == ["Mutual knowledge", "What was run", "Classes", "Images", "Provenance"]
    assert text.count("<svg") == 2
    assert "data:image/webp;base64," in text
    assert "striped wings <span" in text
    assert "seed_everything: 7" in text
    assert f"mkbench predict --config {run.as_posix()}/config.yaml --results.overwrite true" in text
    assert "no foreground, hence no parts" in text


def test_page_of_several_runs(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, name, scale=scale) for name, scale in (("a", 1.0), ("b", 1.5))]
    text = page(tmp_path, *runs).read_text(encoding="utf-8")
    assert "Each model and the next in rank" in text
    assert "<title>mkbench: a, b</title>" in text
    assert text.index("Mutual information while vision concepts are removed") < text.index("Ranks among the models")


def test_every_element_is_closed_and_speaks(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit")
    write_regions(write_figure(run, title="owl/0.png"), "striped wings")
    found = outline(page(tmp_path, run))
    assert found.open == []
    assert found.silent == []
    assert found.headings[0] == "h1"
    assert found.headings.count("h1") == 1


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    """Of classes, descriptors, models, images and settings; the file name of a figure is the run's own."""
    run = write_run(tmp_path / "vit", HOSTILE, classes=(HOSTILE, "bat"), bank=[HOSTILE] * 3)
    write_regions(write_figure(run, title=f"{HOSTILE}/0.png"), HOSTILE)
    write_figure(run, "sample-00001-pca.png", title="bat/1.png")
    (run / "config.yaml").write_text(f"name: '{HOSTILE}'\n", encoding="utf-8")
    found = outline(path := page(tmp_path, run))
    assert (found.open, found.scripts) == ([], 1)
    text = path.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "onerror='" not in text
    assert text.count("</style>") == 1
    assert text.count("&lt;script&gt;alert") > 10


def test_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit")
    write_figure(run, title="owl/0.png")
    first = page(tmp_path, run).read_bytes()
    assert page(tmp_path, run).read_bytes() == first


def test_parts_say_their_descriptors(tmp_path: Path) -> None:
    """To a pointer, to the keyboard and to a screen reader; a figure without such data is shown as ever."""
    run = write_run(tmp_path / "vit")
    write_regions(write_figure(run, title="owl/0.png"), "striped wings", "a long tail")
    write_figure(run, "sample-00001-pca.png", title="bat/0.png")
    text = page(tmp_path, run).read_text(encoding="utf-8")
    assert text.count('<svg class="parts"') == 1
    assert 'tabindex="0" role="img" aria-label="Part 2: a long tail"' in text
    assert "<b>Part 1</b> striped wings</div>" in text
    assert "Point at a part" in text


def test_page_without_parts_does_not_speak_of_pointing(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit")
    write_regions(write_figure(run, title="owl/0.png"))
    text = page(tmp_path, run).read_text(encoding="utf-8")
    assert '<svg class="parts"' not in text
    assert "Point at a part" not in text


def test_figures_beyond_the_limit_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mkbench.report.page._MOST_PICTURES", 2)
    run = write_run(tmp_path / "vit")
    for number in range(5):
        write_figure(run, f"sample-0000{number}-pca.png", size=(8, 8))
    text = page(tmp_path, run).read_text(encoding="utf-8")
    assert text.count("<img") == 2
    assert f"3 more figures are in {run.as_posix()}/figures." in text


def test_runs_of_a_system_without_a_study(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit")
    (own,) = read_runs(run)
    write_object(run / "results.json", own.results | {"system": "my_system"})
    titles = re.findall(r"<h2[^>]*>([^<]+)", page(tmp_path, run).read_text(encoding="utf-8"))
    assert titles == ["All metrics", "What was run", "Provenance"]


def damage_group(run: Path) -> None:
    path = run / "groups" / "00001-000.parquet"
    path.write_bytes(path.read_bytes()[:-9])


def lose_group(run: Path) -> None:
    (run / "groups" / "00001-000.parquet").unlink()


def damage_figure(run: Path) -> None:
    (run / "figures" / "sample-00000-pca.png").write_bytes(b"damaged")


def damage_regions(run: Path) -> None:
    (run / "figures" / "sample-00000-pca.json").write_text('{"parts": 3}', encoding="utf-8")


def damage_config(run: Path) -> None:
    (run / "config.yaml").write_bytes(b"\xff\xfe")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_group, "found a damaged one"),
        (lose_group, "found 1 missing, such as 00001-000"),
        (damage_figure, "Expected a figure at"),
        (damage_regions, "sample-00000-pca.json panels, found none"),
        (damage_config, "in UTF-8"),
    ],
)
def test_nothing_is_written_of_a_damaged_run(tmp_path: Path, damage, said: str) -> None:
    run = write_run(tmp_path / "vit")
    write_figure(run, title="owl/0.png")
    damage(run)
    with pytest.raises(DataError, match=said):
        page(tmp_path, run)
    assert [path.name for path in tmp_path.iterdir()] == ["vit"]


#: A command in a process of its own that says its peak memory; that of `wait4` would count the parent's, too.
COMMAND = """
import sys
from mkbench.cli.main import main
code = main(sys.argv[1:])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
sys.exit(code)
"""


def make_page(run: Path, out: Path) -> tuple[float, float]:
    """Seconds and peak memory (MB) of the command."""
    started = time.monotonic()
    words = [sys.executable, "-c", COMMAND, "report", str(run), "--out", str(out)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return time.monotonic() - started, int(said.split()[-2]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read as Linux says it")
def test_page_of_a_thousand_classes_is_small_and_quick(tmp_path: Path) -> None:
    """50,000 images, two explainers and as many figures as a page holds: little more memory than a tiny run takes."""
    few, many = write_run(tmp_path / "few"), write_run(tmp_path / "many", classes=range(1000), images=50)
    for number in range(64):
        figure = write_figure(many, f"sample-{number:05d}-pca.png", title=f"{number}/0.png")
        with Image.open(SAMPLE) as drawn:
            drawn.save(figure, pnginfo=titled(f"{number}/0.png"))
    _, little = make_page(few, tmp_path / "few.html")
    seconds, memory = make_page(many, tmp_path / "many.html")
    size = (tmp_path / "many.html").stat().st_size / 1e6
    print(f"{seconds:.0f} s, {memory:.0f} MB at its peak ({little:.0f} MB of a tiny run), {size:.1f} MB")
    assert seconds < 120
    assert memory < little + 150
    assert size < 30


@pytest.mark.slow
def test_size_does_not_follow_the_number_of_images(tmp_path: Path) -> None:
    few, many = (write_run(tmp_path / name, images=images) for name, images in (("few", 2), ("lot", 400)))
    sizes = []
    for run in (few, many):
        write_figure(run, title="owl/0.png")
        sizes.append(page(tmp_path, run).stat().st_size)
    assert sizes[1] - sizes[0] < 2000
