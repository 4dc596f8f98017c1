// Views of one-latent models and channels: their formulas, the same as in Python, and their drawings in SVG.

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"], GREY = "#777777";
const [BLUE, ORANGE, GREEN] = COLOURS, INK = "currentColor";
const DASHES = ["", "6 3", "7 3 2 3", "2 2"];

// ---- numbers

const sum = (values) => values.reduce((total, value) => total + value, 0);
const dot = (a, b) => sum(a.map((value, i) => value * b[i]));
const range = (n, f = (i) => i) => Array.from({ length: n }, (_, i) => f(i));
const grid = (low, high, n) => range(n, (i) => low + ((high - low) * i) / (n - 1));
const words = (value, digits = 2) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1").replace("-", "−");
const trapezoid = (values, from, to) =>
  ((sum(values) - (values[0] + values[values.length - 1]) / 2) * (to - from)) / (values.length - 1);

const logDensity = (z, mean, std) => -0.5 * ((z - mean) / std) ** 2 - Math.log(std) - 0.5 * Math.log(2 * Math.PI);
const density = (z, mean, std) => Math.exp(logDensity(z, mean, std));
const klToPrior = (mean, std) => 0.5 * (mean * mean + std * std - 1) - Math.log(std);

function logSumExp(logs) {
  const top = Math.max(...logs);
  return top + Math.log(sum(logs.map((log) => Math.exp(log - top))));
}

function softmax(logs) {
  const all = logSumExp(logs);
  return logs.map((log) => Math.exp(log - all));
}

// Probability of less than x under N(0, 1), by its power series; it has converged to 1e-15 where it is used.
function normalBelow(x) {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0;
  let total = x, term = x;
  for (let i = 3; Math.abs(term) > 1e-17; i += 2) total += term *= (x * x) / i;
  return 0.5 + total * density(x, 0, 1);
}

// I(x; z) in nats of equally likely messages with these means and one noise, by quadrature.
function mutualInformation(means, std) {
  const noise = grid(-9, 9, 181), weight = softmax(noise.map((e) => -0.5 * e * e)), n = means.length;
  return sum(means.map((mean) => dot(weight, noise.map((e) =>
    Math.log(n) - 0.5 * e * e - logSumExp(means.map((other) => -0.5 * ((mean + std * e - other) / std) ** 2)))))) / n;
}

// How much an optimal decoder mixes up equally likely pictures: Mᵢⱼ = ∫ q(z) p(i|z) p(j|z) dz, by quadrature.
function confusions(means, stds) {
  const noise = grid(-8, 8, 161), weight = softmax(noise.map((e) => -0.5 * e * e)), n = means.length;
  const mixed = means.map(() => new Array(n).fill(0));
  for (let of = 0; of < n; of++)
    noise.forEach((e, k) => {
      const belief = softmax(means.map((mean, i) => logDensity(means[of] + stds[of] * e, mean, stds[i])));
      for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) mixed[i][j] += (weight[k] * belief[i] * belief[j]) / n;
    });
  return mixed;
}

// Probability that the likeliest picture given z is the one that was sent.
function rightGuesses(means, stds) {
  const low = Math.min(...means.map((mean, i) => mean - 8 * stds[i]));
  const high = Math.max(...means.map((mean, i) => mean + 8 * stds[i]));
  const best = grid(low, high, 2001).map((z) => Math.max(...means.map((mean, i) => density(z, mean, stds[i]))));
  return trapezoid(best, low, high) / means.length;
}

// ---- drawing

// The next of 1, 1.5, 2, 3, 4, 6, 8, 10, 15 …: limits that stay while a drawing changes a little.
function roundUp(value) {
  const scale = 10 ** Math.floor(Math.log10(value));
  return scale * [1, 1.5, 2, 3, 4, 6, 8, 10].find((step) => value <= step * scale * (1 + 1e-9));
}

