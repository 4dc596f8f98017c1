// What every explorer is in a page: a drawing above its controls. JupyterLab (by anywidget) and the book use the same.
//
// A home holds an explorer: { spec, buffers, state, keep(state), listen(callback) }. A view draws: it is a function
// (panel, home, act) → draw(state, touched), and each file of views adds its own to `views`.

const views = {};

const STYLE = `
.minivae-explorer { max-width: 900px; color: inherit; line-height: 1.4; }
.minivae-explorer .panels { display: grid; gap: 8px; margin: 4px 0; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); max-width: 784px; }
.minivae-explorer .panels.wide { grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr));
  max-width: 888px; }
.minivae-explorer .panels.charts { display: flex; flex-wrap: wrap; max-width: none; }
.minivae-explorer canvas { image-rendering: pixelated; max-width: 100%; display: block; }
.minivae-explorer svg { max-width: 100%; height: auto; display: block; }
.minivae-explorer svg text { fill: currentColor; font: 12px sans-serif; }
.minivae-explorer .caption { min-height: 1.4em; }
.minivae-explorer label { display: flex; align-items: center; gap: .6em; max-width: 38em; }
.minivae-explorer label > span { flex: 0 0 9em; text-align: right; }
.minivae-explorer label > output { flex: 0 0 4.5em; }
.minivae-explorer .track { flex: 1; position: relative; display: flex; align-items: center; }
.minivae-explorer .track i { position: absolute; height: 14px; min-width: 3px; background: #0072b2; opacity: .45; }
.minivae-explorer .track.prior { border-radius: 3px;
  background: radial-gradient(closest-side, color-mix(in srgb, currentColor 30%, transparent), transparent); }
.minivae-explorer input[type=range] { width: 100%; margin: 2px 0; height: 18px; position: relative; appearance: none;
  background: linear-gradient(currentColor, currentColor) center / 100% 2px no-repeat; cursor: pointer; }
.minivae-explorer input[type=range]::-webkit-slider-thumb { appearance: none; width: 16px; height: 16px;
  border-radius: 50%; background: #d55e00; border: 0; }
.minivae-explorer input[type=range]::-moz-range-thumb { width: 16px; height: 16px; border-radius: 50%;
  background: #d55e00; border: 0; }
.minivae-explorer .buttons { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 4px; align-items: center; }
.minivae-explorer button { color: inherit; font: inherit; background: transparent; border: 1px solid; border-radius: 3px;
  padding: 0 .6em; cursor: pointer; }
.minivae-explorer .wrong { border: 1px solid; padding: .3em .6em; }
`;

// An element of HTML with properties and children.
function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

// A control's value at a place of its slider, and the place of a value: a slider may be logarithmic, or a list.
const valueAt = (control, place) =>
  control.options ? control.options[place][1] : control.log ? 10 ** place : place;
const placeOf = (control, value) =>
  control.options ? control.options.findIndex(([, other]) => other === value) : control.log ? Math.log10(value) : value;
const readout = (control, value) =>
  control.options ? control.options[placeOf(control, value)][0]
    : (control.log && value < 0.1 ? value.toPrecision(2) : value.toFixed(control.digits)).replace("-", "−");

// Runs tasks in slices of some milliseconds, so that the page never stutters; new tasks replace those that wait.
function slices(milliseconds = 8) {
  let waiting = [], running = false;
  const turn = () => {
    const end = performance.now() + milliseconds;
    while (waiting.length && performance.now() < end) waiting.shift()();
    running = waiting.length > 0;
    if (running) requestAnimationFrame(turn);
  };
  return (tasks) => {
    waiting = tasks;
    if (!running && tasks.length) requestAnimationFrame(turn);
    running ||= tasks.length > 0;
  };
}

// One slider with its label and number; `moved` is told each value that the reader chooses.
function slider(control, moved) {
  const list = control.options;
  const input = make("input", {
    type: "range", min: list ? 0 : control.min, max: list ? list.length - 1 : control.max, step: list ? 1 : control.step,
  });
  const output = make("output", { ariaLive: "off" });  // the slider itself is read out
  const band = make("i", { hidden: true });
  const track = make("div", { className: control.prior ? "track prior" : "track" }, band, input);
  const label = make("label", { className: "control" }, make("span", { textContent: control.label }), track, output);
  input.addEventListener("input", () => moved(valueAt(control, +input.value)));
  const span = control.max - control.min;
  return {
    label, input,
    show(value) {
      input.value = placeOf(control, value);
      output.textContent = readout(control, value);
      input.setAttribute("aria-valuetext", output.textContent);
    },
    // a band from low to high behind the handle, whose middle runs from half its width to the track's end less that
    mark(low, high) {
      const part = (x) => Math.min(1, Math.max(0, (x - control.min) / span));
      const at = (x) => `calc(8px + (100% - 16px) * ${part(x).toFixed(4)})`;
      band.hidden = false;
      band.style.left = at(low);
      band.style.width = `calc((100% - 16px) * ${(part(high) - part(low)).toFixed(4)})`;
    },
  };
}

