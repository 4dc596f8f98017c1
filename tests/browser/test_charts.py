"""The explorers that compute their drawings from formulas, in a bare page: their numbers against Python's."""

import base64
import json
import math
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from bare import swipe
from test_chart_explorers import MAKE, bent

from minivae import channel, gaussian
from minivae.course import checks
from minivae.overlap import confusions, right_guesses

PAGE = """<style>%(css)s</style>
<body style="margin:16px;color-scheme:%(scheme)s;background:%(ground)s;color:%(ink)s"><div id="el"></div>"""
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


class Shown:
    """An explorer on a page of its own."""

    def __init__(self, page, name: str, scheme: str = "light") -> None:
        self.page, self.explorer = page, MAKE[name]()
        page.goto("about:blank")
        page.set_content(PAGE % {"scheme": scheme, "ground": "#fff" if scheme == "light" else "#111", "ink":
                                 "#111" if scheme == "light" else "#eee", "css": self.explorer._css})  # fmt: skip
        self.start = dict(self.explorer.state)
        given = {
            "source": self.explorer._esm, "state": self.start, "spec": self.explorer.spec,
            "buffers": {name: base64.b64encode(data).decode() for name, data in self.explorer.buffers.items()},
        }  # fmt: skip
        page.evaluate(MOUNT, given)
        self.wait(self.start)

    def wait(self, state: dict, within: float = 1e-9) -> None:
        """Until a state is drawn."""
        self.page.wait_for_function(
            """([state, within]) => {
                const drawn = JSON.parse(document.querySelector(".minivae-explorer").dataset.drawn ?? "{}");
                return Object.keys(state).every(name => Math.abs(drawn[name] - state[name]) < within);
            }""",
            arg=[state, within],
        )

    def found(self) -> dict:
        """What the page computed."""
        return json.loads(self.page.locator(".minivae-explorer").get_attribute("data-numbers"))

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
        return self.found()

    def slider(self, name: str):
        place = [control["name"] for control in self.explorer.spec["controls"]].index(name)
        return self.page.locator("input[type=range]").nth(place)


