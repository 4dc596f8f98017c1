// What every explorer is in a page: a drawing above its controls. A model, anywidget's or the book's,
// holds spec, buffers and state. A view draws: it is a function (panel, act) → draw(state, touched) →
// caption, and each file of views adds its own here.
const views = {};

// An element of HTML with properties and children.
function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

// The numbers of a buffer, of a kind as Float64Array.
const numbers = (of, Kind) => new Kind(of.buffer.slice(of.byteOffset, of.byteOffset + of.byteLength));
const range = (n, f = (i) => i) => Array.from({ length: n }, (_, i) => f(i));
const grid = (low, high, n) => range(n, (i) => low + ((high - low) * i) / (n - 1));
const sum = (values) => values.reduce((total, value) => total + value, 0);
const words = (value, digits = 2) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
const klToPrior = (mean, std) => 0.5 * (mean * mean + std * std - 1) - Math.log(std);

// One slider with its label, its number and a band behind its handle; it may be logarithmic, or go through a
// list. `moved` is told each value that the reader chooses.
function slider({ label, options, log, digits, min = 0, max = options.length - 1, step = 1 }, moved) {
  const input = make("input", { type: "range", min, max, step }), band = make("i");
  const text = make("output", { ariaLive: "off" }), track = make("div", { className: "track" }, band, input);
  const row = make("label", { className: "control" }, make("span", { textContent: label }), track, text);
  const chosen = () => (options ? options[input.value][1] : log ? 10 ** input.value : +input.value);
  const show = (value) => {
    input.value = options ? options.findIndex(([, of]) => of === value) : log ? Math.log10(value) : value;
    input.ariaValueText = text.textContent = options ? options[input.value][0]
      : log && value < 0.1 ? value.toPrecision(2) : words(value, digits);
    return chosen();  // the nearest that it has
  };
  input.oninput = () => moved(chosen());
  return { row, input, band, show };
}

// Lets the reader drag in a box: `moved` is told places in parts of its width and height, the first of them
// with `true`. The mouse may press anywhere, a finger only on handles: elsewhere it scrolls the page.
function dragging(box, moved) {
  const handle = (event) => event.target.closest(".handle");
  box.classList.add("draggable");
  // browsers heed no touch-action within an SVG
  box.addEventListener("touchstart", (event) => handle(event) && event.preventDefault(), { passive: false });
  box.onpointerdown = box.onpointermove = (event) => {
    const { left, top, width, height } = box.getBoundingClientRect(), { pointerId, clientX, clientY } = event;
    const first = event.type === "pointerdown", held = event.pointerType !== "touch" || handle(event);
    if (first) box[held ? "setPointerCapture" : "releasePointerCapture"](pointerId);  // else canvases keep it
    if (box.hasPointerCapture(pointerId)) moved([(clientX - left) / width, (clientY - top) / height], first);
  };
}

// Puts an explorer into a page's element.
async function mount(host, model) {
  const spec = model.get("spec"), sliders = {};
  let touched = spec.controls[0].name, waiting = [], frame = null, playing = null, way = 1, draw;
  const title = make("b", { textContent: spec.title }), caption = make("div", { className: "caption" });
  const panel = make("div", { className: "panels", role: "group", ariaLabel: spec.about });
  const play = make("button", { textContent: "play", title: "move the control touched last" });
  const reset = make("button", { textContent: "reset", title: "back to where it began" });
  const show = () => {
    const state = model.get("state");
    for (const name in sliders) sliders[name].show(state[name]);
    caption.innerHTML = draw(state, touched) ?? "";
    host.dataset.drawn = JSON.stringify(state);  // so that a test knows what it sees
  };
  // what waits is done in slices of some milliseconds, so that the page never stutters
  const turn = () => {
    frame = null;
    for (const end = performance.now() + 10; waiting.length && performance.now() < end; ) waiting.shift()();
    if (waiting.length) frame ??= requestAnimationFrame(turn);
  };
  const act = {
    host, spec, sliders, reset, buttons: make("div", { className: "buttons" }, play, reset),
    redraw() {
      waiting = [show];
      frame ??= requestAnimationFrame(turn);
    },
    later: (task) => waiting.push(task),
    // a control that is moved, and those that follow it; a view may know more of these
    following: (name, value) => ({ [name]: value, ...spec.follow?.[name]?.[value] }),
    choose: (name, value) => act.set(act.following(name, value), name),
    set(changes, name = touched) {
      touched = name;
      model.set("state", { ...model.get("state"), ...changes });
      model.save_changes();
      act.redraw();
    },
    // by hand, to the nearest values that the sliders have
    move(changes) {
      run(false);
      for (const name in changes) act.choose(name, sliders[name].show(changes[name]));
    },
  };
  const run = (on) => {
    clearInterval(playing);
    playing = on && setInterval(step, 100);
    play.textContent = on ? "stop" : "play";
  };
  // there and back through the control that was touched last
  const step = () => {
    if (!host.isConnected) return run(false);
    const { input } = sliders[touched];
    if (input.value === (way > 0 ? input.max : input.min)) way = -way;
    input.stepUp(way * Math.ceil((input.max - input.min) / input.step / 20));
    input.oninput();
  };
  play.onclick = () => run(!playing);
  reset.onclick = () => {
    run(false);
    const kept = Object.keys(spec.follow ?? {}).map((name) => act.following(name, model.get("state")[name]));
    act.set(Object.assign({}, spec.start, ...kept));
  };
  try {
    act.buffers = await model.get("buffers");
    draw = await views[spec.view](panel, act);
  } catch ({ message }) {
    const textContent = `This explorer cannot be shown: ${message}`;
    return host.append(title, make("p", { className: "wrong", textContent }));
  }
  const rows = make("div"), folded = make("details", {}, make("summary", { textContent: spec.fold }));
  for (const { folded: away, name, ...control } of spec.controls) {
    sliders[name] = slider(control, (value) => act.choose(name, value));
    (away ? folded : rows).append(sliders[name].row);
  }
  if (folded.children.length > 1) rows.append(folded);
  // taken by hand, even where that moves nothing
  rows.oninput = rows.onpointerdown = rows.onkeydown = () => run(false);
  host.replaceChildren(title, panel, caption, rows, act.buttons);  // in place of the still
  host.onkeydown = (event) => {  // else JupyterLab takes them, and letters cut its cell or delete it
    if (event.ctrlKey || event.metaKey || !/^(Arrow|Page|Home|End|.$)/.test(event.key)) return;
    event.stopPropagation();
  };
  model.on("change:state", () => host.parentElement && act.redraw());
  act.redraw();
}
