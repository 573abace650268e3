from pathlib import Path

from mkbench.runs.results import Estimate
from mkbench.studies.banks.study import BankRow
from mkbench.studies.banks.write import write_banks

ROWS = [
    BankRow("birds", "descriptors", 2, 5, 0.8, 0.25, 0.125, Estimate(62.5, (50.0, 75.0)), None),
    BankRow("birds", "shuffled", 2, 5, 0.8, 0.5, 0.25, None, None),
]


def test_files_say_which_encoder(tmp_path: Path) -> None:
    write_banks(ROWS, tmp_path, encoder="ViT-B-16,openai")
    text = (tmp_path / "banks.md").read_text()
    assert "| birds | descriptors | 2 | 5 | 0.800 | 0.250 | 0.125 | 62.50 [50.00, 75.00] | – |" in text
    assert "encoded by ViT-B-16,openai" in text
    header, first, _ = (tmp_path / "banks.csv").read_text().splitlines()
    assert header.split(",")[:7] == ["bank", "descriptors", "classes", "pairs", "distinct", "interdiv", "intradiv"]
    assert first.endswith('"ViT-B-16,openai"')


def test_nothing_is_written_without_a_folder(tmp_path: Path) -> None:
    assert write_banks(ROWS, None, encoder="vit").renderables
    assert list(tmp_path.iterdir()) == []
