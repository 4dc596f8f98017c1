// Views of trained VAEs: appendix A.1's encoder and decoder, computed in the page.

const LIMIT = 3;  // traversals run over [−LIMIT, LIMIT], as in Figure 2
const traversed = (n) => Array.from({ length: n }, (_, i) => -LIMIT + (2 * LIMIT * i) / (n - 1));

// Half-precision numbers as single-precision ones.
function singles(view) {
  if (!view) throw new Error("the run has no weights");
  return Float32Array.from(numbers(view, Uint16Array), (h) => {
    const exponent = (h >> 10) & 31, fraction = h & 1023;
    return (h & 32768 ? -1 : 1) * (exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction);
  });
}

// y = W x + b
function linear(x, weight, bias) {
  return bias.map((y, i) => {
    for (let j = 0, at = i * x.length; j < x.length; j++) y += weight[at++] * x[j];
    return y;
  });
}

// Convolution of kernel 4, stride 2 and padding 1, from planes of 2·side pixels to 32 planes of side × side; or, the
// other way, its transpose. w[s][b][k][l] lies between small[s][i][j] and big[b][2i+k−1][2j+l−1].
function convolve(x, weight, bias, side, transposed) {
  const wide = 2 * side, area = (transposed ? wide : side) ** 2, y = new Float32Array(bias.length * area);
  bias.forEach((value, i) => y.fill(value, i * area, (i + 1) * area));
  for (let row = 0; row < weight.length / 128; row++)  // of a kernel: b and k
    for (let s = 0; s < 32; s++) {
      const [w0, w1, w2, w3] = weight.subarray((s * weight.length) / 32 + 4 * row), k = row % 4;
      for (let i = k ? 0 : 1; i < (k < 3 ? side : side - 1); i++) {
        const first = ((row >> 2) * wide + 2 * i + k - 1) * wide, last = first + wide - 1;
        let small = (s * side + i) * side, big = first + 1;
        if (transposed) {
          let before = x[small++];
          y[first] += w1 * before;
          for (; big < last; small++) {
            const here = x[small];
            y[big++] += w2 * before + w0 * here;
            y[big++] += w3 * before + w1 * here;
            before = here;
          }
          y[last] += w2 * before;
        } else {
          y[small++] += w1 * x[first] + w2 * x[big] + w3 * x[big + 1];
          for (; big < last - 2; big += 2)
            y[small++] += w0 * x[big] + w1 * x[big + 1] + w2 * x[big + 2] + w3 * x[big + 3];
          y[small] += w0 * x[big] + w1 * x[big + 1] + w2 * x[last];
        }
      }
    }
  return y;
}

// A network whose weights lie in the order of its layers, with ReLUs between them.
function network(view, { channels, size }, before, transposed, after) {
  const all = singles(view), sides = [];
  let at = 0;
  const take = (n) => all.subarray(at, (at += n));
  const dense = (sizes) => sizes.slice(1).map((n, i) => {
    const weight = take(n * sizes[i]), bias = take(n);
    return (x) => linear(x, weight, bias);
  });
  for (let side = 4; side < size; side *= 2) transposed ? sides.push(side) : sides.unshift(side);
  const layers = [...dense(before), ...sides.map((side) => {
    const outer = 2 * side === size ? channels : 32, weight = take(512 * outer), bias = take(transposed ? outer : 32);
    return (x) => convolve(x, weight, bias, side, transposed);
  }), ...dense(after)];
  if (at !== all.length) throw new Error(`the weights are ${all.length} numbers, but the model has ${at}`);
  return (x) => layers.reduce((y, layer, i) => layer(i ? y.map((value) => Math.max(0, value)) : y), x);
}

// z → image (channels, size, size) in [0, 1]
function decoder(view, shape) {
  const logits = network(view, shape, [shape.latents, 256, 256, 512], true, []);
  return (z) => logits(z).map((logit) => 1 / (1 + Math.exp(-logit)));
}

// image (channels, size, size) → posterior { mean, std }
function encoder(view, shape) {
  const { latents } = shape, head = network(view, shape, [], false, [512, 256, 256, 2 * latents]);
  return (image) => {
    const both = Array.from(head(image));
    return { mean: both.slice(0, latents), std: both.slice(latents).map(Math.exp) };
  };
}

// A canvas of pictures beside one another, each of size × size pixels and so wide on the screen.
function sheet(size, wide, columns = 1, title = "") {
  const pitch = size + Math.round(size / 16), area = size * size;
  const canvas = make("canvas", { width: (columns - 1) * pitch + size, height: size, title });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  canvas.style.width = `${(canvas.width * wide) / size}px`;
  return {
    canvas, context,
    // an image (channels, size, size) in [0, 1]
    paint(image, column = 0) {
      const data = context.createImageData(size, size), plane = image.length > area ? area : 0;
      for (let i = 0; i < area; i++) {
        for (let c = 0; c < 3; c++) data.data[4 * i + c] = Math.round(255 * image[c * plane + i]);
        data.data[4 * i + 3] = 255;
      }
      context.putImageData(data, column * pitch, 0);
    },
  };
}

