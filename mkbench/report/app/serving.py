"""Server of the app: local unless told otherwise, without anything that leaves the machine."""

import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from mkbench.errors import UsageError
from mkbench.report.app.gradio_library import import_gradio
from mkbench.report.app.uploads import MOST_BYTES

_PAUSE = 0.2  # seconds between looks at whether the server runs
_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
_MONOSPACE = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def serve(make: Callable[[Any], Any], *, host: str, port: int | None = None, ready: Callable[[str], None]) -> None:
    """Serve a page until it is interrupted; uploaded files lie in a folder that is deleted then.

    Args:
        make: builds the page, a ``gradio.Blocks``, with the module ``gradio``.
        host: address to listen at.
        port: to listen at; None takes the first free one from 7860.
        ready: is told the address of the page.

    Raises:
        UsageError: Gradio is not installed, the address is none of this machine, or the port is taken.
    """
    require_address(host)
    with tempfile.TemporaryDirectory(prefix="mkbench-app-") as folder:
        gr = import_gradio(Path(folder))
        page = make(gr)
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
                theme=_theme(gr),
                css=(resources.files("mkbench.report") / "templates" / "app.css").read_text(encoding="utf-8"),
            )
        except (OSError, OverflowError) as error:  # the latter for a number that no port has
            where = f"port {port}" if port else "free port"
            raise UsageError(f"Expected a {where} at {host}, found none; name another --port.") from error
        ready(page.local_url)
        with suppress(KeyboardInterrupt):
            while page.is_running:
                time.sleep(_PAUSE)
    page.close(verbose=False)  # waits for open connections, and so comes after what must be deleted


def require_address(host: str) -> None:
    """Check that this machine has an address: the server would try one port after the other.

    Raises:
        UsageError: it has not.

    >>> require_address("127.0.0.1")
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except OSError as error:
        raise UsageError(
            f"Expected an address of this machine after --host, found {host!r}; 127.0.0.1 lets this machine in alone, "
            "0.0.0.0 others too."
        ) from error


def _theme(gr: Any) -> Any:
    """Return a theme with fonts of the system, and a button that reads well in light and dark."""
    theme = gr.themes.Default(primary_hue="blue", neutral_hue="slate", font=_FONTS, font_mono=_MONOSPACE)
    filled, pressed = "*primary_700", "*primary_800"
    return theme.set(
        button_primary_background_fill=filled,
        button_primary_background_fill_dark=filled,
        button_primary_background_fill_hover=pressed,
        button_primary_background_fill_hover_dark=pressed,
    )
