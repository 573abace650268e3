from __future__ import annotations

import os

import pytest

from mkbench.errors import UsageError
from mkbench.report.app import gradio_library


def test_missing_gradio_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(gradio_library, "import_module", missing)
    with pytest.raises(UsageError, match=r"found none; run `pip install 'mkbench\[app\]'`"):
        gradio_library.import_gradio()


def test_gradio_is_told_to_report_nothing_before_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    for name in ("GRADIO_ANALYTICS_ENABLED", "GRADIO_SHARE", "GRADIO_SSR_MODE"):
        monkeypatch.setenv(name, "True")
    monkeypatch.setattr(gradio_library, "import_module", lambda name: seen.update({name: dict(os.environ)}))
    gradio_library.import_gradio()
    assert seen["gradio"]["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert seen["gradio"]["GRADIO_SHARE"] == "False"