// What a canvas shows, as an image (channels, size, size) in [0, 1]; its luminance where there is one channel.
function imageOf(context, size, channels, top = 0) {
  const { data } = context.getImageData(0, top, size, size), area = size * size;
  const grey = (at) => 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
  const value = (i) => (channels === 1 ? grey(4 * i) : data[4 * (i % area) + Math.floor(i / area)]);
  return Float32Array.from({ length: channels * area }, (_, i) => value(i) / 255);
}

// The images of a strip, one of size × size pixels below the other.
async function images(address, size, channels) {
  const strip = make("img", { src: address });
  await strip.decode();
  const context = make("canvas", { width: size, height: strip.height }).getContext("2d", { willReadFrequently: true });
  context.drawImage(strip, 0, 0);
  return Array.from({ length: strip.height / size }, (_, i) => imageOf(context, size, channels, i * size));
}

// Runs tasks in slices of some milliseconds, so that the page never stutters; new tasks replace those that wait.
function slices() {
  let waiting = [], frame = null;
  const turn = () => {
    for (const end = performance.now() + 8; waiting.length && performance.now() < end; ) waiting.shift()();
    frame = waiting.length ? requestAnimationFrame(turn) : null;
  };
  return (tasks) => {
    waiting = tasks;
    frame ??= requestAnimationFrame(turn);
  };
}

// Drag the latents of one model, one by one or the two touched last in a plane; draw or open a picture of your own.
views.traversal = async (panel, home, act) => {
  const { spec } = home, { size, channels, latents } = spec.shape, buffers = await home.buffers();
  const decode = decoder(buffers.decoder, spec.shape), encode = encoder(buffers.encoder, spec.shape);
  const seeds = await images(spec.seeds, size, channels), later = slices(), columns = 9;
  const left = sheet(size, 256, 1, "the seed image, or yours: draw on it, or drop a picture");
  const right = sheet(size, 256, 1, "what the decoder draws");
  const strip = sheet(size, 64, columns, "traversal of the latent touched last");
  const field = make("div", { title: "drag two latents: those touched last" });
  panel.append(left.canvas, right.canvas, field);
  panel.after(strip.canvas);
  let own = null, shown = null, latent = spec.order[0], [across, up = across] = spec.order;
  dragging(field, ([x, y]) => act.move({ [`z${up}`]: LIMIT * (1 - 2 * y), [`z${across}`]: LIMIT * (2 * x - 1) }));
  drawing(left, panel.parentElement, act.extra, channels, () => {
    own = encode(imageOf(left.context, size, channels));
    act.set(Object.fromEntries(own.mean.map((mean, i) => [`z${i}`, Math.min(LIMIT, Math.max(-LIMIT, mean))])));
  });
  act.whenReset = () => (own = shown = null);

  return (state, touched) => {
    if (shown !== state.image) {
      own = null;
      left.paint(seeds[(shown = state.image)]);
      left.canvas.classList.remove("handle");
    }
    if (touched !== "image") latent = +touched.slice(1);
    if (latent !== across && latent !== up) [across, up] = [up, latent];
    const z = Array.from({ length: latents }, (_, i) => state[`z${i}`]);
    const { mean, std } = own ?? { mean: spec.means[state.image], std: spec.stds[state.image] };
    for (let i = 0; i < latents; i++) act.sliders[`z${i}`].mark(mean[i] - std[i], mean[i] + std[i]);
    right.paint(decode(z));
    later(traversed(columns).map((value, i) => () => strip.paint(decode(z.with(latent, value)), i)));
    field.innerHTML = plane(across, up, z, mean, std);
    const nats = mean.reduce((sum, m, i) => sum + (m * m + std[i] ** 2 - 1) / 2 - Math.log(std[i]), 0);
    const name = own ? "your picture" : `seed image ${state.image}`;
    return `left: ${name}, whose posterior is ${nats.toFixed(1)} nats from the prior; beside it: decoded from the ` +
      `sliders' code; in the plane: z${across} across, z${up} upwards; below: z${latent} from −3 to 3. Blue: the ` +
      "posterior's mean ± σ";
  };
};