// A few round numbers from low to high, each with its words.
function ticks(low, high, n = 6) {
  const rough = (high - low) / n, scale = 10 ** Math.floor(Math.log10(rough));
  const step = scale * [1, 2, 5, 10].find((s) => rough <= s * scale * (1 + 1e-9)), first = Math.ceil(low / step - 1e-9);
  return range(Math.floor(high / step + 1e-9) - first + 1, (i) => +((first + i) * step).toPrecision(6))
    .map((value) => [value, String(value).replace("-", "−")]);
}

// Axes from x[0] to x[1] and y[0] to y[1], to which data are added from the lowest to the highest.
function chart({ width, height, x, y, across = "", upwards = "", xticks = ticks(...x), yticks = ticks(...y) }) {
  const left = 54, right = width - 10, top = 8, bottom = height - (across ? 40 : 24), data = [], above = [];
  const px = (value) => left + ((value - x[0]) / (x[1] - x[0])) * (right - left);
  const py = (value) => bottom - ((value - y[0]) / (y[1] - y[0])) * (bottom - top);
  const path = (xs, ys) => xs.map((value, i) => `${px(value).toFixed(1)},${py(ys[i]).toFixed(1)}`).join(" ");
  const stroke = (colour, dash, thick) =>
    `fill="none" stroke="${colour}" stroke-width="${thick}" stroke-dasharray="${dash}"`;
  return {
    // the values at a place of the drawing in pixels
    at: (place) => [
      x[0] + ((place[0] - left) / (right - left)) * (x[1] - x[0]),
      y[0] + ((bottom - place[1]) / (bottom - top)) * (y[1] - y[0]),
    ],
    line: (xs, ys, colour, dash = "", thick = 1.6) =>
      data.push(`<polyline points="${path(xs, ys)}" ${stroke(colour, dash, thick)}/>`),
    area: (xs, lows, highs, colour, opacity) =>
      data.push(`<polygon points="${path(xs, highs)} ${path([...xs].reverse(), [...lows].reverse())}" fill="${colour}"
        fill-opacity="${opacity}"/>`),
    bar: (xs, ys, colour, opacity = 1) =>
      data.push(`<rect x="${px(xs[0])}" y="${Math.min(py(ys[0]), py(ys[1]))}" width="${px(xs[1]) - px(xs[0])}"
        height="${Math.abs(py(ys[1]) - py(ys[0]))}" fill="${colour}" fill-opacity="${opacity}"/>`),
    point: (at, colour, radius = 4) =>
      data.push(`<circle cx="${px(at[0])}" cy="${py(at[1])}" r="${radius}" fill="${colour}"/>`),
    text: (at, label, anchor = "middle", down = 0) =>
      above.push(`<text x="${px(at[0])}" y="${py(at[1]) + down}" text-anchor="${anchor}">${label}</text>`),
    // names of lines [name, colour, dash] or areas [name, colour, null], one below the other in a corner
    key: (entries, corner = right - 8) => entries.forEach(([name, colour, dash], i) => {
      const line = top + 15 * i + 12, mark = dash === null
        ? `<rect x="${corner - 26}" y="${line - 9}" width="26" height="10" fill="${colour}" fill-opacity=".5"/>`
        : `<path d="M${corner - 26} ${line - 4}h26" ${stroke(colour, dash, 1.6)}/>`;
      above.push(`${mark}<text x="${corner - 32}" y="${line}" text-anchor="end">${name}</text>`);
    }),
    markup() {
      const marks = [
        ...xticks.map(([value, label]) => `<path d="M${px(value)} ${bottom}v4" stroke="${INK}"/>
          <text x="${px(value)}" y="${bottom + 17}" text-anchor="middle">${label}</text>`),
        ...yticks.map(([value, label]) => `<path d="M${left} ${py(value)}h-4" stroke="${INK}"/>
          <text x="${left - 7}" y="${py(value) + 4}" text-anchor="end">${label}</text>`),
      ];
      const middle = (top + bottom) / 2, box = [left, top, right - left, bottom - top];
      return `<svg viewBox="0 0 ${width} ${height}" width="${width}">
        <svg x="${left}" y="${top}" width="${box[2]}" height="${box[3]}" viewBox="${box.join(" ")}"
          style="height:${box[3]}px;max-width:none">${data.join("")}</svg>
        <rect x="${left}" y="${top}" width="${box[2]}" height="${box[3]}" fill="none" stroke="${INK}"
          stroke-opacity=".6"/>${marks.join("")}${above.join("")}
        <text x="${(left + right) / 2}" y="${height - 5}" text-anchor="middle">${across}</text>
        <text transform="translate(12 ${middle}) rotate(-90)" text-anchor="middle">${upwards}</text></svg>`;
    },
  };
}

