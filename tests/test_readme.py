"""README and docs are true: their Python runs, their commands parse, and what they link to or name exists."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
import sys
from pathlib import Path

import pytest

from mkbench.cli.bench_config import read_config
from mkbench.cli.command_table import COMMANDS, TRAINER_COMMANDS, load_command
from mkbench.cli.commands.mined_descriptors import read_mining
from mkbench.cli.plugins import take_plugins
from mkbench.cli.trainer import MkbenchCLI
from mkbench.errors import UsageError
from mkbench.runs.group_files import ROW_SCHEMA

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
#: How the protocol of a command that runs `predict` on many models is read.
PROTOCOLS = {"bench": read_config, "mined-descriptors": read_mining}


def commands(page: Path) -> list[str]:
    """The commands of mkbench that a page prints in shell blocks."""
    return [line for line in shell_lines(page) if line.startswith("mkbench ")]


def shell_lines(page: Path) -> list[str]:
    """The lines of a page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return "\n".join(blocks).replace("\\\n", " ").splitlines()


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and most renderers make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def by_page(pattern: str) -> list[tuple[str, str]]:
    """Pairs of a page's name and what it says that fits a pattern."""
    return [(page.name, found) for page in PAGES for found in re.findall(pattern, page.read_text(encoding="utf-8"))]


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "explanation.png").is_file()


def test_readme_is_one_page() -> None:
    assert len(README.split()) <= 1000


def test_readme_leads_to_every_page() -> None:
    """By itself, or by the first page of the documentation."""
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    first = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\(docs/([\w.-]+\.md)", README))
    assert "index.md" in linked
    assert pages == linked | set(re.findall(r"\(([\w.-]+\.md)", first))


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_commands_parse(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command exists and takes the options it is shown with; nothing is run."""
    monkeypatch.chdir(ROOT)
    for line in commands(page):
        words = shlex.split(line.partition("mkbench ")[2])
        if words[0] in TRAINER_COMMANDS:
            MkbenchCLI(take_plugins(words[1:]), run=False)
        else:
            parse(take_plugins(words))


def read_otherwise_by_zsh(line: str) -> bool:
    """Whether zsh may take other words from a line than bash: without settings it knows no comments in what is typed,
    refuses patterns that fit no file, and splits no variable.
    """
    bare = re.sub(r"'[^']*'|\"[^\"$`]*\"", "", line)
    return bool(re.search(r"[#*?$`\[\](){}~]|(^|\s)=", bare))


def test_commands_mean_the_same_in_bash_and_zsh() -> None:
    lines = [(page.name, line) for page in PAGES for line in shell_lines(page)]
    assert len(lines) > 30
    assert [(page, line) for page, line in lines if read_otherwise_by_zsh(line)] == []


@pytest.mark.parametrize(
    "line",
    ["make demo  # minutes", "# two", "pip install mkbench[hf]", "mkbench models $OPTIONS", "mkbench doctor a*.yaml"],
)
def test_a_line_that_zsh_reads_otherwise_is_found(line: str) -> None:
    assert read_otherwise_by_zsh(line)
    assert not read_otherwise_by_zsh("pip install 'mkbench[hf]' \"a (b) * c\"")


def parse(words: list[str]) -> None:
    """Parse a command without a trainer, and the options that it hands on to `predict`."""
    name = next(name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS)
    module = load_command(name)
    parser = argparse.ArgumentParser(exit_on_error=False)
    module.add_arguments(parser)
    options, rest = parser.parse_known_args(words[len(name.split()) :])
    if hasattr(options, "overrides"):
        MkbenchCLI(["--config", str(protocol(name, Path(options.config))), *rest], run=False)
    else:
        assert rest == []


def protocol(command: str, config: Path) -> Path:
    """The configuration of `predict` whose options a command hands on; `doctor` takes one itself, too."""
    if command == "doctor" and "protocol:" not in config.read_text(encoding="utf-8"):
        return config
    return PROTOCOLS.get(command, read_config)(config).protocol


def test_a_wrong_option_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(AssertionError):
        parse(["compare", "RUN", "--outt", "runs"])
    with pytest.raises(UsageError, match="rot"):
        parse(["bench", "--config", "configs/paper/table3.yaml", "--data.rot", "DIR"])


def test_commands_in_the_text_exist() -> None:
    known = {*COMMANDS, *TRAINER_COMMANDS}
    named = by_page(r"`mkbench ([a-z][a-z-]*(?: [a-z][a-z-]*)?)")
    assert [(page, name) for page, name in named if name not in known and name.split()[0] not in known] == []
    second = {name.split()[0] for name in COMMANDS if " " in name}
    assert [(page, name) for page, name in named if name.split()[0] in second and name not in known] == []
    assert {"predict", "doctor", "compare", "heads remove"} <= {name for _, name in named}


def test_links_lead_somewhere() -> None:
    links = by_page(r"\]\(([^)\s]+)\)")
    assert len(links) > 30
    assert [(page, target) for page, target in links if not leads_somewhere(page, target)] == []


def leads_somewhere(page: str, target: str) -> bool:
    """Whether the file of a relative link exists, and its heading, if it names one."""
    if target.startswith("https://"):
        return True
    file, _, anchor = target.partition("#")
    start = next(path for path in PAGES if path.name == page)
    path = start.parent / file if file else start
    if not anchor:
        return path.exists()
    headings = re.findall(r"^#+ (.*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in map(slug, headings)


def test_a_broken_link_is_found() -> None:
    assert leads_somewhere("README.md", "docs/data.md")
    assert not leads_somewhere("README.md", "docs/no_such_page.md")
    assert not leads_somewhere("README.md", "docs/metrics.md#no-such-heading")


def test_paths_exist() -> None:
    """Files and folders of the project, in backticks or in commands; `<stem>` stands for any name."""
    named = by_page(
        r"(?<![\w./-])((?:configs|docs|examples|mkbench|callbacks|datamodules|tests|benchmarks)/[\w/.<>*-]*)"
    )
    assert len(named) > 30
    missing = [(page, path) for page, path in named if not list(ROOT.glob(re.sub(r"<\w+>", "*", path).rstrip("./")))]
    assert missing == []


def test_modules_run_by_name_exist() -> None:
    modules = by_page(r"python -m ([\w.]+)")
    assert modules
    own = [name for _, name in modules if name.partition(".")[0] not in sys.stdlib_module_names]
    assert [name for name in own if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []


def defined(path: Path) -> set[str]:
    """The functions, classes, methods and constants that a module defines itself."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def test_architecture_names_what_is_there() -> None:
    """Each place that answers a question defines the name that is given beside it."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    places = re.findall(r"`([\w/.]+\.py)`: `(\w+)`", page)
    assert len(places) > 30
    files = {path: ROOT / path for path, _ in places}
    assert [(path, name) for path, name in places if name not in defined(files[path])] == []


def test_columns_of_the_rows_are_listed() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert [name for name in ROW_SCHEMA.names if f"`{name}`" not in page] == []
