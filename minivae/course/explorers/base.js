// What every explorer is in a page: a drawing above its controls. Notebooks (by anywidget) and the book use the same.
//
// A home holds an explorer: { spec, buffers, state, keep(state), listen(callback) }. A view draws: it is a function
// (panel, home, act) → draw(state, touched) → caption, and each file of views adds its own to `views`.

const views = {};

// An element of HTML with properties and children.
function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

// The numbers of a buffer, of a kind as Float64Array.
const numbers = (view, Kind) => new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));

// A control's value at a place of its slider, and the place of a value: a slider may be logarithmic, or a list.
const valueAt = ({ options, log }, place) => (options ? options[place][1] : log ? 10 ** place : place);
const placeOf = ({ options, log }, value) =>
  options ? options.findIndex(([, other]) => other === value) : log ? Math.log10(value) : value;

// One slider with its label and number; `moved` is told each value that the reader chooses.
function slider(control, moved) {
  const { label, options, prior, log, digits } = control;
  const { min, max, step } = options ? { min: 0, max: options.length - 1, step: 1 } : control;
  const input = make("input", { type: "range", min, max, step }), output = make("output", { ariaLive: "off" });
  const band = make("i", { hidden: true });
  const track = make("div", { className: prior ? "track prior" : "track" }, make("span", {}, band), input);
  const tell = () => moved(valueAt(control, +input.value));
  input.addEventListener("input", tell);
  return {
    input, tell,
    nearest: (value) => ((input.value = placeOf(control, value)), valueAt(control, +input.value)),
    row: make("label", { className: "control" }, make("span", { textContent: label }), track, output),
    show(value) {
      input.value = placeOf(control, value);
      output.textContent = options ? options[placeOf(control, value)][0]
        : (log && value < 0.1 ? value.toPrecision(2) : value.toFixed(digits)).replace("-", "−");
      input.setAttribute("aria-valuetext", output.textContent);
    },
    // a band from low to high behind the handle
    mark(low, high) {
      const [left, right] = [low, high].map((x) => (100 * (Math.min(max, Math.max(min, x)) - min)) / (max - min));
      Object.assign(band, { hidden: false }).style.cssText = `left:${left}%;width:${right - left}%`;
    },
  };
}

// Lets the reader drag in a box: `moved` is told places in parts of its width and height, the first of them with
// `true`. The mouse may press anywhere, a finger only on handles: elsewhere it scrolls the page.
function dragging(box, moved) {
  let held = false;
  const tell = (event) => {
    const frame = box.getBoundingClientRect(), first = event.type === "pointerdown";
    moved([(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height], first);
  };
  box.classList.add("draggable");
  const hold = (event) => event.target.closest(".handle") && event.preventDefault();
  box.addEventListener("touchstart", hold, { passive: false });  // browsers heed no touch-action within an SVG
  box.addEventListener("pointerdown", (event) => {
    held = event.pointerType !== "touch" || event.target.closest(".handle");
    if (held) (box.setPointerCapture(event.pointerId), tell(event));
  });
  box.addEventListener("pointermove", (event) => held && event.buttons && tell(event));
}

// Puts an explorer into a page's element.
async function mount(host, home) {
  const { spec } = home, { follow = {} } = spec, sliders = {};
  let state = { ...home.state }, touched = spec.controls[0].name, playing = null, frame = null, draw;
  // a view may do more at a reset, and let other controls follow those that are moved
  const act = { sliders, whenReset() {}, alongside: () => ({}), extra: make("div", { className: "buttons" }) };

  act.redraw = () => {
    frame ??= requestAnimationFrame(() => {
      frame = null;
      for (const name in sliders) sliders[name].show(state[name]);
      caption.innerHTML = draw(state, touched) ?? "";
      host.dataset.drawn = JSON.stringify(state);  // so that a test knows what it sees
    });
  };
  act.set = (changes) => {
    state = { ...state, ...changes };
    home.keep(state);
    act.redraw();
  };
  const move = (name, value) => {
    touched = name;
    act.set({ [name]: value, ...follow[name]?.[value], ...act.alongside(name, value) });
  };
  // by hand, to the nearest values that the sliders have
  act.move = (changes) => {
    stop();
    for (const name in changes) move(name, sliders[name].nearest(changes[name]));
  };
  const reset = () => {
    stop();
    act.whenReset();
    const kept = Object.keys(follow).map((name) => ({ [name]: state[name], ...follow[name][state[name]] }));
    act.set(Object.assign({}, spec.start, ...kept));
  };
  // there and back through the control that was touched last
  const start = () => {
    const { input, tell } = sliders[touched], steps = Math.ceil((input.max - input.min) / input.step / 20);
    let way = 1;
    play.textContent = "stop";
    playing = setInterval(() => {
      if (!host.isConnected) return stop();
      if (input.value === (way > 0 ? input.max : input.min)) way = -way;
      input.stepUp(way * steps);
      tell();
    }, 100);
  };
  const stop = () => {
    playing = clearInterval(playing);
    play.textContent = "play";
  };

  const panel = make("div", { className: "panels", role: "group", ariaLabel: spec.about });
  const caption = make("div", { className: "caption" }), rows = make("div");
  const play = make("button", { textContent: "play", type: "button", title: "move the control touched last" });
  const back = make("button", { textContent: "reset", type: "button", title: "back to where it began" });
  play.addEventListener("click", () => (playing ? stop() : start()));
  back.addEventListener("click", reset);
  host.classList.add("minivae-explorer");
  host.append(make("b", { textContent: spec.title }), panel);
  try {
    draw = await views[spec.view](panel, home, act);
  } catch (error) {
    const textContent = `This explorer cannot be shown: ${error.message}`;
    panel.replaceChildren(make("p", { className: "wrong", textContent }));
    return;
  }
  const folded = make("details", {}, make("summary", { textContent: spec.fold }));
  for (const control of spec.controls) {
    const of = (sliders[control.name] = slider(control, (value) => move(control.name, value)));
    // taken by hand, even where that moves nothing: End at the end
    for (const event of ["input", "pointerdown", "keydown"]) of.input.addEventListener(event, stop);
    (control.folded ? folded : rows).append(of.row);
  }
  if (folded.children.length > 1) rows.append(folded);
  host.querySelectorAll(":scope > img").forEach((still) => still.remove());  // it stood there until something is drawn
  host.append(caption, rows, make("div", { className: "buttons" }, play, back), act.extra);
  host.addEventListener("keydown", (event) => {
    // else JupyterLab takes the slider's keys, and letters cut its cell or delete it
    if (/^(Arrow|Page|Home|End|.$)/.test(event.key) && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  });
  home.listen((changed) => {
    if (spec.controls.some(({ name }) => changed[name] !== state[name])) {
      state = { ...changed };
      act.redraw();
    }
  });
  act.redraw();
}