// Puts an explorer into a page's element.
async function mount(host, home) {
  const { spec } = home;
  let state = { ...home.state }, touched = spec.controls[0].name, playing = null, frame = null;
  const controls = Object.fromEntries(spec.controls.map((control) => [control.name, control]));
  const sliders = {};

  const redraw = () => {
    frame ??= draw && requestAnimationFrame(() => {
      frame = null;
      for (const name in sliders) sliders[name].show(state[name]);
      caption.innerHTML = draw(state, touched) ?? "";
      host.dataset.drawn = JSON.stringify(state);  // so that a test knows what it sees
    });
  };
  const set = (changes) => {
    state = { ...state, ...changes };
    home.keep(state);
    redraw();
  };
  const touch = (name, value) => {
    touched = name;
    set({ [name]: value, ...(spec.follow?.[name]?.[value] ?? {}), ...alongside(name, value) });
  };
  const reset = () => {
    stop();
    const kept = Object.fromEntries(Object.keys(spec.follow ?? {}).map((name) => [name, state[name]]));
    const followed = Object.keys(kept).map((name) => spec.follow[name][kept[name]]);
    whenReset();
    set(Object.assign({}, spec.start, kept, ...followed));
  };
  // there and back through the control that was touched last
  const steps = (control) => {
    const n = control.options?.length ?? Math.min(21, Math.round((control.max - control.min) / control.step) + 1);
    const low = control.options ? 0 : control.min, high = control.options ? n - 1 : control.max;
    const there = Array.from({ length: n }, (_, i) => valueAt(control, +(low + ((high - low) * i) / (n - 1)).toFixed(6)));
    return [...there, ...there.slice(1, -1).reverse()];
  };
  const stop = () => {
    clearInterval(playing);
    playing = null;
    play.textContent = "play";
  };
  const start = () => {
    const control = controls[touched], values = steps(control), here = placeOf(control, state[touched]);
    let i = values.findIndex((value) => placeOf(control, value) >= here);
    play.textContent = "stop";
    playing = setInterval(() => host.parentElement ? touch(touched, values[(i = (i + 1) % values.length)]) : stop(), 100);
  };

  const panel = make("div", { className: "panels", role: "group", ariaLabel: spec.about });
  const caption = make("div", { className: "caption" });
  const rows = make("div"), folded = make("details", {}, make("summary", { textContent: spec.fold ?? "" }));
  for (const control of spec.controls) {
    const row = slider(control, (value) => (stop(), touch(control.name, value)));
    sliders[control.name] = row;
    (control.folded ? folded : rows).append(row.label);
  }
  if (folded.children.length > 1) rows.append(folded);
  const play = make("button", { textContent: "play", type: "button", title: "move the control touched last" });
  const back = make("button", { textContent: "reset", type: "button", title: "back to where it began" });
  play.addEventListener("click", () => (playing ? stop() : start()));
  back.addEventListener("click", reset);
  const extra = make("div", { className: "buttons" });
  host.classList.add("minivae-explorer");
  host.addEventListener("keydown", (event) => {
    // else JupyterLab takes the slider's keys, and letters cut its cell or delete it
    if (/^(Arrow|Page|Home|End|.$)/.test(event.key) && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  const stills = host.querySelectorAll("img");
  host.replaceChildren(
    make("style", { textContent: STYLE }), make("b", { textContent: spec.title }), panel, ...stills, caption, rows,
    make("div", { className: "buttons" }, play, back), extra,
  );
  home.listen((changed) => {
    if (spec.controls.some(({ name }) => changed[name] !== state[name])) {
      state = { ...changed };
      redraw();
    }
  });
  // a view may do more at a reset, and let other controls follow the one that is touched
  let draw, whenReset = () => {}, alongside = () => ({});
  const act = {
    set, redraw, sliders, extra, touch: (name, value) => (stop(), touch(name, value)),
    whenReset: (f) => (whenReset = f), alongside: (f) => (alongside = f),
  };
  try {
    draw = await views[spec.view](panel, home, act);
  } catch (error) {
    panel.replaceChildren(make("p", { className: "wrong", textContent: `This explorer cannot be shown: ${error.message}` }));
    host.replaceChildren(...[...host.children].slice(0, 2), panel, ...stills);
    return;
  }
  stills.forEach((still) => still.remove());  // what was there before is there until something else is drawn
  redraw();
}

// anywidget's door
export default {
  async render({ model, el }) {
    const host = make("div");
    el.append(host);
    await mount(host, {
      spec: model.get("spec"),
      buffers: async () => model.get("buffers"),
      state: model.get("state"),
      keep(state) {
        model.set("state", state);
        model.save_changes();
      },
      listen: (callback) => model.on("change:state", () => host.parentElement && callback(model.get("state"))),
    });
    return () => host.remove();  // when the cell is run again: the old view neither draws nor plays on
  },
};
