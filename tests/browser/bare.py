"""An explorer in an empty page, without JupyterLab, kernel or network."""

import base64
import io
import json
from typing import Any

import numpy as np
from PIL import Image

from minivae.course.explorers import Explorer

PAGE = """<html><head><style>{style}</style></head>
<body style="margin:8px;font:14px sans-serif;background:{ground};color:{colour}">
<div id="explorer" class="minivae-explorer"></div>
<script>
{module}
const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
window.traits = {explorer};
for (const name in traits.buffers) traits.buffers[name] = bytes(traits.buffers[name]);
window.said = [];
window.model = {{
  get: (name) => traits[name], set: (name, value) => said.push(traits[name] = value), save_changes() {{}},
  on: (_, callback) => {{ window.tell = callback; }},
}};
mount(document.getElementById("explorer"), model);
</script></body></html>"""


def mount(page: Any, explorer: Explorer, dark: bool = False, **changed: Any) -> None:
    """Show an explorer; parts of what it sends to the page may be changed."""
    sent = {
        "spec": explorer.spec, "state": explorer.state,
        "buffers": {name: base64.b64encode(data).decode() for name, data in explorer.buffers.items()},
    } | changed  # fmt: skip
    ground, colour = ("#111", "#eee") if dark else ("#fff", "#000")
    module = str(explorer._esm).replace("export default", "window.minivae =")
    text = json.dumps(sent).replace("</", "<\\/")
    page.goto("about:blank")  # forgets the names that the module before declared
    page.set_content(PAGE.format(ground=ground, colour=colour, module=module, style=explorer._css, explorer=text))
    page.wait_for_selector("#explorer[data-drawn], .wrong")
    settle(page)


def settle(page: Any) -> None:
    """Wait until what was asked for is drawn, but for what is drawn in slices."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def canvas(place: Any) -> np.ndarray:
    """What a canvas holds, (height, width, 3) uint8."""
    url = place.evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB"))


def pixels(page: Any, number: int) -> np.ndarray:
    """What the explorer's canvas of this number holds."""
    return canvas(page.locator("#explorer canvas").nth(number))


def swipe(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With a finger, from one place of the window to another."""
    finger = page.context.new_cdp_session(page)
    places = [[a + (b - a) * i / 10 for a, b in zip(start, end, strict=True)] for i in range(11)]
    for i, (x, y) in enumerate(places):
        kind = "touchStart" if i == 0 else "touchMove"
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        page.wait_for_timeout(20)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(200)
