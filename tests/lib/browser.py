# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven by W3C WebDriver's protocol and Chromium's own: no more than tests of pages need."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request

PATIENCE_S = 30


def missing():
    """What has to be installed for a Browser, or None."""
    for program in "chromedriver", "chromium":
        if not shutil.which(program):
            return program
    return None


class Browser:
    """with Browser() as browser: its profile is new, and its end is the end of all of it."""

    def __enter__(self):
        self.home = tempfile.TemporaryDirectory(prefix="faultline-browser-")
        environment = {**os.environ, "HOME": self.home.name, "TMPDIR": self.home.name}
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], env=environment, text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        port = None
        while port is None:
            line = self.driver.stdout.readline()
            assert line, "chromedriver ended before it listened"
            port = re.search(r"started successfully on port (\d+)", line)
        self.session = f"http://127.0.0.1:{port[1]}/session"
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                     f"--user-data-dir={self.home.name}/profile"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        made = self.call("", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": {"args": arguments, "binary": shutil.which("chromium")},
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session += "/" + made["sessionId"]
        return self

    def __exit__(self, *error):
        try:
            if not self.session.endswith("/session"):
                self.call("", method="DELETE")
        finally:
            self.driver.terminate()
            self.driver.wait(PATIENCE_S)
            self.driver.stdout.close()
            self.home.cleanup()

    def call(self, path, body=None, method="POST"):
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.session + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def cdp(self, command, **parameters):
        """A command of the Chrome DevTools Protocol."""
        return self.call("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, path):
        self.call("/url", {"url": f"file://{path}"})

    def run(self, script, *arguments):
        """What a script in the page returns; it has `arguments`."""
        return self.call("/execute/sync", {"script": script, "args": list(arguments)})

    def complaints(self):
        """What the page's console says since the last call."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.call("/se/log", {"type": "browser"})]

    def look(self, width, height=900, scheme="light", media="screen", script=True):
        """How pages are shown from now on."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.cdp("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.cdp("Emulation.setScriptExecutionDisabled", value=not script)

    def press(self, *keys):
        """Keys by their name in KeyboardEvent.key; "Shift+ArrowLeft" too."""
        for name in keys:
            shift, key = name.startswith("Shift+"), name.removeprefix("Shift+")
            text = {"text": key} if len(key) == 1 else {}
            for kind in "keyDown", "keyUp":
                self.cdp("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 if shift else 0, **text)

    def mouse(self, kind, x, y, **more):
        self.cdp("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)
