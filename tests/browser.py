"""Chromium without a window, driven over a pair of pipes, and what it logged and asked for."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REASON = "no Chromium here; `apt-get install chromium` brings one"
#: Switched off, so that every request is the page's own.
_QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run")


class Browser:
    """A Chromium of its own; every page is a user of its own, who shares nothing with others."""

    def __init__(self, profile: Path) -> None:
        ours, theirs = os.pipe(), os.pipe()
        words = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", *_QUIET, "--remote-debugging-pipe"]
        command = f'exec 3<&{ours[0]} 4>&{theirs[1]}; exec "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", *words, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(ours[0], theirs[1]),
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._to, self._from = os.fdopen(ours[1], "wb"), os.fdopen(theirs[0], "rb")
        self._number, self._rest = 0, b""
        self._pages: dict[str, Page] = {}

    def close(self) -> None:
        self.send("Browser.close")
        self._process.wait(timeout=30)
        self._to.close()
        self._from.close()

    def send(self, method: str, session: str | None = None, **values: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": values} | ({"sessionId": session} if session else {})
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while True:
            answer = self._read()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            if answer.get("sessionId") in self._pages:
                self._pages[answer["sessionId"]].note(answer["method"], answer["params"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._from.fileno(), 1 << 20)
            if not read:
                raise RuntimeError("Chromium ended.")
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        parsed: dict[str, Any] = json.loads(message)
        return parsed

    def new_page(self) -> Page:
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.send(f"{domain}.enable", session)
        return self._pages[session]


@dataclass
class Page:
    """A page of a user.

    Attributes:
        errors: what its console said that is wrong.
        requests: all addresses that it asked for, but those that hold their content themselves.
    """

    browser: Browser
    session: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def note(self, method: str, values: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            address = values["request"]["url"]
            self.requests += [] if address.startswith(("data:", "blob:")) else [address]
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(values["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and values["type"] in ("error", "assert"):
            self.errors.append(json.dumps(values["args"])[:500])
        elif method == "Log.entryAdded" and values["entry"]["level"] == "error":
            if "/gradio_api/upload_progress" in values["entry"].get("url", ""):
                return  # Gradio asks how far an upload is; where that was faster, it answers 404
            self.errors.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")

    def send(self, method: str, **values: Any) -> dict[str, Any]:
        return self.browser.send(method, self.session, **values)

    def open(self, address: str) -> None:
        self.send("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def wait(self, script: str, *, seconds: float = 90) -> Any:
        """The value of an expression as soon as it is true."""
        return wait_until(lambda: self.run(script), f"{script} ({self.errors})", seconds=seconds)

    def text(self, selector: str) -> str:
        return str(self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def click(self, selector: str) -> None:
        self.wait(f"!!document.querySelector({json.dumps(selector)})")
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def fill(self, selector: str, text: str) -> None:
        """Put a text into a field, as typing it would."""
        self.run(
            f"""(() => {{ const field = document.querySelector({json.dumps(selector)});
            const kind = field.tagName === "TEXTAREA" ? HTMLTextAreaElement : HTMLInputElement;
            field.focus();
            Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, {json.dumps(text)});
            for (const name of ["input", "change"]) field.dispatchEvent(new Event(name, {{bubbles: true}}));
            field.blur(); }})()"""
        )

    def choose(self, selector: str, label: str) -> None:
        """Choose the entry of a menu that begins with a label."""
        field, name = f"document.querySelector({json.dumps(selector)})", json.dumps(label)
        press = "dispatchEvent(new MouseEvent('mousedown', {bubbles: true}))"
        entry = f"[...document.querySelectorAll('[role=option]')].find(one => one.innerText.trim().startsWith({name}))"
        self.run(f"{field}.blur(); {field}.focus(); {field}.{press}")
        self.wait(f"!!{entry}")
        self.run(f"{entry}.{press}; {field}.blur()")

    def upload(self, selector: str, file: Path) -> None:
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", files=[str(file)], nodeId=node)

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Take the size and the scheme of a screen; a narrow one is a phone's."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def look(self, file: Path, *, whole: bool = False) -> None:
        """Write a screenshot."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def strangers(self, own: str) -> list[str]:
        """The addresses of other machines that it asked for."""
        return [address for address in self.requests if urlsplit(address).netloc != urlsplit(own).netloc]


def wait_until(found: Callable[[], Any], what: str, *, seconds: float) -> Any:
    """What a function returns as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s for {what}")
