from __future__ import annotations

import configparser
import os
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
#: Packages beside `mkbench/`, which a symlink in it stands for.
LINKED = ("callbacks", "configs", "datamodules")


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_every_package_on_disk_is_packaged(setup: configparser.ConfigParser) -> None:
    on_disk = {"mkbench", *(f"mkbench.{name}" for name in LINKED)}
    for folder in (ROOT / "mkbench", *(ROOT / name for name in LINKED)):
        for init in folder.rglob("__init__.py"):
            if not any(part in LINKED for part in init.relative_to(folder).parts):
                base = ROOT if folder.name == "mkbench" else ROOT / "mkbench"
                at = init.parent if folder.name == "mkbench" else ROOT / "mkbench" / init.parent.relative_to(ROOT)
                on_disk.add(".".join(["mkbench", *at.relative_to(base).parts[folder.name == "mkbench" :]]))
    assert set(setup["options"]["packages"].split()) == on_disk


def test_no_module_lies_outside_a_package(setup: configparser.ConfigParser) -> None:
    packages = set(setup["options"]["packages"].split())
    for path in (ROOT / "mkbench").rglob("*.py"):
        assert ".".join(path.parent.relative_to(ROOT).parts) in packages, path


@pytest.mark.parametrize("name", LINKED)
def test_links_are_relative_and_lead_to_the_folder_beside(setup: configparser.ConfigParser, name: str) -> None:
    link = ROOT / "mkbench" / name
    assert link.is_symlink()
    assert os.readlink(link) == f"../{name}"
    mapped = dict(line.split(" = ") for line in setup["options"]["package_dir"].strip().splitlines())
    assert mapped[f"mkbench.{name}"] == name


def test_legs_of_the_workflow_are_targets_of_make(setup: configparser.ConfigParser) -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    legs = workflow["jobs"]["tests"]["strategy"]["matrix"]["include"]
    words = (ROOT / "Makefile").read_text(encoding="utf-8").split()
    for leg in legs:
        assert leg["target"] in (word.removesuffix(":") for word in words)
        assert leg["target"] in ("test-lowest", f"test-python{leg['python']}")
    assert legs[0] == {"python": setup["options"]["python_requires"].removeprefix(">="), "target": "test-lowest"}


def data_files() -> list[tuple[str, str]]:
    """Pairs of a package and the path below it of every file that is not Python."""
    found = []
    for package, folder in (("mkbench", ROOT / "mkbench"), *((f"mkbench.{name}", ROOT / name) for name in LINKED)):
        for path in folder.rglob("*"):
            inside = path.relative_to(folder)
            linked = package == "mkbench" and inside.parts[0] in LINKED
            if path.is_file() and path.suffix not in {".py", ".pyc"} and not linked:
                found.append((package, inside.as_posix()))
    return found


def matches(path: str, pattern: str) -> bool:
    """As setuptools does it: an asterisk stays within a folder."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatch, parts, wanted))


def test_every_data_file_is_packaged(setup: configparser.ConfigParser) -> None:
    patterns = {package: value.split(", ") for package, value in setup["options.package_data"].items()}
    files = data_files()
    assert ("mkbench", "assets/critters/world.json") in files
    left_out = [(p, path) for p, path in files if not any(matches(path, pattern) for pattern in patterns.get(p, []))]
    assert left_out == []


def test_every_pattern_of_data_finds_a_file(setup: configparser.ConfigParser) -> None:
    files = data_files()
    for package, value in setup["options.package_data"].items():
        for pattern in value.split(", "):
            if pattern != "assets/*/*/*":  # the bundled models, which a checkout before training does not have
                assert any(p == package and matches(path, pattern) for p, path in files), (package, pattern)


def test_command_is_installed_under_its_name(setup: configparser.ConfigParser) -> None:
    assert setup["options.entry_points"]["console_scripts"].strip() == "mkbench = mkbench.cli.main:main"


def test_malicious_releases_are_excluded(setup: configparser.ConfigParser) -> None:
    (line,) = [line for line in setup["options"]["install_requires"].splitlines() if line.startswith("lightning")]
    assert "!= 2.6.2" in line
    assert "!= 2.6.3" in line


def test_lowest_constraints_are_the_lower_bounds(setup: configparser.ConfigParser) -> None:
    extras = setup["options.extras_require"]
    sections = [
        setup["options"]["install_requires"],
        *(extras[name] for name in ("app", "llm", "data", "docs", "saliency", "hf", "dev")),
    ]
    bounds = re.findall(r"^([\w-]+)(?:\[\w+\])? >= ([\d.]+)", "\n".join(sections), re.MULTILINE)
    lines = [line.split("==") for line in (ROOT / "constraints-lowest.txt").read_text("utf-8").splitlines()[1:]]
    pinned = {name: numbers(version) for name, version in lines}
    tools = {"mypy", "pre-commit", "ruff"}  # of style, which other versions judge otherwise
    assert {name: numbers(bound) for name, bound in bounds if name not in tools} == pinned


def numbers(version: str) -> tuple[int, ...]:
    """Version with four numbers, so that 4.28 is 4.28.0.0."""
    given = [int(part) for part in version.split(".")]
    return tuple(given + [0] * (4 - len(given)))


@pytest.mark.parametrize(("words", "cpu_build"), [([], False), (["TORCH_INDEX=https://example.org/cpu"], True)])
def test_installation_shows_progress_and_takes_a_cpu_build_of_torch(words: list[str], cpu_build: bool) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", *words, "demo"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    (install,) = [line for line in planned.splitlines() if "pip install" in line]
    assert not {"-q", "-qq", "--quiet"} & set(install.split())
    assert ("--extra-index-url https://example.org/cpu" in install) is cpu_build
