// The generator of chapters 5 and 8: what the factors are told at a capacity, and what is drawn from it.

// The optimal decoder E[x | z]: the mean of the templates by the belief in each, moved down and across by the
// beliefs in y and x. `ideal_decoder.SpriteChannels.decode` is the same.
function idealDecoder(templates, signals, { side, places }) {
  const n = 3 * templates.length, ends = [0, n, n + 32, n + 64];
  const parts = [0, 1, 2].map((i) => signals.subarray(ends[i], ends[i + 1]));
  const believe = (z, amplitude, values) => {
    const away = (i, d) => z[d] - amplitude[d] * values[i * z.length + d];
    return softmax(range(values.length / z.length, (i) => -0.5 * sum(z.map((_, d) => away(i, d) ** 2))));
  };
  // rows of n pixels, moved down to the places of the classes, and what is turned about its diagonal
  const moved = (picture, n, belief) => {
    const y = new Float32Array(64 * n);
    belief.forEach((part, k) => picture.forEach((value, i) => (y[i + places[k] * n] += part * value)));
    return y;
  };
  const turned = (picture, n, rows = picture.length / n) =>
    picture.map((_, i) => picture[(i % rows) * n + Math.floor(i / rows)]);
  return (z, amplitude) => {
    const [sprite, x, y] = [[0, 3], [3, 4], [4, 5]].map(([from, to], i) =>
      believe(z.slice(from, to), amplitude.slice(from, to), parts[i]));
    const mean = new Float32Array(side * side);
    sprite.forEach((part, t) => part > 1e-9 && templates[t].forEach((value, i) => (mean[i] += part * value)));
    return turned(moved(turned(moved(mean, side, y), side), 64, x), 64);
  };
}

views.capacity = async (panel, { buffers, spec }) => {
  const originals = await images(spec.seeds, spec.shape);
  const templates = await images(spec.templates, { size: spec.side, channels: 1 });
  const decoders = spec.models.map(({ key }) => decoder(buffers[key], spec.shape));
  const best = idealDecoder(templates, numbers(buffers.signals, Float32Array), spec);
  const sheets = ["a sprite", "what the best decoder draws", "what the trained decoder draws"].map((title) =>
    sheet(spec.shape, 256, title));
  panel.append(...sheets.map(({ canvas }) => canvas));
  const closest = (values, wanted) => {
    const away = values.map((value) => Math.abs(value - wanted));
    return away.indexOf(Math.min(...away));
  };
  const bar = (nats, colour) =>
    `<div style="background:${colour};width:${Math.max(0, nats)}em;height:.45em"></div>`;

  return ({ C, image }) => {
    const model = closest(spec.models.map((of) => of.C), C), row = closest(spec.capacities, C);
    const { means, stds, C: at } = spec.models[model], noise = spec.noise[image];
    const snr = spec.rates[row].map((nats, i) => Math.expm1(2 * nats) / (1 + spec.offset[i]));
    const amplitude = snr.map(Math.sqrt);
    const sent = amplitude.map((a, i) => a * spec.sent[image][i] + noise[i]);
    const z = means[image].map((mean, i) => mean + stds[i] * noise[i]);
    const drawn = [originals[image], best(sent, amplitude), decoders[model](z)];
    sheets.forEach(({ paint }, i) => paint(drawn[i]));
    const rows = spec.factors.map((name, i) => {
      const nats = [spec.rates[row][i], spec.trained[row][i]];
      return `<tr><td>${name}</td><td>${nats.map((x) => x.toFixed(2)).join(" | ")}</td>` +
        `<td>${bar(nats[0], "#777777")}${bar(nats[1], "#0072b2")}</td></tr>`;
    });
    return `left: original; middle: best decoder, C = ${C.toFixed(1)}; right: trained, nearest snapshot, ` +
      `C = ${at.toFixed(1)}<table><caption>nats: best split (grey) | trained (blue)</caption>` +
      `${rows.join("")}</table>`;
  };
};
