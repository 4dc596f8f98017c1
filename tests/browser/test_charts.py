"""The explorers that compute their drawings from formulas, in a bare page: their numbers against Python's."""

import base64
import json
import math

import numpy as np
import pytest
import torch

from minivae import channel, gaussian
from minivae.course import explorers
from minivae.overlap import confusions, right_guesses

PAGE = """<body style="margin:16px;color-scheme:%(scheme)s;background:%(ground)s;color:%(ink)s"><div id="el"></div>"""
MOUNT = """async ({source, state, spec, buffers}) => {
    const {default: widget} = await import(URL.createObjectURL(new Blob([source], {type: "text/javascript"})));
    const bytes = Object.fromEntries(Object.entries(buffers).map(([name, data]) =>
        [name, new DataView(Uint8Array.from(atob(data), c => c.charCodeAt(0)).buffer)]));
    const traits = {state, spec, buffers: bytes};
    window.told = [];
    window.model = {
        get: name => traits[name],
        set: (name, value) => { traits[name] = value; window.told.push(value); },
        save_changes() {},
        on: (_, callback) => { window.heard = callback; },
    };
    await widget.render({model: window.model, el: document.querySelector("#el")});
}"""


def bent(z: torch.Tensor) -> torch.Tensor:
    return -0.5 * ((0.9 - torch.tanh(z)) / 0.3) ** 2 - 0.5 * z**2


MAKE = {
    "elbo": lambda: explorers.ElboExplorer(bent),
    "channel": explorers.ChannelExplorer,
    "overlap": explorers.OverlapExplorer,
}


class Shown:
    """An explorer on a page of its own."""

    def __init__(self, page, name: str, scheme: str = "light") -> None:
        self.page, self.explorer = page, MAKE[name]()
        page.goto("about:blank")
        page.set_content(PAGE % {"scheme": scheme, "ground": "#fff" if scheme == "light" else "#111", "ink":
                                 "#111" if scheme == "light" else "#eee"})  # fmt: skip
        self.start = dict(self.explorer.state)
        given = {
            "source": self.explorer._esm, "state": self.start, "spec": self.explorer.spec,
            "buffers": {name: base64.b64encode(data).decode() for name, data in self.explorer.buffers.items()},
        }  # fmt: skip
        page.evaluate(MOUNT, given)
        self.wait(self.start)

    def wait(self, state: dict) -> None:
        """Until a state is drawn."""
        self.page.wait_for_function(
            """state => {
                const drawn = JSON.parse(document.querySelector(".minivae-explorer").dataset.drawn ?? "{}");
                return Object.keys(state).every(name => Math.abs(drawn[name] - state[name]) < 1e-9);
            }""",
            arg=state,
        )

    @property
    def drawn(self) -> dict:
        return json.loads(self.page.locator(".minivae-explorer").get_attribute("data-drawn"))

    def numbers(self, **changes) -> dict:
        """What the page computes when Python sets some controls."""
        state = self.start | changes
        self.page.evaluate(
            "state => { window.model.get('state'); window.model.set('state', state); window.heard(); }", state
        )
        self.wait(state)
        return json.loads(self.page.locator(".minivae-explorer").get_attribute("data-numbers"))

    def slider(self, name: str):
        place = [control["name"] for control in self.explorer.spec["controls"]].index(name)
        return self.page.locator("input[type=range]").nth(place)

    def caption(self) -> str:
        return self.page.locator(".caption").inner_text()


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(20_000)
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: requests.append(request.url))
    yield page
    assert errors == []
    assert [url for url in requests if not url.startswith(("blob:", "data:", "about:"))] == []


def test_elbo_is_that_of_python(page):
    shown = Shown(page, "elbo")
    z = torch.linspace(-10, 10, 4001, dtype=torch.float64)
    log_p = torch.trapezoid(bent(z).exp(), z).log().item()
    for mean, std in ((0.3, 0.6), (-2.0, 0.0316), (3.0, 2.0), (1.1, 0.2)):
        found = shown.numbers(mean=mean, std=std)
        q = torch.tensor(mean).double(), torch.tensor(std).double().log()
        log_q = gaussian.log_density(z, *q)
        elbo = torch.trapezoid(log_q.exp() * (bent(z) - log_q), z).item()
        wanted = {"log_p": log_p, "elbo": elbo, "kl": gaussian.kl_per_latent(*q).item(), "gap": log_p - elbo}
        assert found == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("spread", [0.0, 1.5, 4.0])
