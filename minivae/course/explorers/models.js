// Views of trained VAEs: appendix A.1's encoder and decoder, computed in the page.

const ZOOM = 4;  // screen pixels per image pixel
const LIMIT = 3;  // traversals run over [−LIMIT, LIMIT], as in Figure 2

// Half-precision numbers as single-precision ones.
function singles(view) {
  const halves = new Uint16Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  return Float32Array.from(halves, (h) => {
    const exponent = (h >> 10) & 31, fraction = h & 1023;
    return (h & 32768 ? -1 : 1) * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
  });
}

const relu = (x) => {
  for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0;
  return x;
};

// y = W x + b
function linear(x, weight, bias) {
  const y = new Float32Array(bias);
  for (let i = 0, at = 0; i < y.length; i++) for (let j = 0; j < x.length; j++) y[i] += weight[at++] * x[j];
  return y;
}

// Transposed convolution, kernel 4, stride 2, padding 1: y[o][2i+k−1][2j+l−1] += w[c][o][k][l] x[c][i][j].
function grow(x, weight, bias, side) {
  const channels = x.length / side ** 2, out = bias.length, wide = 2 * side, y = new Float32Array(out * wide * wide);
  for (let o = 0; o < out; o++) {
    y.fill(bias[o], o * wide * wide, (o + 1) * wide * wide);
    for (let k = 0; k < 4; k++) {
      const last = k === 3 ? side - 1 : side;
      for (let i = k === 0 ? 1 : 0; i < last; i++) {
        const row = (o * wide + 2 * i + k - 1) * wide;
        for (let c = 0; c < channels; c++) {
          const at = ((c * out + o) * 4 + k) * 4, from = (c * side + i) * side;
          const w0 = weight[at], w1 = weight[at + 1], w2 = weight[at + 2], w3 = weight[at + 3];
          y[row] += w1 * x[from];
          for (let j = 0; j < side - 1; j++) {
            const here = x[from + j], next = x[from + j + 1];
            y[row + 2 * j + 1] += w2 * here + w0 * next;
            y[row + 2 * j + 2] += w3 * here + w1 * next;
          }
          y[row + wide - 1] += w2 * x[from + side - 1];
        }
      }
    }
  }
  return y;
}

// Convolution, kernel 4, stride 2, padding 1: y[o][i][j] += w[o][c][k][l] x[c][2i+k−1][2j+l−1].
function shrink(x, weight, bias, side) {
  const channels = x.length / side ** 2, half = side / 2, y = new Float32Array(bias.length * half * half);
  for (let o = 0, to = 0; o < bias.length; o++)
    for (let i = 0; i < half; i++)
      for (let j = 0; j < half; j++, to++) {
        let sum = bias[o];
        for (let c = 0; c < channels; c++)
          for (let k = 0; k < 4; k++) {
            const row = 2 * i + k - 1;
            if (row < 0 || row >= side) continue;
            const at = ((o * channels + c) * 4 + k) * 4, from = (c * side + row) * side;
            for (let l = 0; l < 4; l++) {
              const column = 2 * j + l - 1;
              if (column >= 0 && column < side) sum += weight[at + l] * x[from + column];
            }
          }
        y[to] = sum;
      }
  return y;
}

// The decoder: z → image (channels, size, size) in [0, 1]. The weights lie in the order of its layers.
function decoder(view, { channels, latents, size }) {
  const next = reader(view);
  const dense = [latents, 256, 256, 512].map((n, i, all) => (i ? [next(all[i - 1] * n), next(n)] : null)).slice(1);
  const up = [];
  for (let side = 4; side < size; side *= 2) {
    const out = 2 * side === size ? channels : 32;
    up.push([next(32 * out * 16), next(out), side]);
  }
  next.end();
  return (z) => {
    let x = Float32Array.from(z);
    for (const [weight, bias] of dense) x = relu(linear(x, weight, bias));
    up.forEach(([weight, bias, side], i) => {
      x = grow(x, weight, bias, side);
      if (i < up.length - 1) relu(x);
    });
    return x.map((logit) => 1 / (1 + Math.exp(-logit)));
  };
}

