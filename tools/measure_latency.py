"""How soon does an explorer answer? Measured in JupyterLab in a real browser: python tools/measure_latency.py [OUT]

For every explorer, from the press of an arrow key, and from a click beside the handle, to the new picture decoded; the
kernel's part of it, for pictures it was not asked for before (an explorer of few has drawn them all beforehand); and in
a fast drag of two seconds how many pictures are shown a second, and how long after the last move the last one comes.
"""

import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import lab
import numpy as np

from minivae.engine.trainer import versions

KEYS, CLICKS, MOVES = 32, 12, 100

WATCH = """image => {
    window.seen = [];
    window.watch?.disconnect();
    const decoded = async () => { await image.decode().catch(() => 0); seen.push(performance.now()); };
    window.watch = new MutationObserver(decoded);
    window.watch.observe(image, {attributes: true, attributeFilter: ['src']});
    window.began = null;
    if (!window.listening) {
        window.listening = true;
        for (const kind of ['keydown', 'pointerdown', 'mousedown', 'pointermove'])
            document.addEventListener(kind, () => { window.began = performance.now(); }, {capture: true});
    }
}"""


def kernel_ms(name: str) -> float:
    """Median time until a picture that was not asked for before is there, in a process like a kernel."""
    space: dict = {}
    exec(lab.SETUP.replace("../data", str(lab.ROOT / "data")), space)
    explorer = eval(lab.EXPLORERS[name].replace("../data", str(lab.ROOT / "data")), space)
    control = next(iter(explorer.controls.values()))
    took = []
    for value in space["widgets"].values(control, 31):
        state = explorer.state | {explorer._touched: value}
        began = time.perf_counter()
        explorer._at(state)
        took.append(time.perf_counter() - began)
    return 1e3 * float(np.median(took))


def after(page, do) -> float:
    """Milliseconds from what `do` does in the page to the picture that comes of it."""
    page.evaluate("() => { seen.length = 0; began = null; }")
    do()
    page.wait_for_function("() => seen.length > 0", timeout=10_000)
    took = page.evaluate("() => seen[0] - began")
    page.wait_for_timeout(400)  # a slider lets no click through while it glides, for 300 ms
    return took


def measure(page, name: str) -> list[str]:
    box = lab.explorer(page, name)
    box.scroll_into_view_if_needed()
    handle, track = box.locator(".noUi-handle").first, box.locator(".noUi-target").first
    page.evaluate(WATCH, box.locator("img.widget-image").last.element_handle())
    handle.focus()
    handle.press("Home")
    page.wait_for_timeout(500)
    keys = []
    discrete = name in ("training", "compare")  # of a few values: there and back
    for i in range(KEYS):
        key = "ArrowRight" if not discrete or i % 4 < 2 else "ArrowLeft"
        keys.append(after(page, lambda key=key: handle.press(key)))

    def at(part: float) -> tuple[float, float]:  # measured anew each time: Lab scrolls when a cell becomes active
        place = track.bounding_box()
        return place["x"] + place["width"] * part, place["y"] + place["height"] / 2

    handle.press("Home")  # a click on the handle would move nothing
    page.wait_for_timeout(500)
    clicks = []
    for i in range(CLICKS):
        part = 0.95 - 0.9 * (i % 2) if discrete else (0.75 if i % 2 else 0.3) + 0.005 * i
        clicks.append(after(page, lambda part=part: page.mouse.click(*at(part))))
    handle.press("Home")
    page.wait_for_timeout(500)
    (left, middle), (right, _) = at(0), at(1)
    page.mouse.move(left, middle)
    page.mouse.down()
    page.evaluate("() => { seen.length = 0; }")
    began = time.perf_counter()
    for i in range(1, MOVES + 1):
        page.mouse.move(left + (right - left) * i / MOVES, middle)
        time.sleep(max(0, began + 2 * i / MOVES - time.perf_counter()))
    seconds = time.perf_counter() - began
    last = page.evaluate("() => performance.now()")
    page.wait_for_timeout(1_500)
    page.mouse.up()
    seen = page.evaluate("() => seen")
    lag = max(0.0, max(seen, default=last) - last)
    return [f"{np.median(keys):.0f}", f"{np.percentile(keys, 95):.0f}", f"{np.median(clicks):.0f}",
            f"{len(seen) / seconds:.0f}", f"{lag:.0f}"]  # fmt: skip


def main(out: str | None = None) -> None:
    rows = [("explorer", "kernel", "key", "key 95 %", "click", "drag /s", "drag lag")]
    kernels = {name: kernel_ms(name) for name in lab.EXPLORERS}
    with tempfile.TemporaryDirectory() as folder, lab.serve(Path(folder)) as address, lab.chromium() as browser:
        page = lab.run_all(browser, address, "explorers")
        page.wait_for_timeout(5_000)  # Lab lays the page out and saves it
        for name in lab.EXPLORERS:
            rows.append((name, f"{kernels[name]:.1f}", *measure(page, name)))
    made = ", ".join(f"{name} {version}" for name, version in versions().items())
    table = "\n".join("  ".join(f"{cell:>9}" for cell in row) for row in rows)
    table += f"\n(milliseconds, and pictures a second; {os.cpu_count()} cores, {platform.machine()}, {made})\n"
    print(table, end="")
    if out is not None:
        Path(out).write_text(table)


if __name__ == "__main__":
    main(*sys.argv[1:])