@pytest.mark.parametrize("std", [0.0316, 0.3, 2.0])
def test_messages_are_those_of_python(page, spread, std):
    found = Shown(page, "channel").numbers(spread=spread, std=std)
    means = torch.linspace(-spread, spread, 8, dtype=torch.float64)
    kl = gaussian.kl_per_latent(means, torch.full_like(means, math.log(std))).mean().item()
    assert found["kl"] == pytest.approx(kl, abs=1e-6)
    assert found["information"] == pytest.approx(channel.mutual_information(means, std).item(), abs=1e-6)
    edges = torch.cat([means.new_tensor([-math.inf]), (means[1:] + means[:-1]) / 2, means.new_tensor([math.inf])])
    read = torch.special.ndtr((edges - means[:, None]) / std).diff(dim=1)
    assert np.abs(np.array(found["read"]) - read.numpy()).max() < 1e-6
    assert found["wrong"] == pytest.approx(1 - read.diagonal().mean().item(), abs=1e-6)


@pytest.mark.parametrize("codes", [(-1, 0, 1, 0.5, 0.5, 0.5), (0, 0, 0, 1, 1, 1), (-3, 3, 0.2, 0.06, 2, 0.3)])
def test_overlap_is_that_of_python(page, codes):
    names = [f"{kind} {i}" for kind in ("mean", "σ") for i in (1, 2, 3)]
    found = Shown(page, "overlap").numbers(**dict(zip(names, codes, strict=True)))
    means, stds = torch.tensor(codes, dtype=torch.float64).view(2, 3)
    mixed = confusions(means, stds)
    wanted = {
        "kl": gaussian.kl_per_latent(means, stds.log()).mean().item(),
        "wrong": 1 - right_guesses(means, stds),
        "cost": 0.5 * (mixed.sum() - mixed.trace()).item(),
    }
    belief = found.pop("middle")
    assert found == pytest.approx(wanted, abs=1e-6)
    zero = gaussian.log_density(torch.zeros(()).double(), means, stds.log())
    assert belief == pytest.approx(torch.softmax(zero, 0).tolist(), abs=1e-6)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("name", MAKE)
def test_nothing_sticks_out(page, screenshot, name, width, scheme):
    page.set_viewport_size({"width": width, "height": 900 if width == 1280 else 1200})
    try:
        Shown(page, name, scheme)
        screenshot(page, f"chart_{name}_{width}_{scheme}")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        # words lie within their drawing, and no two of them on one another
        cut = page.evaluate(
            """() => [...document.querySelectorAll(".panels > div")].flatMap(box => {
                const frame = box.getBoundingClientRect();
                const places = [...box.querySelectorAll("text")].filter(text => text.textContent)
                    .map(text => [text.textContent, text.getBoundingClientRect()]);
                const out = places.filter(([, p]) => p.left < frame.left - 1 || p.right > frame.right + 1 ||
                    p.top < frame.top - 1 || p.bottom > frame.bottom + 1).map(([text]) => text);
                const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 &&
                    b.top < a.bottom - 3;
                const over = places.flatMap(([one, a], i) =>
                    places.slice(i + 1).filter(([, b]) => meet(a, b)).map(([two]) => `${one}/${two}`));
                return [...out, ...over];
            })"""
        )
        assert cut == []
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("name", MAKE)
def test_a_key_a_drag_and_reset(page, name):
    shown = Shown(page, name)
    control = shown.explorer.spec["controls"][0]
    before = page.locator(".panels").inner_html()
    shown.slider(control["name"]).press("ArrowRight")
    page.wait_for_function(
        "start => JSON.parse(document.querySelector('.minivae-explorer').dataset.drawn)[start[0]] > start[1]",
        arg=[control["name"], shown.start[control["name"]]],
    )
    assert page.locator(".panels").inner_html() != before
    assert page.evaluate("() => window.told.at(-1)") == pytest.approx(shown.drawn)  # Python is told
    track = shown.slider(control["name"]).bounding_box()
    page.mouse.move(track["x"] + track["width"] / 2, track["y"] + track["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] + 20, track["y"] + track["height"] / 2, steps=20)
    page.mouse.up()
    high = 10 ** control["max"] if control.get("log") else control["max"]
    shown.wait({control["name"]: high})
    page.get_by_role("button", name="reset").click()
    shown.wait(shown.start)
    assert page.locator(".panels").inner_html() == before