// The encoder: image (channels, size, size) → posterior { mean, std }.
function encoder(view, { channels, latents, size }) {
  const next = reader(view), down = [];
  for (let side = size; side > 4; side /= 2) down.push([next(32 * (side === size ? channels : 32) * 16), next(32), side]);
  const dense = [512, 256, 256, 2 * latents].map((n, i, all) => (i ? [next(all[i - 1] * n), next(n)] : null)).slice(1);
  next.end();
  return (image) => {
    let x = image;
    for (const [weight, bias, side] of down) x = relu(shrink(x, weight, bias, side));
    dense.forEach(([weight, bias], i) => {
      x = linear(x, weight, bias);
      if (i < dense.length - 1) relu(x);
    });
    return { mean: Array.from(x.slice(0, latents)), std: Array.from(x.slice(latents), Math.exp) };
  };
}

// Gives out weights one array after another.
function reader(view) {
  if (!view) throw new Error("the run has no weights");
  const all = singles(view);
  let at = 0;
  const next = (n) => all.subarray(at, (at += n));
  next.end = () => {
    if (at !== all.length) throw new Error(`the weights are ${all.length} numbers, but the model has ${at}`);
  };
  return next;
}

// An image (channels, size, size) in [0, 1] into a canvas's context at (x, y).
function paint(context, image, size, x = 0, y = 0) {
  const area = size * size, colour = image.length === 3 * area, data = context.createImageData(size, size);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) data.data[4 * i + c] = Math.round(255 * image[colour ? c * area + i : i]);
    data.data[4 * i + 3] = 255;
  }
  context.putImageData(data, x, y);
}

// A canvas of some pixels, each drawn as zoom × zoom.
function sheet(width, height, zoom, title) {
  const canvas = make("canvas", { width, height, title });
  canvas.style.width = `${width * zoom}px`;
  return canvas;
}

// What a canvas shows, as an image (channels, size, size) in [0, 1]; its luminance where there is one channel.
function imageOf(context, size, channels, top = 0) {
  const { data } = context.getImageData(0, top, size, size), area = size * size;
  const grey = (at) => 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
  const value = (i) => (channels === 1 ? grey(4 * i) : data[4 * (i % area) + Math.floor(i / area)]);
  return Float32Array.from({ length: channels * area }, (_, i) => value(i) / 255);
}

// The seed images, which a strip of one picture below the other holds.
async function seeds(spec) {
  const { size, channels } = spec.shape, strip = new Image();
  strip.src = spec.seeds;
  await strip.decode();
  const context = make("canvas", { width: size, height: strip.height }).getContext("2d", { willReadFrequently: true });
  context.drawImage(strip, 0, 0);
  return Array.from({ length: strip.height / size }, (_, i) => imageOf(context, size, channels, i * size));
}

// The nearest value that a latent's slider has.
const step = (x) => +(Math.round(Math.min(LIMIT, Math.max(-LIMIT, x)) / 0.05) * 0.05).toFixed(6);

// Values of a latent in a traversal.
const traversed = (n) => Array.from({ length: n }, (_, i) => -LIMIT + (2 * LIMIT * i) / (n - 1));

// Drag the latents of one model; draw or drop a picture of your own.
views.traversal = async (panel, home, act) => {
  const { spec } = home, { size, channels, latents } = spec.shape, buffers = await home.buffers();
  const images = await seeds(spec), decode = decoder(buffers["decoder"], spec.shape), later = slices();
  const encode = encoder(buffers["encoder"], spec.shape);
  const zoom = ZOOM * (64 / size), columns = 9, gap = Math.round(size / 16);
  const left = sheet(size, size, zoom, "the seed image, or yours: draw on it, or drop a picture");
  const right = sheet(size, size, zoom, "what the decoder draws");
  const strip = sheet(columns * (size + gap), size, zoom / 4, "traversal of the latent touched last");
  const pad = plane(act, spec);
  panel.append(left, right, pad.box);
  panel.after(strip);
  const seen = left.getContext("2d", { willReadFrequently: true }), drawn = right.getContext("2d");
  let own = null, shown = null, latent = spec.order[0];

  const posterior = (state) => own ?? { mean: spec.means[state.image], std: spec.stds[state.image] };
  const infer = () => {
    own = encode(imageOf(seen, size, channels));
    act.set(Object.fromEntries(own.mean.map((mean, i) => [`z${i}`, step(mean)])));
  };
  drawing(left, act.extra, { channels, infer });
  act.whenReset(() => (own = shown = null));

  return (state, touched) => {
    if (shown !== state.image) {
      own = null;
      paint(seen, images[state.image], size);
      shown = state.image;
    }
    const z = Array.from({ length: latents }, (_, i) => state[`z${i}`]), { mean, std } = posterior(state);
    for (let i = 0; i < latents; i++) act.sliders[`z${i}`].mark(mean[i] - std[i], mean[i] + std[i]);
    pad.draw(z, mean, std);
    if (touched !== "image") latent = +touched.slice(1);
    paint(drawn, decode(z), size);
    const context = strip.getContext("2d");
    later(traversed(columns).map((value, i) => () => {
      const code = Object.assign([...z], { [latent]: value });
      paint(context, decode(code), size, i * (size + gap));
    }));
    const nats = mean.reduce((sum, m, i) => sum + (m * m + std[i] ** 2 - 1) / 2 - Math.log(std[i]), 0);
    const name = own ? "your picture" : `seed image ${state.image}`;
    return `left: ${name}, whose posterior is ${nats.toFixed(1)} nats from the prior; right: decoded from the sliders' ` +
      `code; below: z${latent} from −3 to 3. Blue on the sliders: the posterior's mean ± σ`;
  };
};

