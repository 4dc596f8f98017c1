// Views of trained VAEs: appendix A.1's encoder and decoder, computed in the page.

const LIMIT = 3;  // traversals run over [−LIMIT, LIMIT], as in Figure 2

// y = W x + b
const linear = (x, weight, bias) => bias.map((y, i) => {
  for (let j = 0, at = i * x.length; j < x.length; j++) y += weight[at++] * x[j];
  return y;
});

// Convolution of kernel 4, stride 2 and padding 1 from planes of 2·side pixels to 32 of side × side, or, the
// other way, its transpose. w[s][b][k][l] lies between small[s][i][j] and big[b][2i+k−1][2j+l−1].
const convolution = (side, transposed) => (x, weight, bias) => {
  const wide = 2 * side, area = side ** 2, rows = weight.length / 128;  // of a kernel: b and k
  // one pixel more at both ends, where kernels stick out; what sticks out of a row has weight 0
  const big = new Float32Array(rows * area + 2), small = transposed ? x : new Float32Array(32 * area);
  const y = transposed ? big.subarray(1, -1) : small, plane = y.length / bias.length;
  bias.forEach((value, i) => y.fill(value, i * plane, (i + 1) * plane));
  if (!transposed) big.set(x, 1);
  for (let n = 0; n < 32 * rows; n++) {
    const [w0, w1, w2, w3] = weight.subarray(4 * n), s = Math.floor(n / rows), b = (n % rows) >> 2, k = n % 4;
    for (let i = k ? 0 : 1; i < (k < 3 ? side : side - 1); i++) {
      let here = (s * side + i) * side, at = (b * wide + 2 * i + k - 1) * wide, before = 0;
      if (transposed) for (let j = 0; j < side; j++, here++, at += 2) {
        big[at] += (j > 0 ? w0 : 0) * small[here] + w2 * before;
        big[at + 1] += w1 * small[here] + w3 * before;
        before = small[here];
      }
      else for (let j = 0; j < side; j++, here++, at += 2) {
        const left = j > 0 ? w0 : 0, right = j < side - 1 ? w3 : 0;
        small[here] += left * big[at] + w1 * big[at + 1] + w2 * big[at + 2] + right * big[at + 3];
      }
      if (transposed) big[at] += w2 * before;
    }
  }
  return y;
};

// Layers, each [number of weights, number of biases, function of x and these].
const dense = (sizes) => sizes.slice(1).map((n, i) => [n * sizes[i], n, linear]);
const convolutions = ({ size, channels }, transposed) => range(Math.log2(size / 4), (i) => {
  const side = 4 << i, planes = 2 * side === size ? channels : 32;
  return [512 * planes, transposed ? planes : 32, convolution(side, transposed)];
});

// A network of layers, whose weights lie in their order, with ReLUs between them.
function network(view, layers) {
  if (!view) throw new Error("the run has no weights");
  if (!globalThis.Float16Array) throw new Error("this browser is too old, it lacks Float16Array: update it");
  const all = Float32Array.from(numbers(view, Float16Array));
  let at = 0;
  const take = (n) => all.subarray(at, (at += n));
  const parts = layers.map(([weights, biases, layer]) => [layer, take(weights), take(biases)]);
  if (at !== all.length) throw new Error(`the weights are ${all.length} numbers, but the model has ${at}`);
  return (x) => parts.reduce((y, [layer, ...of], i) => layer(i ? y.map((v) => Math.max(0, v)) : y, ...of), x);
}

// z → image (channels, size, size) in [0, 1]
function decoder(view, shape, latents = shape.latents) {
  const logits = network(view, [...dense([latents, 256, 256, 512]), ...convolutions(shape, true)]);
  return (z) => logits(z).map((logit) => 1 / (1 + Math.exp(-logit)));
}

// image (channels, size, size) → posterior { mean, std }
function encoder(view, shape) {
  const net = network(view, [...convolutions(shape).reverse(), ...dense([512, 256, 256, 2 * shape.latents])]);
  return (image) => {
    const mean = [...net(image)], std = mean.splice(shape.latents).map(Math.exp);
    return { mean, std };
  };
}