// Two latents: the prior's circles of 1, 2 and 3 σ, the posterior's ellipse, and the code to drag.
function plane(i, j, z, mean, std) {
  const code = `${z[i]},${-z[j]}`, prior = [3, 2, 1].map((r) => `<circle r="${r}" fill-opacity=".07"/>`).join("");
  return `<svg viewBox="-3 -3 6 6" width="256" fill="currentColor" stroke-width=".03">${prior}
    <rect x="-3" y="-3" width="6" height="6" fill="none" stroke="currentColor"/>
    <ellipse cx="${mean[i]}" cy="${-mean[j]}" rx="${std[i]}" ry="${std[j]}" fill="#0072b2" fill-opacity=".35"
      stroke="#0072b2"/><circle cx="${z[i]}" cy="${-z[j]}" r=".12" fill="#d55e00"/>
    <polyline class="handle" points="${code} ${code}" stroke-width="1"/></svg>`;
}

// Lets the reader draw on a sheet with a finger or the mouse, open a picture or drop one; `done` is told of each.
function drawing({ canvas, context, paint }, host, extra, channels, done) {
  const size = canvas.width;
  const empty = () => Object.assign(context, { fillStyle: "#000" }).fillRect(0, 0, size, size);
  const colour = make("input", { type: "color", value: "#ffffff", title: "colour to draw with" });
  const clear = make("button", { type: "button", textContent: "draw your own", title: "an empty picture to draw on" });
  const file = make("input", { type: "file", accept: "image/*", title: "open a picture, or drop one on the explorer" });
  extra.append(clear, ...(channels === 3 ? [colour] : []), file);
  clear.addEventListener("click", () => {
    canvas.classList.add("handle");
    empty();
    done();
  });
  let last;
  dragging(canvas, ([x, y], first) => {
    const here = [x * size, y * size];
    Object.assign(context, { strokeStyle: colour.value, lineWidth: size / 6, lineCap: "round" });
    context.beginPath();
    context.moveTo(...(first ? here : last));
    context.lineTo(...(last = here));
    context.stroke();
    done();
  });
  // the middle square of a picture; grey where the model knows no colours
  const put = async (blob) => {
    const picture = await createImageBitmap(blob).catch(() => null);
    file.setCustomValidity(picture ? "" : "that is no picture: open another");
    if (!file.reportValidity()) return;
    const part = Math.min(picture.width, picture.height);
    empty();  // where the picture is transparent
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, (picture.width - part) / 2, (picture.height - part) / 2, part, part, 0, 0, size, size);
    paint(imageOf(context, size, channels));
    done();
  };
  file.addEventListener("click", () => (file.value = ""));  // the same picture may be opened again
  file.addEventListener("change", () => file.files[0] && put(file.files[0]));
  host.addEventListener("dragover", (event) => event.preventDefault());  // else a browser leaves the page for it
  host.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) put(event.dataTransfer.files[0]);
  });
}

// Traversals of all latents, one row a latent, of one model or of two side by side; controls choose which.
views.rows = async (panel, home) => {
  const { spec } = home, { size, channels } = spec.shape, buffers = await home.buffers(), columns = 5, later = slices();
  const seeds = await images(spec.seeds, size, channels), kept = new Map();
  const decoders = Object.fromEntries(Object.entries(spec.models).map(([key, { means }]) =>
    [key, decoder(buffers[key], { ...spec.shape, latents: means[0].length })]));
  panel.classList.add("wide");
  const sides = spec.panels.map(() => {
    const title = make("div"), rows = Array.from({ length: spec.rows + 1 }, () => {
      const words = make("div"), drawn = sheet(size, 64, columns);
      return { words, ...drawn, box: make("div", { className: "row" }, words, make("div", {}, drawn.canvas)) };
    });
    panel.append(make("div", {}, title, ...rows.map(({ box }) => box)));
    return { title, rows };
  });
  let shown;
  return (state) => {
    const tasks = [];
    if (shown !== state.image) kept.clear();
    const seed = seeds[(shown = state.image)];
    spec.panels.forEach(({ by, model }, p) => {
      const key = String(by ? state[by] : model), { kl, order, title, means } = spec.models[key], { rows } = sides[p];
      const code = means[state.image];
      const decoded = (latent, value) => {  // once, and remembered
        const name = `${key} ${latent} ${value}`;
        if (!kept.has(name)) kept.set(name, decoders[key](code.with(latent, value)));
        return kept.get(name);
      };
      sides[p].title.textContent = title;
      rows[0].words.textContent = "seed, redrawn";
      rows[0].paint(seed);
      rows[0].paint(decoded(0, code[0]), 1);
      order.slice(0, spec.rows).forEach((latent, r) => {
        const { words, box, paint } = rows[r + 1];
        words.innerHTML = `z${latent}<br>${kl[latent].toFixed(2)} nats`;
        box.classList.toggle("inactive", kl[latent] <= spec.active);
        traversed(columns).forEach((value, i) => tasks.push(() => paint(decoded(latent, value), i)));
      });
    });
    later(tasks);
  };
};
