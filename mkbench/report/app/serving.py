"""Server of the app: local unless told otherwise, without anything that leaves the machine."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from typing import Any

from mkbench.errors import UsageError
from mkbench.report.app.gradio_library import import_gradio
from mkbench.report.app.uploads import MOST_BYTES

LOCAL = "127.0.0.1"
_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
_MONOSPACE = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def serve(
    make: Callable[[], Any], *, host: str = LOCAL, port: int | None = None, ready: Callable[[str], None] | None = None
) -> None:
    """Serve a page until it is interrupted; uploaded files lie in a folder that is deleted then.

    Args:
        make: builds the page, a ``gradio.Blocks``.
        host: address to listen at.
        port: of the address; None takes the first free one from 7860.
        ready: is told the address.

    Raises:
        UsageError: Gradio is not installed, or the port is taken.
    """
    gr = import_gradio()
    with tempfile.TemporaryDirectory(prefix="mkbench-app-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        page = make()
        try:
            page.launch(
                server_name=host,
                server_port=port,
                prevent_thread_lock=True,
                quiet=True,
                share=False,
                ssr_mode=False,
                pwa=False,
                mcp_server=False,
                enable_monitoring=False,
                show_error=True,
                footer_links=[],
                max_file_size=MOST_BYTES,
                theme=gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=_FONTS, font_mono=_MONOSPACE),
                css=(resources.files("mkbench.report") / "templates" / "app.css").read_text(encoding="utf-8"),
            )
        except OSError as error:
            where = f"port {port}" if port else "free port"
            raise UsageError(f"Expected a {where} at {host}, found none; name another --port.") from error
        if ready is not None:
            ready(page.local_url)
        try:
            with suppress(KeyboardInterrupt):
                page.block_thread()
        finally:
            page.close()