// A canvas of pictures (channels, size, size) in [0, 1] beside one another, each so wide on the screen.
function sheet({ size, channels }, wide, title = "", columns = 1) {
  const pitch = size + Math.round(size / 16), area = size * size, width = (columns - 1) * pitch + size;
  const canvas = make("canvas", { width, height: size, title, style: `width:${(width * wide) / size}px` });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return {
    canvas, context,
    paint(image, column = 0) {
      const pixels = new ImageData(size, size), plane = channels === 1 ? 0 : area;
      pixels.data.forEach((_, i, to) => (to[i] = 255 * (i % 4 < 3 ? image[(i % 4) * plane + (i >> 2)] : 1)));
      context.putImageData(pixels, column * pitch, 0);
    },
    // the first picture; its luminance where there is one channel
    read() {
      const { data } = context.getImageData(0, 0, size, size);
      const grey = (at) => 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
      const value = (i) => (channels === 1 ? grey(4 * i) : data[4 * (i % area) + Math.floor(i / area)]) / 255;
      return Float32Array.from(range(channels * area, value));
    },
  };
}

// The images of a strip, one below the other.
async function images(src, shape) {
  const strip = make("img", { src }), { context, read } = sheet(shape);
  await strip.decode();
  return range(strip.height / shape.size, (i) => {
    context.drawImage(strip, 0, -i * shape.size);
    return read();
  });
}

// Drag the latents of one model, one by one or the two touched last in a plane; draw or open a picture.
views.traversal = async (panel, act) => {
  const { buffers, sliders, spec: { shape, order, seeds, means, stds } } = act;
  const decode = decoder(buffers.decoder, shape), encode = encoder(buffers.encoder, shape);
  const pictures = await images(seeds, shape), values = grid(-LIMIT, LIMIT, 9);
  const left = sheet(shape, 256, "the seed image, or yours: draw on it, or drop a picture");
  const right = sheet(shape, 256, "what the decoder draws");
  const strip = sheet(shape, 64, "traversal of the latent touched last", values.length);
  const field = make("div", { className: "plane", title: "drag two latents: those touched last" });
  panel.append(left.canvas, right.canvas, field, strip.canvas);
  let own = null, latent = order[0], [across, up = across] = order;
  dragging(field, ([x, y]) => act.move({ [`z${up}`]: 3 - 6 * y, [`z${across}`]: 6 * x - 3 }));
  drawing(left, act, () => {
    own = encode(left.read());
    act.set(Object.fromEntries(own.mean.map((m, i) => [`z${i}`, Math.min(LIMIT, Math.max(-LIMIT, m))])));
  });
  act.reset.addEventListener("click", () => (own = null));
  return ({ image, ...state }, touched) => {
    if (own && (own.image ??= image) !== image) own = null;
    if (!own) left.paint(pictures[image]);
    left.canvas.classList.toggle("handle", own !== null);  // a finger scrolls the page until one draws
    if (touched !== "image") latent = +touched.slice(1);
    if (latent !== across && latent !== up) [across, up] = [up, latent];
    const { mean, std } = own ?? { mean: means[image], std: stds[image] };
    const z = mean.map((_, i) => state[`z${i}`]);
    mean.forEach((m, i) => (sliders[`z${i}`].band.style = `--mean:${m};--std:${std[i]}`));
    right.paint(decode(z));
    values.forEach((value, i) => act.later(() => strip.paint(decode(z.with(latent, value)), i)));
    // the prior's circles of 1, 2 and 3 σ, the posterior's ellipse, and the code to drag
    field.innerHTML = `<svg viewBox="-3 -3 6 6" width="256" fill="currentColor" stroke-width=".03">
      <g fill-opacity=".07"><circle r="3"/><circle r="2"/><circle r="1"/></g>
      <ellipse cx="${mean[across]}" cy="${-mean[up]}" rx="${std[across]}" ry="${std[up]}"/>
      <g transform="translate(${z[across]} ${-z[up]})"><circle r=".12" fill="#d55e00"/>
        <path class="handle" d="M0 0h0" stroke-width="1"/></g></svg>`;
    const nats = words(sum(mean.map((m, i) => klToPrior(m, std[i]))), 1);
    return `left: ${own ? "your picture" : `seed image ${image}`}, whose posterior is ${nats} nats from ` +
      `the prior; beside it: decoded from the sliders' code; in the plane: z${across} across, z${up} ` +
      `upwards; below: z${latent} from −3 to 3. Blue: the posterior's mean ± σ`;
  };
};