// Room for n drawings beside one another, or below where there is no room.
function drawings(panel, act, n) {
  const boxes = range(n, () => make("div"));
  panel.append(...boxes);
  new ResizeObserver(act.redraw).observe(panel);
  return {
    boxes,
    // drawings are made as narrow as the page, for words in pictures that are shrunk cannot be read
    wide: (width) => Math.min(width, panel.clientWidth || width),
    // the numbers behind the drawings go to the host, where tests read them
    show(numbers, ...charts) {
      charts.forEach((drawn, i) => (boxes[i].innerHTML = drawn.markup()));
      panel.parentElement.dataset.numbers = JSON.stringify(numbers);
    },
  };
}

// ---- chapter 1: a Gaussian q over the true posterior, and log p(x) in three steps

views.elbo = async (panel, home, act) => {
  const view = (await home.buffers()).joint, { show, wide } = drawings(panel, act, 2);
  const joint = Array.from(new Float64Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)));
  const [low, high] = home.spec.ends, z = grid(low, high, joint.length);
  const logP = Math.log(trapezoid(joint.map(Math.exp), low, high));
  const shown = z.map((_, i) => i).filter((i) => i % 4 === 0 && Math.abs(z[i]) <= 4);
  return ({ mean, std }) => {
    const q = z.map((value) => density(value, mean, std)), kl = klToPrior(mean, std);
    const elbo = trapezoid(q.map((p, i) => p && p * (joint[i] - logDensity(z[i], mean, std))), low, high);
    const fit = elbo + kl, gap = logP - elbo;

    const left = chart({ width: wide(400), height: 290, x: [-3.5, 3.5], y: [0, 2], across: "z", upwards: "density" });
    const places = shown.map((i) => z[i]);
    left.area(places, shown.map(() => 0), shown.map((i) => Math.exp(joint[i] - logP)), GREY, 0.5);
    left.line(places, shown.map((i) => q[i]), BLUE);
    left.key([["p(z | x)", GREY, null], ["q(z | x)", BLUE, ""]]);

    const depth = roundUp(Math.max(-elbo, 4 - logP)), top = roundUp(Math.max(0.12 * depth, 1.05 * logP, 1.05 * fit));
    const names = ["E log p(x | z)", "− KL(q ‖ p(z))", "gap"].map((name, i) => [i, name]);
    const ends = [-0.6, 2.6], y = [-1.1 * depth, top];
    const right = chart({ width: wide(400), height: 290, x: ends, y, upwards: "nats", xticks: names });
    [[0, fit, BLUE], [fit, elbo, GREEN], [elbo, logP, ORANGE]].forEach(([from, to, colour], i) =>
      right.bar([i - 0.4, i + 0.4], [from, to], colour));
    for (const [level, dash] of [[0, ""], [logP, "6 3"], [elbo, "2 2"]])
      right.line(ends, [level, level], INK, dash, 1);
    show({ log_p: logP, elbo, kl, gap }, left, right);
    return `ELBO = ${words(fit)} − ${words(kl)} = ${words(elbo)} (dotted); log p(x) = ${words(logP)} (dashed), gap ` +
      words(gap, 3);
  };
};

// ---- chapter 2: evenly spaced messages on one latent, and which is read as which

