"""`mkbench demo`: the bundled models on the bundled images."""

import argparse
from importlib import resources
from pathlib import Path

from mkbench.cli.bench_config import read_config
from mkbench.cli.commands.bench import run_bench
from mkbench.cli.run_jobs import is_first_process

HELP = "benchmark the four bundled models on the bundled images, in minutes, without a download."

_NEXT = """
Run folder and figures of each model: {out}/<model>/
Tables (CSV, Markdown, LaTeX), differences between models, and figures: {out}/
All of it to look at and to send, in one file: {out}/report.html
ImageNet and the paper's 13 models:
  mkbench doctor --config configs/paper/table3.yaml --data.root IMAGENET --data.bank descriptors_imagenet.json
Your own images, a folder for each class:
  mkbench predict --config configs/image_folder.yaml --model.backbone vit-b-16-openai --model.random_weights false \\
    --data.root IMAGES --data.class_names NAMES.json --data.bank DESCRIPTORS.json
`mkbench models` lists the models by name; the README tells more.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--out", type=Path, default=Path("runs/demo"), help="folder of the run folders, tables and figures"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="compute again what an earlier demo in --out has finished"
    )
    parser.set_defaults(overrides=[])


def run(options: argparse.Namespace) -> int:
    """Evaluate the bundled models, print the table and where to look next."""
    config = resources.files("mkbench") / "configs" / "critters" / "demo.yaml"
    with resources.as_file(config) as path:
        bench = read_config(path)
        exit_code = run_bench(bench, options.out, overrides=options.overrides, overwrite=options.overwrite)
    if is_first_process():
        show_foregrounds(options.out)
    print(_NEXT.format(out=options.out))
    return exit_code


def show_foregrounds(out: Path) -> None:
    """Print CorLoc by the published settings beside that by those that find the animal; write table, figure and page.

    Args:
        out: folder of the run folders.
    """
    # These take seconds to import.
    from rich.console import Console  # noqa: PLC0415

    from mkbench.cli.run_parts import load_any_system, load_data, on_accelerator  # noqa: PLC0415
    from mkbench.plotting.style import save_figure  # noqa: PLC0415
    from mkbench.report.page import write_page  # noqa: PLC0415
    from mkbench.runs.finished_runs import read_runs  # noqa: PLC0415
    from mkbench.runs.run_folder import REPORT, RESULTS  # noqa: PLC0415
    from mkbench.studies.foreground.figure import foreground_figure  # noqa: PLC0415
    from mkbench.studies.foreground.present import keep_comparison  # noqa: PLC0415
    from mkbench.studies.foreground.study import ForegroundComparison, compare_foregrounds  # noqa: PLC0415
    from mkbench.studies.foreground.table import foreground_table  # noqa: PLC0415
    from mkbench.systems import MutualKnowledge  # noqa: PLC0415
    from mkbench.tables import publish_table  # noqa: PLC0415

    found: list[ForegroundComparison] = []
    for run in sorted(path.parent for path in out.glob(f"*/{RESULTS}")):
        system = on_accelerator(load_any_system(run))
        one = compare_foregrounds(run, system, load_data(run)) if isinstance(system, MutualKnowledge) else None
        if one is not None:
            keep_comparison(run, one)
            found.append(one)
    if found:
        console = Console()
        console.print(publish_table(foreground_table(found), out, "foreground", width=console.width))
        print(*save_figure(foreground_figure(found), out / "foreground"), sep="\n")
        write_page(read_runs([out]), out / REPORT)
