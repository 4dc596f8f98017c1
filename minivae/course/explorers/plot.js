// What charts are made of: a few functions of numbers, and axes with lines, areas and bars in SVG.

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"], GREY = "#777777";
const [BLUE, ORANGE, GREEN] = COLOURS, INK = "currentColor";
const DASHES = ["", "6 3", "7 3 2 3", "2 2"];

// ---- numbers

function dot(a, b) {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i] * b[i];
  return total;
}
const trapezoid = (values, from, to) =>
  ((sum(values) - (values[0] + values[values.length - 1]) / 2) * (to - from)) / (values.length - 1);

function logSumExp(logs) {
  const top = Math.max(...logs);
  return top + Math.log(sum(logs.map((log) => Math.exp(log - top))));
}

function softmax(logs) {
  const all = logSumExp(logs);
  return logs.map((log) => Math.exp(log - all));
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
  const step = scale * [1, 2, 5, 10].find((s) => rough <= s * scale * (1 + 1e-9));
  const first = Math.ceil(low / step - 1e-9), count = Math.floor(high / step + 1e-9) - first + 1;
  return range(count, (i) => +((first + i) * step).toPrecision(6))
    .map((value) => [value, String(value).replace("-", "−")]);
}

// Axes from x[0] to x[1] and y[0] to y[1], to which data are added from the lowest to the highest.
function chart(of) {
  const { width, height, x, y, across = "", upwards = "", xticks = ticks(...x), yticks = ticks(...y) } = of;
  const left = 54, right = width - 10, top = 8, bottom = height - (across ? 40 : 24), data = [], above = [];
  const px = (value) => left + ((value - x[0]) / (x[1] - x[0])) * (right - left);
  const py = (value) => bottom - ((value - y[0]) / (y[1] - y[0])) * (bottom - top);
  const path = (xs, ys) => xs.map((value, i) => `${px(value).toFixed(1)},${py(ys[i]).toFixed(1)}`).join(" ");
  const stroke = (colour, dash, thick) =>
    `fill="none" stroke="${colour}" stroke-width="${thick}" stroke-dasharray="${dash}"`;
  return {
    // the values at a place, which is given in parts of the drawing's width and height
    at: (place) => [
      x[0] + ((place[0] * width - left) / (right - left)) * (x[1] - x[0]),
      y[0] + ((bottom - place[1] * height) / (bottom - top)) * (y[1] - y[0]),
    ],
    line: (xs, ys, colour, dash = "", thick = 1.6) =>
      data.push(`<polyline points="${path(xs, ys)}" ${stroke(colour, dash, thick)}/>`),
    shape: (xs, ys, colour, opacity) =>
      data.push(`<polygon points="${path(xs, ys)}" fill="${colour}" fill-opacity="${opacity}"/>`),
    area(xs, lows, highs, colour, opacity) {
      this.shape([...xs, ...[...xs].reverse()], [...highs, ...[...lows].reverse()], colour, opacity);
    },
    bar: (xs, ys, colour, opacity = 1) =>
      data.push(`<rect x="${px(xs[0])}" y="${Math.min(py(ys[0]), py(ys[1]))}" width="${px(xs[1]) - px(xs[0])}"
        height="${Math.abs(py(ys[1]) - py(ys[0]))}" fill="${colour}" fill-opacity="${opacity}"/>`),
    point: (at, colour, radius = 4) =>
      data.push(`<circle cx="${px(at[0])}" cy="${py(at[1])}" r="${radius}" fill="${colour}"/>`),
    // where a finger may take hold, so many pixels around a line or a point
    handle: (xs, ys, around = 44) =>
      above.push(`<polyline class="handle" points="${path(xs, ys)}" stroke-width="${around}"/>`),
    text: (at, label, anchor = "middle", down = 0) =>
      above.push(`<text x="${px(at[0])}" y="${py(at[1]) + down}" text-anchor="${anchor}">${label}</text>`),
    // names of lines [name, colour, dash] or areas [name, colour, null], one below the other in a corner
    key: (entries) => entries.forEach(([name, colour, dash], i) => {
      const line = top + 15 * i + 12, corner = right - 8, area = dash === null;
      above.push(`<path d="M${corner - 26} ${line - 4}h26" ${stroke(colour, dash ?? "", area ? 10 : 1.6)}
        stroke-opacity="${area ? 0.5 : 1}"/>
        <text x="${corner - 32}" y="${line}" text-anchor="end">${name}</text>`);
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

// Room for n drawings beside one another, `all` pixels together, or below where there is no room.
function drawings(panel, act, n, all) {
  const boxes = range(n, () => make("div"));
  panel.classList.add("charts");
  panel.append(...boxes);
  new ResizeObserver(act.redraw).observe(panel);
  return {
    boxes,
    // drawings are made as narrow as the page, for words in pictures that are shrunk cannot be read; those
    // beside one another give way by a quarter before they stand below one another
    axes(width, of) {
      const together = all ?? width, room = (panel.clientWidth || together + 8) - 8;
      const given = room >= 0.75 * together ? Math.floor((room / together) * width) : room + 8;
      return chart({ ...of, width: Math.min(width, given) });
    },
    // the numbers behind the drawings go to the host, where tests read them
    show(numbers, ...charts) {
      charts.forEach((drawn, i) => (boxes[i].innerHTML = drawn.markup()));
      act.host.dataset.numbers = JSON.stringify(numbers);
    },
  };
}