// A plane of two latents to drag in: the prior's circles of 1, 2 and 3 σ, the posterior's ellipse, and the code.
function plane(act, spec) {
  const names = spec.order.map((i) => `z${i}`), side = 256, at = (x) => ((x + LIMIT) / (2 * LIMIT)) * side;
  const choose = (name, label) => make("select", { value: name, ariaLabel: label }, ...names.map((other) =>
    make("option", { textContent: other, selected: other === name })));
  const across = choose(names[0], "latent across"), upwards = choose(names[1] ?? names[0], "latent upwards");
  const field = make("div", { tabIndex: 0, title: "drag both latents; or press the arrow keys" });
  field.setAttribute("role", "application");
  field.setAttribute("aria-label", "two latents at once: arrow keys move the code");
  field.style.cssText = `width:${side}px;max-width:100%;touch-action:none;cursor:crosshair`;
  const box = make("div", {}, field, make("div", {}, "across ", across, " up ", upwards));
  let code = {};
  const to = (x, y) => act.set({ [across.value]: step(x), [upwards.value]: step(y) });
  const follow = (event) => {
    const place = field.getBoundingClientRect(), unit = (2 * LIMIT) / place.width;
    to((event.clientX - place.left) * unit - LIMIT, LIMIT - (event.clientY - place.top) * unit);
  };
  field.addEventListener("pointerdown", (event) => (field.setPointerCapture(event.pointerId), follow(event)));
  field.addEventListener("pointermove", (event) => event.buttons && follow(event));
  field.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation();
    to(code[across.value] + 0.1 * move[0], code[upwards.value] + 0.1 * move[1]);
  });
  for (const [one, other] of [[across, upwards], [upwards, across]]) one.addEventListener("change", () => {
    if (one.value === other.value) other.value = names.find((name) => name !== one.value) ?? one.value;
    act.redraw();
  });
  return {
    box,
    draw(z, mean, std) {
      code = Object.fromEntries(z.map((value, i) => [`z${i}`, value]));
      const [i, j] = [across, upwards].map((choice) => +choice.value.slice(1)), unit = side / (2 * LIMIT);
      const rings = [3, 2, 1].map((r) => `<circle cx="${side / 2}" cy="${side / 2}" r="${r * unit}" fill="currentColor"
        fill-opacity=".07"/>`).join("");
      field.innerHTML = `<svg viewBox="0 0 ${side} ${side}"><rect width="${side}" height="${side}" fill="none"
        stroke="currentColor" stroke-opacity=".4"/>${rings}<ellipse cx="${at(mean[i])}" cy="${side - at(mean[j])}"
        rx="${std[i] * unit}" ry="${std[j] * unit}" fill="#0072b2" fill-opacity=".35" stroke="#0072b2"/>
        <circle cx="${at(z[i])}" cy="${side - at(z[j])}" r="5" fill="#d55e00"/></svg>`;
    },
  };
}

