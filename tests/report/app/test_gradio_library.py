from __future__ import annotations

import os
from pathlib import Path

import pytest

from mkbench.errors import UsageError
from mkbench.report.app import gradio_library


def test_missing_gradio_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gradio_library, "find_spec", lambda name: None)
    for ask in (gradio_library.require_gradio, lambda: gradio_library.import_gradio(tmp_path)):
        with pytest.raises(UsageError, match=r"found none; run `pip install 'mkbench\[app\]'`"):
            ask()


def test_gradio_is_told_to_report_nothing_before_it_is_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, dict[str, str]] = {}
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_SHARE", "GRADIO_SSR_MODE", "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, "True")
    monkeypatch.setattr(gradio_library, "find_spec", lambda name: name)
    monkeypatch.setattr(gradio_library, "import_module", lambda name: seen.update({name: dict(os.environ)}))
    gradio_library.import_gradio(tmp_path)
    assert seen["gradio"]["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert seen["gradio"]["GRADIO_SHARE"] == "False"
    assert seen["gradio"]["GRADIO_TEMP_DIR"] == str(tmp_path)
