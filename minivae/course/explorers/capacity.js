// The generator of chapters 5 and 8: what the factors are told at a capacity, and what is drawn from it.
views.capacity = async (panel, home) => {
  const { spec } = home, { size } = spec.shape, buffers = await home.buffers(), zoom = (ZOOM * 64) / size;
  const originals = await seeds(spec), best = await seeds({ ...spec, seeds: spec.best });
  const decoders = spec.models.map(({ key }) => decoder(buffers[key], spec.shape));
  const canvases = ["a sprite", "what the best decoder draws", "what the trained decoder draws"].map((title) =>
    sheet(size, size, zoom, title));
  panel.append(...canvases);
  const nearest = (values, wanted) =>
    values.reduce((best, value, i) => (Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? i : best), 0);
  const bar = (nats, colour) => `<div style="background:${colour};width:${Math.max(0, nats)}em;height:.45em"></div>`;

  return ({ C, image }) => {
    const model = nearest(spec.models.map((of) => of.C), C), drawn = nearest(spec.drawn, C);
    const row = nearest(spec.capacities, C), { means, stds, C: at } = spec.models[model];
    const z = means[image].map((mean, i) => mean + stds[i] * spec.noise[image][i]);
    const pictures = [originals[image], best[drawn * originals.length + image], decoders[model](z)];
    canvases.forEach((canvas, i) => paint(canvas.getContext("2d"), pictures[i], size));
    const rows = spec.factors.map((name, i) => {
      const nats = [spec.rates[row][i], spec.trained[row][i]];
      return `<tr><td>${name}</td><td>${nats.map((x) => x.toFixed(2)).join(" | ")}</td>` +
        `<td>${bar(nats[0], "#777777")}${bar(nats[1], "#0072b2")}</td></tr>`;
    });
    return `left: original; middle: best decoder, C = ${spec.drawn[drawn].toFixed(1)}; right: trained, nearest ` +
      `snapshot, C = ${at.toFixed(1)}<table><caption>nats: best split (grey) | trained (blue)</caption>` +
      `${rows.join("")}</table>`;
  };
};