// Lets the reader draw on a canvas with a finger or the mouse, or drop a picture on it.
function drawing(canvas, extra, { channels, infer }) {
  const context = canvas.getContext("2d"), size = canvas.width;
  const colour = make("input", { type: "color", value: "#ffffff", title: "colour to draw with" });
  const clear = make("button", { type: "button", textContent: "draw your own", title: "an empty picture to draw on" });
  const file = make("input", { type: "file", accept: "image/*", hidden: true });
  const open = make("button", { type: "button", textContent: "open a picture", title: "or drop one on the seed image" });
  canvas.style.touchAction = "none";
  canvas.style.cursor = "crosshair";
  extra.append(clear, open, file, ...(channels === 3 ? [colour] : []));
  let last = 0;
  const stroke = (event) => {
    const place = canvas.getBoundingClientRect(), unit = size / place.width;
    const x = (event.clientX - place.left) * unit, y = (event.clientY - place.top) * unit;
    Object.assign(context, { strokeStyle: colour.value, lineWidth: size / 6, lineCap: "round" });
    context.beginPath();
    context.moveTo(...(last || [x - 0.01, y]));
    context.lineTo(...(last = [x, y]));
    context.stroke();
    infer();
  };
  canvas.addEventListener("pointerdown", (event) => (canvas.setPointerCapture(event.pointerId), (last = 0), stroke(event)));
  canvas.addEventListener("pointermove", (event) => event.buttons && stroke(event));
  const empty = () => Object.assign(context, { fillStyle: "#000" }).fillRect(0, 0, size, size);
  clear.addEventListener("click", () => (empty(), infer()));
  // the middle square of a picture; grey where the model knows no colours
  const put = async (blob) => {
    const picture = await createImageBitmap(blob).catch(() => null);
    if (!picture) return void (open.textContent = "that is no picture: open another");
    const part = Math.min(picture.width, picture.height);
    empty();  // where the picture is transparent
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, (picture.width - part) / 2, (picture.height - part) / 2, part, part, 0, 0, size, size);
    paint(context, imageOf(context, size, channels), size);
    open.textContent = "open a picture";
    infer();
  };
  open.addEventListener("click", () => ((file.value = ""), file.click()));  // the same picture may be opened again
  file.addEventListener("change", () => file.files[0] && put(file.files[0]));
  const place = canvas.closest(".minivae-explorer");  // a browser leaves the page for a picture that nobody takes
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) put(event.dataTransfer.files[0]);
  });
}

// Traversals of all latents, one row a latent, of one model or of two side by side; controls choose which.
views.rows = async (panel, home) => {
  const { spec } = home, { size } = spec.shape, buffers = await home.buffers(), images = await seeds(spec);
  const decoders = Object.fromEntries(Object.entries(spec.models).map(([key, { means }]) =>
    [key, decoder(buffers[key], { ...spec.shape, latents: means[0].length })]));
  const columns = 5, gap = Math.round(size / 16), zoom = 64 / size, later = slices(), kept = new Map();
  panel.classList.add("wide");
  const sides = spec.panels.map(() => {
    const title = make("div"), rows = [];
    const box = make("div", {}, title);
    for (let r = 0; r <= spec.rows; r++) {
      const words = make("div"), canvas = sheet(columns * (size + gap) - gap, size, zoom, "");
      words.style.cssText = "flex:0 0 6em;align-self:center";
      const row = make("div", {}, words, make("div", {}, canvas));
      row.style.cssText = `display:flex;margin-bottom:${gap * zoom}px`;
      box.append(row);
      rows.push({ words, context: canvas.getContext("2d") });
    }
    panel.append(box);
    return { title, rows };
  });
  // decoded once, and remembered
  const drawn = (key, image, latent, value) => {
    const name = `${key} ${image} ${latent} ${value}`;
    if (!kept.has(name)) {
      const z = [...spec.models[key].means[image]];
      if (latent !== null) z[latent] = value;
      if (kept.size > 4000) kept.clear();
      kept.set(name, decoders[key](z));
    }
    return kept.get(name);
  };
  return (state) => {
    const tasks = [];
    spec.panels.forEach(({ by, model }, p) => {
      const key = String(by ? state[by] : model), { kl, order, title } = spec.models[key], { rows } = sides[p];
      sides[p].title.textContent = title;
      rows[0].words.textContent = "seed, redrawn";
      paint(rows[0].context, images[state.image], size);
      paint(rows[0].context, drawn(key, state.image, null), size, size + gap);
      order.slice(0, spec.rows).forEach((latent, r) => {
        const { words, context } = rows[r + 1];
        words.innerHTML = `z${latent}<br>${kl[latent].toFixed(2)} nats`;
        words.style.opacity = kl[latent] > spec.active ? 1 : 0.65;
        traversed(columns).forEach((value, i) => tasks.push(() =>
          paint(context, drawn(key, state.image, latent, value), size, i * (size + gap))));
      });
    });
    later(tasks);
  };
};
