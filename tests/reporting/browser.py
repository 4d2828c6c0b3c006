"""A real Chromium, told by its debugging pipe what to open, and asked what it shows."""

from __future__ import annotations

import base64
import io
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

PATIENCE = 120.0
"""Seconds without an answer after which it hangs."""


class Browser:
    """One page at a time. What went wrong in it, scripts and blocked files, is in `complaints`."""

    def __init__(self, home: Path) -> None:
        program = shutil.which("chromium")
        if program is None:
            pytest.skip("there is no chromium to look at the report with")
        theirs, self._write = os.pipe()
        self._read, answers = os.pipe()
        options = f"--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir={home}/profile"
        command = f"exec {program} {options} --remote-debugging-pipe about:blank 3<&{theirs} 4>&{answers}"
        self._process = subprocess.Popen(
            ["bash", "-c", command],
            pass_fds=(theirs, answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(home)},
        )
        os.close(theirs)
        os.close(answers)
        self._buffer, self._number, self._session = b"", 0, ""
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._loaded = 0
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: object) -> Any:
        """One command's result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]

    def open(
        self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False, scripts: bool = True
    ) -> None:
        """Load a file in a window of that size, and wait until it is there."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=features)
        self.ask("Emulation.setScriptExecutionDisabled", value=not scripts)
        before = self._loaded
        self.ask("Page.navigate", url=page.as_uri())
        while self._loaded == before:
            self._next()

    def value(self, script: str) -> Any:
        """What an expression gives, as JSON has it."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def click(self, element: str) -> None:
        """By mouse, in the middle of the first element that the selector finds, brought into view."""
        box = f"const element = document.querySelector({json.dumps(element)});"
        # eager pictures, so that nothing moves between looking and clicking
        eager = "document.querySelectorAll('img').forEach((picture) => { picture.loading = 'eager' });"
        middle = "const at = element.getBoundingClientRect(); [at.x + at.width / 2, at.y + at.height / 2]"
        self.value(f"(() => {{ {eager} {box} element.scrollIntoView({{block: 'center'}}); }})()")
        self.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        x, y = self.value(f"(() => {{ {box} {middle.replace('; [', '; return [')} }})()")
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code)

    def picture(self, element: str = "") -> NDArray[np.uint8]:
        """What is to be seen, (H, W, 3): of the window, or of the first element that the selector finds."""
        options: dict[str, object] = {}
        if element:
            box = f"document.querySelector({json.dumps(element)}).getBoundingClientRect()"
            x, y, width, height = self.value(
                f"(() => {{ const at = {box}; return [at.x + scrollX, at.y + scrollY, at.width, at.height] }})()"
            )
            options = {"clip": {"x": x, "y": y, "width": width, "height": height, "scale": 1}}
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=bool(element), **options)["data"]
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))

    def close(self) -> None:
        os.close(self._write)
        os.close(self._read)
        self._process.kill()
        self._process.wait()

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            assert select.select([self._read], [], [], max(0.0, until - time.monotonic()))[0], "the browser hangs"
            data = os.read(self._read, 1 << 20)
            assert data, "the browser ended"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded += 1
            case "Runtime.exceptionThrown" | "Log.entryAdded":
                self.complaints.append(json.dumps(message["params"]))
            case "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
        return message
