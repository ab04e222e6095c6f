"""A headless Chromium driven over its debugging pipe: one page, what it logs and what it asks for."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required",
    "--mute-audio", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip
WAIT_S = 60  # for one answer; a loaded machine takes seconds to start a browser


def found() -> str | None:
    return next((p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None)


class Page:
    """`with Page(folder) as page: page.open(path); page.js("1 + 1")`. asked: every address requested; errors: what went to the console."""

    def __init__(self, profile: Path):
        to_browser, ours = os.pipe()
        theirs, from_browser = os.pipe()
        reader, writer = os.dup(to_browser), os.dup(from_browser)

        def handles():  # the browser reads file 3 and writes file 4
            one, two = os.dup(reader), os.dup(writer)
            os.dup2(one, 3)
            os.dup2(two, 4)

        command = [found(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._browser = subprocess.Popen(
            command, preexec_fn=handles, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for other in (to_browser, from_browser, reader, writer):
            os.close(other)
        self._out, self._in, self._rest = ours, theirs, b""
        self._number, self.asked, self.errors, self._session = itertools.count(1), [], [], None
        target = next(t for t in self("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self._session = self("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self(f"{domain}.enable")
        self("Emulation.setFocusEmulationEnabled", enabled=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._browser.kill()
        self._browser.wait()
        os.close(self._out)
        os.close(self._in)

    def __call__(self, method: str, **params):
        number = next(self._number)
        sent = {"id": number, "method": method, "params": params} | ({"sessionId": self._session} if self._session else {})
        os.write(self._out, json.dumps(sent).encode() + b"\0")
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            told = self._read(end)
            if told.get("id") == number:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]
        raise TimeoutError(method)

    def _read(self, end: float) -> dict:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("the browser says nothing")
            self._rest += os.read(self._in, 1 << 16)
        text, _, self._rest = self._rest.partition(b"\0")
        told = json.loads(text)
        self._note(told.get("method"), told.get("params", {}))
        return told

    def _note(self, method, params):
        if method == "Network.requestWillBeSent":
            self.asked.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["exception"].get("description", "exception"))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(str(params["args"]))

    def open(self, path: Path, *, wide: int = 1400, high: int = 1000, dark: bool = False):
        self("Emulation.setDeviceMetricsOverride", width=wide, height=high, deviceScaleFactor=1, mobile=wide < 600)
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self("Page.navigate", url=path.resolve().as_uri())
        self.until("document.readyState === 'complete'")

    def js(self, code: str):
        """The value of an expression in the page; a promise is waited for."""
        told = self("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, code: str):
        end = time.monotonic() + WAIT_S
        while not self.js(code):
            assert time.monotonic() < end, f"never true: {code}"
            time.sleep(0.05)

    def key(self, name: str, code: int = 0, text: str = ""):
        for kind in ("keyDown", "keyUp"):
            told = {"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code}
            self("Input.dispatchKeyEvent", **told, **({"text": text} if text and kind == "keyDown" else {}))

    def shot(self, path: Path, *, whole: bool = False):
        told = self("Page.captureScreenshot", captureBeyondViewport=whole, **({"clip": self._whole()} if whole else {}))
        path.write_bytes(base64.b64decode(told["data"]))

    def _whole(self):
        size = self("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 6000), "scale": 1}