views.channel = (panel, home, act) => {
  const { show, wide } = drawings(panel, act, 2), levels = 8;
  const z = grid(-6, 6, 481), prior = z.map((value) => density(value, 0, 1));
  return ({ spread, std }) => {
    const means = grid(-spread, spread, levels), kl = sum(means.map((mean) => klToPrior(mean, std))) / levels;
    const information = mutualInformation(means, std), borders = means.slice(1).map((mean, i) => (mean + means[i]) / 2);
    const read = means.map((mean) => {
      const below = [0, ...borders.map((border) => normalBelow((border - mean) / std)), 1];
      return below.slice(1).map((value, i) => value - below[i]);
    });
    const wrong = 1 - sum(read.map((row, i) => row[i])) / levels;

    const each = means.map((mean) => z.map((value) => density(value, mean, std) / levels));
    const output = z.map((_, i) => sum(each.map((message) => message[i])));
    const top = Math.max(0.6, roundUp(1.02 * Math.max(...output)));
    const left = chart({ width: wide(480), height: 330, x: [-6, 6], y: [0, top], across: "z", upwards: "density" });
    each.forEach((message, i) => left.area(z, z.map(() => 0), message, COLOURS[i % COLOURS.length], 0.4));
    left.line(z, output, INK);
    left.line(z, prior, GREY, "6 3");
    left.key([["output, q(z)", INK, ""], ["prior, p(z)", GREY, "6 3"]]);

    const numbers = range(levels, (i) => [i, i]), ends = [-0.5, levels - 0.5];
    const right = chart({
      width: wide(352), height: 330, x: ends, y: [...ends].reverse(), across: "read as", upwards: "message sent",
      xticks: numbers, yticks: numbers,
    });
    read.forEach((row, i) => row.forEach((part, j) => right.bar([j - 0.5, j + 0.5], [i - 0.5, i + 0.5], BLUE, part)));
    show({ kl, information, read, wrong }, left, right);
    return `KL ${words(kl)} = information ${words(information)} + slack ${words(kl - information)} nats; ` +
      `${words(100 * wrong, 0)}% read wrong`;
  };
};

// ---- chapter 3: posteriors of three pictures, and what an optimal decoder believes at every z

views.overlap = (panel, home, act) => {
  const { show, wide } = drawings(panel, act, 2), z = grid(-4, 4, 401), prior = z.map((value) => density(value, 0, 1));
  panel.style.cssText = "flex-direction:column;gap:0";
  return (state) => {
    const means = [1, 2, 3].map((i) => state[`mean ${i}`]), stds = [1, 2, 3].map((i) => state[`σ ${i}`]);
    const kl = sum(means.map((mean, i) => klToPrior(mean, stds[i]))) / 3, wrong = 1 - rightGuesses(means, stds);
    const cost = 0.5 * (1 - sum(confusions(means, stds).map((row, i) => row[i])));

    const each = means.map((mean, i) => z.map((value) => density(value, mean, stds[i])));
    const height = roundUp(1.02 * Math.max(...each.flat(), ...prior)), x = [-4, 4];
    const top = chart({ width: wide(560), height: 240, x, y: [0, height], upwards: "density q(z | x)" });
    each.forEach((q, i) => top.line(z, q, COLOURS[i], DASHES[i]));
    top.line(z, prior, GREY, "2 2", 1);
    top.key([...[0, 1, 2].map((i) => [`picture ${i + 1}`, COLOURS[i], DASHES[i]]), ["prior", GREY, "2 2"]]);

    const bottom = chart({
      width: wide(560), height: 160, x, y: [0, 1], across: "z", upwards: "decoder's belief", yticks: ticks(0, 1, 2),
    });
    const beliefs = z.map((value) => softmax(means.map((mean, i) => logDensity(value, mean, stds[i]))));
    const below = (n) => beliefs.map((belief) => sum(belief.slice(0, n)));
    means.forEach((_, i) => bottom.area(z, below(i), below(i + 1), COLOURS[i], 0.5));
    show({ kl, wrong, cost, middle: beliefs[200] }, top, bottom);
    return `mean KL ${words(kl)} nats, best guess wrong ${words(100 * wrong, 0)}%, likelihood cost ${words(cost)} D`;
  };
};