// Lets the reader draw on a sheet, by finger or mouse, open a picture or drop one; `done` is told of each.
function drawing({ canvas, context, paint, read }, { host, buttons, spec: { shape } }, done) {
  const { size, channels } = shape, empty = () => context.fillRect(0, 0, size, size);  // black
  const colour = make("input", { type: "color", value: "#ffffff", title: "colour to draw with" });
  const clear = make("button", { textContent: "draw your own", title: "an empty picture to draw on" });
  const file = make("input", { type: "file", accept: "image/*", title: "open a picture, or drop one here" });
  buttons.append(clear, ...(channels === 3 ? [colour] : []), file);
  clear.addEventListener("click", empty);
  clear.addEventListener("click", done);
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
  const put = async ([blob]) => {
    const picture = await createImageBitmap(blob).catch(() => null);
    file.setCustomValidity(picture ? "" : "that is no picture: open another");
    if (!file.reportValidity()) return;
    const { width, height } = picture, part = Math.min(width, height);
    empty();  // where the picture is transparent
    context.imageSmoothingQuality = "high";
    context.drawImage(picture, (width - part) / 2, (height - part) / 2, part, part, 0, 0, size, size);
    paint(read());
    done();
  };
  file.onclick = () => (file.value = "");  // the same picture may be opened again
  file.onchange = () => put(file.files);
  host.ondragover = host.ondrop = (event) => {
    event.preventDefault();  // else a browser leaves the page for the picture
    if (event.type === "drop") put(event.dataTransfer.files);
  };
}

// Traversals of all latents, one row a latent, of one model or of two side by side; controls choose which.
views.rows = async (panel, { buffers, later, spec }) => {
  const { shape, models } = spec, pictures = await images(spec.seeds, shape);
  const values = grid(-LIMIT, LIMIT, 5), decoders = {};
  for (const key in models) decoders[key] = decoder(buffers[key], shape, models[key].means[0].length);
  const panels = spec.panels.map((chosen) => {
    const head = make("div"), seed = { textContent: "seed, redrawn" };
    const rows = range(spec.rows + 1, () => ({ label: make("div", seed), ...sheet(shape, 64, "", 5) }));
    const cells = rows.flatMap(({ label, canvas }) => [label, canvas]);
    panel.append(make("div", { className: "rows" }, head, ...cells));
    return { ...chosen, head, rows };
  });
  let kept = {};
  return ({ image, ...state }) => {
    if (kept.image !== image) kept = { image };  // what is decoded once is remembered
    for (const { by, model, head, rows: [first, ...rows] } of panels) {
      const key = by ? state[by] : model, { kl, order, means, title } = models[key], code = means[image];
      const decoded = (i, value) => (kept[[key, i, value]] ??= decoders[key](code.with(i, value)));
      head.textContent = title;
      first.paint(pictures[image]);
      later(() => first.paint(decoded(0, code[0]), 1));
      rows.forEach(({ label, paint }, r) => {
        const latent = order[r];
        label.innerHTML = `z${latent}<br>${words(kl[latent])} nats`;
        label.classList.toggle("inactive", kl[latent] <= spec.active);
        values.forEach((value, i) => later(() => paint(decoded(latent, value), i)));
      });
    }
  };
};