def drag(page, box, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse, from one place of a box to another, in parts of its width and height."""
    frame = box.bounding_box()
    (x0, y0), (x1, y1) = ((frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in (start, end))
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=10)
    page.mouse.up()


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


@pytest.mark.parametrize("name", ["elbo", "channel", "overlap"])
def test_the_caption_says_what_the_titles_of_the_figure_say(page, name):
    shown = Shown(page, name)
    titles = " ".join(axis.get_title() for axis in shown.explorer.figure(shown.start).axes)
    plt.close("all")
    said = page.locator(".caption").inner_text()
    said, titles = (re.findall(r"−?[\d.]+", words) for words in (said, titles))
    digits = [len(number.partition(".")[2]) for number in titles]  # the page may say one more
    said = [
        f"{float(number.replace('−', '-')):.{n}f}".replace("-", "−") for number, n in zip(said, digits, strict=True)
    ]
    assert said == titles != []


def test_small_widths_are_read_out_with_two_digits(page):
    shown = Shown(page, "codes")
    page.locator("summary").click()
    slider = page.get_by_role("slider", name="σ 1", exact=True)
    slider.press("Home")
    shown.wait({"σ 1": 0.001})
    assert page.locator("label", has=slider).locator("output").inner_text() == "0.0010"


@pytest.mark.parametrize(("width", "beside"), [(742, True), (560, False)])
def test_two_drawings_stand_side_by_side_as_long_as_there_is_room(page, width, beside):
    page.set_viewport_size({"width": width + 32, "height": 900})
    try:
        Shown(page, "water")
        # both at once, and when they are there: a change of width draws them anew
        first, second = page.wait_for_function(
            """() => {
                const drawings = [...document.querySelectorAll("svg[viewBox^='0 0 ']")];
                const boxes = drawings.map(svg => svg.getBoundingClientRect());
                return boxes.length >= 2 && boxes.every(box => box.width > 0) && boxes.slice(0, 2);
            }"""
        ).json_value()
        assert (first["y"] == second["y"]) == beside
        assert max(first["x"] + first["width"], second["x"] + second["width"]) <= width + 16
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_axes_stay_while_things_move_a_little(page):
    shown = Shown(page, "channel")
    words = []
    for std in (0.04, 0.044):
        shown.numbers(std=std)
        words.append(page.locator(".panels text").all_text_contents())
    assert words[0] == words[1]


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


@pytest.mark.parametrize(
    ("name", "value"),
    [("beta", 0.4), ("beta", 4.0), ("beta", 31.9), ("beta", 40.0), ("C", 0.0), ("C", 0.3466), ("C", 3.0), ("C", 8.4),
     ("distortion", 0.6), ("distortion", 5.0), ("distortion", 18.3)],
)  # fmt: skip
def test_the_water_level_is_that_of_python_whatever_moves_it(page, name, value):
    shown = Shown(page, "water")
    (control,) = (control for control in shown.explorer.spec["controls"] if control["name"] == name)
    page.evaluate(
        """([place, value]) => {
            const input = document.querySelectorAll("input[type=range]")[place];
            input.step = "any";
            input.value = value;
            input.dispatchEvent(new Event("input"));
        }""",
        [shown.explorer.spec["controls"].index(control), math.log10(value) if control.get("log") else value],
    )
    wanted = shown.explorer.following(name, value)
    shown.wait(wanted, within=1e-6)
    found = shown.found()
    eigenvalues = shown.explorer.eigenvalues
    best = channel.linear_beta_vae(eigenvalues, 0.25, wanted["beta"])
    assert found["rates"] == pytest.approx(best.kl.tolist(), abs=1e-6)
    assert found["level"] == pytest.approx(0.25 * wanted["beta"], abs=1e-6)
    assert (found["C"], found["distortion"]) == pytest.approx((wanted["C"], wanted["distortion"]), abs=1e-6)
    for onset, k in zip(found["onsets"], range(6), strict=True):
        assert onset == pytest.approx((0.5 * (eigenvalues[:k] / eigenvalues[k]).log()).sum().item(), abs=1e-6)
    told = page.evaluate("() => window.told.at(-1)")
    shown.explorer.state = told  # Python takes the page's state as it is
    assert shown.explorer.state == told


def test_level_and_point_are_dragged_in_the_drawing(page):
    shown = Shown(page, "water")
    left, right = page.locator(".panels > div").all()
    drag(page, left, (0.5, 0.45), (0.5, 0.2))
    page.wait_for_function("() => window.told.at(-1)?.beta > 8")
    assert shown.found()["C"] < shown.start["C"]
    drag(page, right, (0.4, 0.6), (0.8, 0.6))
    page.wait_for_function("() => window.told.at(-1).C > 5")
    assert shown.drawn == pytest.approx(shown.explorer.following("C", shown.drawn["C"]), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("variances", [(0.0625, 0.5), (0.08, 0.6), (0.3, 0.3), (1.0, 0.02)])
@pytest.mark.parametrize("degrees", [0, 15, -30, 45, 90])
def test_the_price_of_turning_is_that_of_python(page, variances, degrees):
    found = Shown(page, "ellipse").numbers(
        angle=degrees, **{f"variance {i + 1}": value for i, value in enumerate(variances)}
    )
    given = 1 / torch.tensor(variances, dtype=torch.float64), 1.0, float(degrees)
    assert found["kept"] == pytest.approx(checks.axes._fixed_price(*given).item(), abs=1e-6)
    assert found["readjusted"] == pytest.approx(checks.axes._price(*given).item(), abs=1e-6)
    if variances[0] == variances[1]:
        assert found == pytest.approx({"kept": 0, "readjusted": 0}, abs=1e-12)


def test_the_ends_of_the_axes_are_dragged(page):
    shown = Shown(page, "ellipse")
    box = page.locator(".panels > div").first
    end = box.locator("circle").nth(1).bounding_box()  # of the second axis
    page.mouse.move(end["x"] + 6, end["y"] + 6)
    page.mouse.down()
    page.mouse.move(end["x"] - 8, end["y"] + 30, steps=10)
    page.mouse.up()
    page.wait_for_function("() => window.told.length > 0")
    assert shown.drawn["variance 1"] == 0.08 and shown.drawn["variance 2"] != 0.6
    assert shown.drawn["angle"] > 30


DISTANCES = (torch.linspace(-1, 1, 12).double()[:, None] - torch.linspace(-1, 1, 12).double()).square() / 0.02


def loss_of(code: torch.Tensor, beta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Likelihood cost and mean KL of means and log widths, as chapter 3 has them."""
    means, log_stds = code.split(12)
    cost = 0.5 * (confusions(means, log_stds.exp()) * DISTANCES).sum()
    return cost, gaussian.kl_per_latent(means, log_stds).mean()


@pytest.mark.parametrize(("beta", "cut", "tears"), [(8, 6, 0), (12, 3, 4)])
def test_a_descent_in_the_page_is_that_of_chapter_3(page, beta, cut, tears, screenshot):
    shown = Shown(page, "codes")
    code = torch.cat([torch.linspace(-1.5, 1.5, 12).double().roll(cut), torch.full((12,), math.log(0.1)).double()])
    names = [f"{kind} {i}" for kind in ("mean", "σ") for i in range(1, 13)]
    state = dict(zip(names, torch.cat([code[:12], code[12:].exp()]).tolist(), strict=True))
    cost, kl = loss_of(code, beta)
    found = shown.numbers(beta=beta, cut=cut, **state)
    assert (found["cost"], found["kl"]) == pytest.approx((cost.item(), kl.item()), abs=1e-6)
    page.get_by_role("button", name="descend").click()
    code.requires_grad_()
    optimizer = torch.optim.Adam([code], lr=0.02)
    for _ in range(900):
        cost, kl = loss_of(code, beta)
        optimizer.zero_grad()
        (cost + beta * kl).backward()
        optimizer.step()
    page.wait_for_function(
        "() => JSON.parse(document.querySelector('.minivae-explorer').dataset.numbers).step === 900", timeout=60_000
    )
    found = shown.found()
    cost, kl = loss_of(code, beta)
    assert (found["cost"], found["kl"]) == pytest.approx((cost.item(), kl.item()), abs=1e-6)
    end = torch.cat([code[:12], code[12:].exp()]).tolist()
    assert [shown.drawn[name] for name in names] == pytest.approx(end, abs=1e-6)
    assert found["tears"] == tears
    screenshot(page, f"chart_codes_{beta}_{cut}")


def test_a_code_is_dragged_and_another_cut_begins_anew(page):
    shown = Shown(page, "codes")
    assert shown.found()["tears"] == 1
    dot = page.locator(".panels > div").first.locator("circle").nth(0).bounding_box()  # of the first picture
    page.mouse.move(dot["x"] + 6, dot["y"] + 6)
    page.mouse.down()
    page.mouse.move(dot["x"] + 6, dot["y"] - 60, steps=10)
    page.mouse.up()
    page.wait_for_function("() => window.told.length > 0")
    assert shown.drawn["mean 1"] > 1 and shown.found()["tears"] == 2
    assert {name: value for name, value in shown.drawn.items() if name != "mean 1"} == pytest.approx(
        {name: value for name, value in shown.start.items() if name != "mean 1"}
    )
    shown.slider("cut").press("Home")
    shown.wait({"cut": 0, "mean 1": -1.5, "mean 12": 1.5})
    assert shown.found()["tears"] == 0


def test_a_descent_is_stopped_by_reset_and_begins_anew_at_another_cut(page):
    shown = Shown(page, "codes")
    page.get_by_role("button", name="descend").click()
    page.wait_for_function("() => window.told.at(-1)?.['mean 1'] > 0.15")  # Python is told on the way
    shown.slider("cut").press("Home")
    page.wait_for_function("() => window.told.at(-1)['mean 1'] < -1.3 && window.told.at(-1)['mean 1'] != -1.5")
    page.get_by_role("button", name="reset").click()
    shown.wait({"cut": 0, "mean 1": -1.5})
    page.wait_for_timeout(300)
    assert shown.drawn["mean 1"] == -1.5 and shown.found()["step"] == 0
    assert page.get_by_role("button", name="descend").inner_text() == "descend"


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize(("scheme", "end"), [("light", None), ("dark", None), ("light", "min"), ("light", "max")])
@pytest.mark.parametrize("name", MAKE)
def test_nothing_sticks_out(page, screenshot, name, end, width, scheme):
    page.set_viewport_size({"width": width, "height": 900 if width == 1280 else 1200})
    try:
        shown = Shown(page, name, scheme)
        if end is not None:
            shown.numbers(**{
                control["name"]: 10 ** control[end] if control.get("log") else control[end]
                for control in shown.explorer.spec["controls"] if "options" not in control
            })  # fmt: skip
        screenshot(page, f"chart_{name}_{width}_{scheme}_{end or 'start'}")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        # words lie within their drawing, and no two of them on one another
        cut = page.evaluate(
            """() => [...document.querySelectorAll(".panels > div")].flatMap(box => {
                const frame = box.getBoundingClientRect();
                const places = [...box.querySelectorAll("text")].filter(text => text.textContent)
                    .map(text => [text.textContent, text.getBoundingClientRect()]);
                const out = places.filter(([, p]) => p.left < frame.left - 1 || p.right > frame.right + 1 ||
                    p.top < frame.top - 1 || p.bottom > frame.bottom + 1).map(([text]) => text);
                const over = places.flatMap(([one, a], i) => places.slice(i + 1)
                    .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1)
                    .filter(([, b]) => a.top < b.bottom - 3 && b.top < a.bottom - 3).map(([two]) => `${one}/${two}`));
                return [...out, ...over];
            })"""
        )
        assert cut == []
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.parametrize("name", MAKE)
def test_a_key_a_drag_and_reset(page, name):
    shown = Shown(page, name)
    control = next(control for control in shown.explorer.spec["controls"] if "options" not in control)
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


@pytest.mark.parametrize(
    ("name", "chart", "handle", "moved"),
    [("water", 0, 0, "beta"), ("water", 1, 0, "C"), ("ellipse", 0, 1, "variance 2"), ("codes", 0, 2, "mean 3")],
)
def test_a_finger_moves_a_handle_and_scrolls_the_page_elsewhere(browser, name, chart, handle, moved):
    context = browser.new_context(has_touch=True, viewport={"width": 420, "height": 700})
    page = context.new_page()
    shown = Shown(page, name)
    page.evaluate("() => { document.body.style.paddingBottom = '2000px'; }")
    box = page.locator(".panels > div").nth(chart)
    box.evaluate("e => e.scrollIntoView()")

    def places():
        part = page.locator(".panels > div").nth(chart).bounding_box()
        at = [one.bounding_box() for one in box.locator(".handle").all()]
        return part, [(of["x"] + of["width"] / 2, of["y"] + of["height"] / 2) for of in at]

    frame, handles = places()
    # as far from any handle as can be
    x, y = max(
        ((frame["x"] + frame["width"] * u / 20, frame["y"] + frame["height"] * v / 20)
         for u in range(4, 19) for v in range(4, 17)),
        key=lambda at: min(abs(at[1] - b) + (name != "water" or chart) * abs(at[0] - a) for a, b in handles),
    )  # fmt: skip
    before = page.evaluate("() => scrollY")
    swipe(page, (x, y), (x, y - 150))
    assert page.evaluate("() => scrollY") > before + 50
    assert shown.drawn == pytest.approx(shown.start) and page.evaluate("() => window.told") == []
    box.evaluate("e => e.scrollIntoView()")
    page.evaluate("() => scrollBy(0, -60)")
    before = page.evaluate("() => scrollY")
    x, y = places()[1][handle]
    swipe(page, (x, y), (x + 25, y + 25))
    assert page.evaluate("() => scrollY") == before
    assert abs(shown.drawn[moved] - shown.start[moved]) > 0.01
    steps = len(page.evaluate("() => window.told"))
    assert steps > 3  # it followed the finger all along
    context.close()
