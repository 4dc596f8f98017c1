// Views of one-latent models and channels: their formulas, the same as in Python, and how they are drawn.

const logDensity = (z, mean, std) => -0.5 * (((z - mean) / std) ** 2 + Math.log(2 * Math.PI)) - Math.log(std);
const density = (z, mean, std) => Math.exp(logDensity(z, mean, std));

// Probability of less than x under N(0, 1), by its power series; it has converged to 1e-15 where it is used.
function normalBelow(x) {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0;
  let total = x, term = x;
  for (let i = 3; Math.abs(term) > 1e-17; i += 2) total += term *= (x * x) / i;
  return 0.5 + total * density(x, 0, 1);
}

// Values of a standard normal noise and their weights, for quadrature.
const NOISE = grid(-8, 8, 161), WEIGHTS = softmax(NOISE.map((e) => -0.5 * e * e));

// I(x; z) in nats of equally likely messages with these means and one noise.
function mutualInformation(means, std) {
  const n = means.length;
  const told = (mean, e) =>
    Math.log(n) - 0.5 * e * e - logSumExp(means.map((other) => -0.5 * ((mean - other) / std + e) ** 2));
  return sum(means.map((mean) => dot(WEIGHTS, NOISE.map((e) => told(mean, e))))) / n;
}

// Probability that the likeliest picture given z is the one that was sent.
function rightGuesses(means, stds) {
  const low = Math.min(...means.map((mean, i) => mean - 8 * stds[i]));
  const high = Math.max(...means.map((mean, i) => mean + 8 * stds[i]));
  const best = (z) => Math.max(...means.map((mean, i) => density(z, mean, stds[i])));
  return trapezoid(grid(low, high, 2001).map(best), low, high) / means.length;
}

// Cost ½ Σ M D and mean KL of codes, in nats, and the slope of cost + β KL along means and log σ; an optimal
// decoder mixes up equally likely pictures by Mᵢⱼ = ∫ q(z) p(i|z) p(j|z) dz. In plain loops, as a descent
// asks for it 900 times.
function lossOfCodes(means, logs, distances, beta) {
  const n = means.length, stds = logs.map(Math.exp), slope = new Array(2 * n).fill(0);
  const [away, belief, far] = range(3, () => new Float64Array(n));
  let cost = 0, kl = 0;
  for (let own = 0; own < n; own++) {
    kl += klToPrior(means[own], stds[own]) / n;
    slope[own] += (beta * means[own]) / n;
    slope[n + own] += (beta * (stds[own] ** 2 - 1)) / n;
    for (let k = 0; k < NOISE.length; k++) {
      const shift = stds[own] * NOISE[k], part = WEIGHTS[k] / n;
      let highest = -Infinity, all = 0;
      for (let i = 0; i < n; i++) {
        away[i] = (means[own] + shift - means[i]) / stds[i];
        belief[i] = -0.5 * away[i] * away[i] - logs[i];
        if (belief[i] > highest) highest = belief[i];
      }
      for (let i = 0; i < n; i++) all += belief[i] = Math.exp(belief[i] - highest);
      for (let i = 0; i < n; i++) belief[i] /= all;
      for (let i = 0; i < n; i++) far[i] = dot(distances[i], belief);
      const spread = dot(belief, far);
      cost += 0.5 * part * spread;
      for (let i = 0; i < n; i++) {
        const change = part * belief[i] * (far[i] - spread), pull = (change * away[i]) / stds[i];
        slope[i] += pull;
        slope[n + i] += change * (away[i] * away[i] - 1);
        slope[own] -= pull;
        slope[n + own] -= pull * shift;
      }
    }
  }
  return { cost, kl, loss: cost + beta * kl, slope };
}

// ---- chapter 1: a Gaussian q over the true posterior, and log p(x) in three steps

views.elbo = (panel, act) => {
  const joint = Array.from(numbers(act.buffers.joint, Float64Array));
  const { axes, show } = drawings(panel, act, 2, 800);
  const [low, high] = act.spec.ends, z = grid(low, high, joint.length);
  const logP = Math.log(trapezoid(joint.map(Math.exp), low, high));
  const shown = z.map((_, i) => i).filter((i) => i % 4 === 0 && Math.abs(z[i]) <= 4);
  return ({ mean, std }) => {
    const q = z.map((value) => density(value, mean, std)), kl = klToPrior(mean, std);
    const elbo = trapezoid(q.map((p, i) => p && p * (joint[i] - logDensity(z[i], mean, std))), low, high);
    const fit = elbo + kl, gap = logP - elbo;

    const left = axes(400, { height: 290, x: [-3.5, 3.5], y: [0, 2], across: "z", upwards: "density" });
    const places = shown.map((i) => z[i]);
    left.area(places, shown.map(() => 0), shown.map((i) => Math.exp(joint[i] - logP)), GREY, 0.5);
    left.line(places, shown.map((i) => q[i]), BLUE);
    left.key([["p(z | x)", GREY, null], ["q(z | x)", BLUE, ""]]);

    const depth = roundUp(Math.max(1, -elbo, 4 - logP));
    const top = roundUp(Math.max(0.12 * depth, 1.05 * logP, 1.05 * fit));
    const names = ["E log p(x | z)", "− KL(q ‖ p(z))", "gap"].map((name, i) => [i, name]);
    const ends = [-0.6, 2.6], y = [-1.1 * depth, top];
    const right = axes(400, { height: 290, x: ends, y, upwards: "nats", xticks: names });
    [[0, fit, BLUE], [fit, elbo, GREEN], [elbo, logP, ORANGE]].forEach(([from, to, colour], i) =>
      right.bar([i - 0.4, i + 0.4], [from, to], colour));
    for (const [level, dash] of [[0, ""], [logP, "6 3"], [elbo, "2 2"]])
      right.line(ends, [level, level], INK, dash, 1);
    show({ log_p: logP, elbo, kl, gap }, left, right);
    return `ELBO = ${words(fit)} − ${words(kl)} = ${words(elbo)} (dotted); log p(x) = ${words(logP)} ` +
      `(dashed), gap ${words(gap, 3)}`;
  };
};

// ---- chapter 2: evenly spaced messages on one latent, and which is read as which

views.channel = (panel, act) => {
  const { axes, show } = drawings(panel, act, 2, 832), levels = 8;
  const z = grid(-6, 6, 481), prior = z.map((value) => density(value, 0, 1));
  return ({ spread, std }) => {
    const means = grid(-spread, spread, levels), kl = sum(means.map((mean) => klToPrior(mean, std))) / levels;
    const information = mutualInformation(means, std);
    const borders = means.slice(1).map((mean, i) => (mean + means[i]) / 2);
    const read = means.map((mean) => {
      const below = [0, ...borders.map((border) => normalBelow((border - mean) / std)), 1];
      return below.slice(1).map((value, i) => value - below[i]);
    });
    const wrong = 1 - sum(read.map((row, i) => row[i])) / levels;

    const each = means.map((mean) => z.map((value) => density(value, mean, std) / levels));
    const output = z.map((_, i) => sum(each.map((message) => message[i])));
    const top = Math.max(0.6, roundUp(1.02 * Math.max(...output)));
    const left = axes(480, { height: 330, x: [-6, 6], y: [0, top], across: "z", upwards: "density" });
    each.forEach((message, i) => left.area(z, z.map(() => 0), message, COLOURS[i % COLOURS.length], 0.4));
    left.line(z, output, INK);
    left.line(z, prior, GREY, "6 3");
    left.key([["output, q(z)", INK, ""], ["prior, p(z)", GREY, "6 3"]]);

    const numbers = range(levels, (i) => [i, i]), ends = [-0.5, levels - 0.5];
    const right = axes(352, {
      height: 330, x: ends, y: ends.toReversed(), across: "read as", upwards: "message sent", xticks: numbers,
      yticks: numbers,
    });
    const around = (place) => [place - 0.5, place + 0.5];
    read.forEach((row, i) => row.forEach((part, j) => right.bar(around(j), around(i), BLUE, part)));
    show({ kl, information, read, wrong }, left, right);
    return `KL ${words(kl)} = information ${words(information)} + slack ${words(kl - information)} nats; ` +
      `${words(100 * wrong, 0)}% read wrong`;
  };
};

// ---- chapter 3: posteriors of three pictures, and what an optimal decoder believes at every z

views.overlap = (panel, act) => {
  const { axes, show } = drawings(panel, act, 2);
  const z = grid(-4, 4, 401), prior = z.map((value) => density(value, 0, 1));
  const apart = [[0, 1, 1], [1, 0, 1], [1, 1, 0]];
  panel.style.cssText = "flex-direction:column;gap:0";
  return (state) => {
    const means = [1, 2, 3].map((i) => state[`mean ${i}`]), stds = [1, 2, 3].map((i) => state[`σ ${i}`]);
    const { cost, kl } = lossOfCodes(means, stds.map(Math.log), apart, 0);
    const wrong = 1 - rightGuesses(means, stds);

    const each = means.map((mean, i) => z.map((value) => density(value, mean, stds[i])));
    const height = roundUp(1.02 * Math.max(...each.flat(), ...prior)), x = [-4, 4];
    const top = axes(560, { height: 240, x, y: [0, height], upwards: "density q(z | x)" });
    each.forEach((q, i) => top.line(z, q, COLOURS[i], DASHES[i]));
    top.line(z, prior, GREY, "2 2", 1);
    top.key([...[0, 1, 2].map((i) => [`picture ${i + 1}`, COLOURS[i], DASHES[i]]), ["prior", GREY, "2 2"]]);

    const yticks = ticks(0, 1, 2);
    const bottom = axes(560, { height: 160, x, y: [0, 1], across: "z", upwards: "decoder's belief", yticks });
    const beliefs = z.map((value) => softmax(means.map((mean, i) => logDensity(value, mean, stds[i]))));
    const below = (n) => beliefs.map((belief) => sum(belief.slice(0, n)));
    means.forEach((_, i) => bottom.area(z, below(i), below(i + 1), COLOURS[i], 0.5));
    show({ kl, wrong, cost, middle: beliefs[200] }, top, bottom);
    return `mean KL ${words(kl)} nats, best guess wrong ${words(100 * wrong, 1)}%, likelihood cost ` +
      `${words(cost)} D`;
  };
};

// ---- chapter 2: the water level of independent components, and the rate–distortion curve

views.water = (panel, act) => {
  const { eigenvalues, noise, controls } = act.spec, { boxes, axes, show } = drawings(panel, act, 2, 860);
  const n = eigenvalues.length, most = sum(eigenvalues), lowest = 10 ** controls[0].min * noise;
  const rates = (level) => eigenvalues.map((value) => Math.max(0, 0.5 * Math.log(value / level)));
  const left = (level) => sum(eigenvalues.map((value) => Math.min(value, level)));
  // with k components above the water the level has a closed form: take the k for which that is consistent
  const consistent = (closed) => {
    const k = range(n, (i) => i + 1).find((k) => closed(k) >= (eigenvalues[k] ?? 0) - 1e-12);
    return Math.min(closed(k), eigenvalues[0]);
  };
  const levelOf = {
    beta: (beta) => beta * noise,
    C: (nats) => consistent((k) => Math.exp((sum(eigenvalues.slice(0, k).map(Math.log)) - 2 * nats) / k)),
    distortion: (error) => consistent((k) => (error - sum(eigenvalues.slice(k))) / k),
  };
  act.following = (name, value) => {
    const level = levelOf[name](value);
    return { beta: level / noise, C: sum(rates(level)), distortion: left(level), [name]: value };
  };

  const levels = grid(Math.log(eigenvalues[0]), Math.log(lowest), 161).map(Math.exp);
  const curve = [levels.map((level) => sum(rates(level))), levels.map((level) => left(level) / (2 * noise))];
  const onsets = eigenvalues.map((value) => sum(rates(value))), ends = [0, controls[1].max];
  let bars, plane;
  dragging(boxes[0], (place) => act.move({ beta: 10 ** bars.at(place)[1] / noise }));
  dragging(boxes[1], (place) => act.move({ C: plane.at(place)[0] }));
  return ({ beta, C, distortion }) => {
    const level = beta * noise, each = rates(level), y = [lowest, 1.6 * eigenvalues[0]].map(Math.log10);
    const tens = range(Math.ceil(y[1] - y[0]) + 1, (i) => 10 ** (Math.floor(y[0]) + i));
    const yticks = tens.flatMap((ten) => [1, 2, 5].map((digit) => +(digit * ten).toPrecision(1)))
      .map((value) => [Math.log10(value), value]).filter(([place]) => place >= y[0] && place <= y[1]);
    const xticks = range(n, (i) => [i + 1, i + 1]), x = [0.4, n + 2.2];
    bars = axes(430, { height: 310, x, y, across: "component", upwards: "variance λ", xticks, yticks });
    eigenvalues.forEach((value, i) => {
      const sides = [i + 0.65, i + 1.35], [top, water] = [value, Math.min(value, level)].map(Math.log10);
      bars.bar(sides, [y[0], water], GREY, 0.5);
      if (each[i] > 0) bars.bar(sides, [water, top], BLUE);
      bars.text([i + 1, top], each[i] > 0 ? words(each[i]) : "0", "middle", each[i] > 0 ? -4 : 15);
    });
    bars.line([0, n + 3], [level, level].map(Math.log10), ORANGE, "", 2.5);
    bars.handle(x, [level, level].map(Math.log10));
    bars.text([n + 2.1, Math.log10(level)], `η = ${words(level)}`, "end", level > eigenvalues[0] ? 15 : -6);

    const upwards = "reconstruction D/2s² (nats)";
    plane = axes(430, { height: 310, x: ends, y: [0, (0.53 * most) / noise], across: "C (nats)", upwards });
    const here = distortion / (2 * noise);
    onsets.forEach((C, i) => plane.line([C, C], [0, left(eigenvalues[i]) / (2 * noise)], GREY, "2 2", 1));
    plane.line(...curve, BLUE, "", 2);
    plane.line(ends, ends.map((nats) => here - beta * (nats - C)), ORANGE, "6 3");
    plane.point([C, here], ORANGE, 6);
    plane.handle([C, C], [here, here]);
    plane.key([["least reconstruction", BLUE, ""], ["tangent of slope −β", ORANGE, "6 3"],
      ["a component begins", GREY, "2 2"]]);
    show({ level, rates: each, C, distortion, onsets }, bars, plane);
    const active = each.filter((nats) => nats > 0).length;
    return `η = βs² = ${words(beta)} × ${noise} = ${words(level)}: ${active} of ${n} components active, ` +
      `each with its nats; C = ${words(C)} nats, D = ${words(distortion)}. Drag the level or the point.`;
  };
};

// ---- chapter 2: a tilted true posterior, its best axis-aligned fit, and the price

// Precisions of the model along the two components with the least loss at an angle, for those of the optimal
// model.
function readjusted([a, b], cos2, sin2) {
  let p = a, q = b;
  for (let i = 0; i < 500; i++) {
    const first = cos2 * p + sin2 * q, second = sin2 * p + cos2 * q;
    p = Math.max(1, Math.sqrt(a / (cos2 / first + sin2 / second)));
    q = Math.max(1, Math.sqrt(b / (sin2 / first + cos2 / second)));
  }
  return [p, q];
}

// Extra loss/β of a code turned by an angle, for a model with some precisions in place of the optimal [a, b].
function price([a, b], [p, q], cos2, sin2) {
  const gap = Math.log((cos2 * p + sin2 * q) * (sin2 * p + cos2 * q));
  return 0.5 * (a / p + b / q - 2 + gap - Math.log(a * b));
}

views.ellipse = (panel, act) => {
  const { boxes, axes, show } = drawings(panel, act, 3), round = grid(0, 2 * Math.PI, 91);
  const squares = (degrees) => [Math.cos, Math.sin].map((f) => f((degrees * Math.PI) / 180) ** 2);
  let state, first, axis;
  // the ends of the two axes are handles
  dragging(boxes[0], (place, pressed) => {
    const [x, y] = first.at(place), turn = (state.angle * Math.PI) / 180;
    const along = x * Math.cos(turn) + y * Math.sin(turn), across = y * Math.cos(turn) - x * Math.sin(turn);
    if (pressed) axis = Math.abs(along) > Math.abs(across) ? 1 : 2;
    const degrees = (Math.atan2(y, x) * 180) / Math.PI + (axis === 1 ? 0 : -90);
    act.move({ angle: degrees - 180 * Math.round(degrees / 180), [`variance ${axis}`]: x * x + y * y });
  });
  const ellipses = ([p, q], degrees, title) => {
    const [cos2, sin2] = squares(degrees), turn = (degrees * Math.PI) / 180;
    const x = [-1.6, 1.6], drawn = axes(300, { height: 284, x, y: x, across: "z₁", upwards: "z₂" });
    const circle = (width, height, angle) => [
      round.map((t) => width * Math.cos(t) * Math.cos(angle) - height * Math.sin(t) * Math.sin(angle)),
      round.map((t) => width * Math.cos(t) * Math.sin(angle) + height * Math.sin(t) * Math.cos(angle)),
    ];
    drawn.line(...circle(1, 1, 0), GREY, "2 2", 1);
    drawn.shape(...circle(p ** -0.5, q ** -0.5, turn), GREY, 0.5);
    drawn.line(...circle((cos2 * p + sin2 * q) ** -0.5, (sin2 * p + cos2 * q) ** -0.5, 0), BLUE, "", 2);
    drawn.text([0, -1.5], title);
    return drawn;
  };
  return (now) => {
    state = now;
    const best = [1 / state["variance 1"], 1 / state["variance 2"]], turn = (state.angle * Math.PI) / 180;
    const at = (degrees) => {
      const [cos2, sin2] = squares(degrees), free = readjusted(best, cos2, sin2);
      return { free, kept: price(best, best, cos2, sin2), readjusted: price(best, free, cos2, sin2) };
    };
    const here = at(state.angle), all = grid(0, 90, 46), prices = all.map(at);
    first = ellipses(best, state.angle, `gains kept: ${words(here.kept)} nats`);
    first.key([["true posterior", GREY, null], ["best axis-aligned", BLUE, ""], ["prior", GREY, "2 2"]]);
    const [along, across] = best.map((precision) => precision ** -0.5);
    const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
    for (const [x, y] of [[along * cos, along * sin], [-across * sin, across * cos]]) {
      first.point([x, y], ORANGE, 6);
      first.handle([x, x], [y, y]);
    }
    const second = ellipses(here.free, state.angle, `gains readjusted: ${words(here.readjusted)} nats`);

    const top = roundUp(Math.max(0.1, 1.3 * prices[22].kept)), place = Math.abs(state.angle);
    const third = axes(330, {
      height: 284, x: [0, 90], y: [0, top], across: "angle (degrees)", upwards: "price (nats)",
      xticks: [0, 30, 60, 90].map((value) => [value, value]),
    });
    third.line(all, prices.map((one) => one.kept), BLUE, "", 2);
    third.line(all, prices.map((one) => one.readjusted), ORANGE, "6 3", 2);
    third.point([place, here.kept], BLUE, 5);
    third.point([place, here.readjusted], ORANGE, 5);
    third.key([["gains kept", BLUE, ""], ["readjusted", ORANGE, "6 3"]]);
    show({ kept: here.kept, readjusted: here.readjusted }, first, second, third);
    return `turned by ${words(state.angle, 0)}°, a diagonal posterior costs ${words(here.kept, 3)} nats ` +
      `with the gains kept, ${words(here.readjusted, 3)} with readjusted ones. Drag the ellipse by its axes.`;
  };
};

// ---- chapter 3: twelve codes on a line, and gradient descent on cost + β KL

views.codes = (panel, act) => {
  const { distances, steps } = act.spec, n = distances.length;
  const { boxes, axes, show } = drawings(panel, act, 2, 860);
  const names = ["mean", "σ"].flatMap((kind) => range(n, (i) => `${kind} ${i + 1}`));
  let state, shown = {}, code, adam, history, running = false, plane, held;

  const fresh = () => {
    code = names.map((name, i) => (i < n ? state[name] : Math.log(state[name])));
    adam = { t: 0, mean: code.map(() => 0), square: code.map(() => 0) };
    history = [];
  };
  // one step of Adam, as torch does it
  const descend = () => {
    const { slope } = lossOfCodes(code.slice(0, n), code.slice(n), distances, state.beta);
    adam.t += 1;
    slope.forEach((g, i) => {
      adam.mean[i] += 0.1 * (g - adam.mean[i]);
      adam.square[i] += 0.001 * (g * g - adam.square[i]);
      const scale = Math.sqrt(adam.square[i] / (1 - 0.999 ** adam.t)) + 1e-8;
      code[i] -= (0.02 * adam.mean[i]) / (1 - 0.9 ** adam.t) / scale;
    });
  };
  const button = make("button", { type: "button", textContent: "descend", title: `${steps} steps of Adam` });
  const run = (on) => {
    running = on;
    button.textContent = on ? "stop descent" : "descend";
  };
  button.addEventListener("click", () => {
    if (adam.t === steps) fresh();
    run(!running);
    act.redraw();
  });
  act.buttons.append(button);
  act.reset.addEventListener("click", () => run(false));
  dragging(boxes[0], (place, first) => {
    const [x, y] = plane.at(place);
    if (first) held = Math.min(n, Math.max(1, Math.round(x)));
    act.move({ [`mean ${held}`]: Math.min(3, Math.max(-3, y)) });
  });

  return (now) => {
    state = now;
    if (names.some((name) => state[name] !== shown[name])) {  // moved by hand: the descent begins anew
      shown = state;
      fresh();
    }
    if (running) {  // some steps; the new state has this drawn again
      for (const end = performance.now() + 12; performance.now() < end && adam.t < steps; ) descend();
      if (adam.t === steps) run(false);
      shown = Object.fromEntries(names.map((name, i) => [name, i < n ? code[i] : Math.exp(code[i])]));
      act.set(shown);
    }
    const means = code.slice(0, n);
    const { cost, kl, loss } = lossOfCodes(means, code.slice(n), distances, state.beta);
    if (history.at(-1)?.[0] === adam.t) history.pop();
    history.push([adam.t, cost, state.beta * kl, loss]);
    const rank = means.map((mean) => means.filter((other) => other < mean).length);
    const torn = range(n - 1).filter((i) => Math.abs(rank[i + 1] - rank[i]) > 1);
    plane = axes(430, {
      height: 330, x: [0.4, n + 0.6], y: [-4, 5], across: "picture", upwards: "z: mean ± σ",
      xticks: range(n, (i) => [i + 1, i + 1]), yticks: ticks(-4, 4),
    });
    for (let i = 0; i < n - 1; i++) {
      const ends = [[i + 1, i + 2], means.slice(i, i + 2)];
      torn.includes(i) ? plane.line(...ends, GREY, "6 3") : plane.line(...ends, INK, "", 1);
    }
    means.forEach((mean, i) => {
      const std = Math.exp(code[n + i]), colour = i < state.cut ? BLUE : ORANGE;
      plane.line([i + 1, i + 1], [mean - std, mean + std], colour, "", 2);
      plane.point([i + 1, mean], colour, 5);
      plane.handle([i + 1, i + 1], [mean, mean], 28);
    });
    const pieces = state.cut ? [["first piece", BLUE, ""], ["second piece", ORANGE, ""]] : [];
    plane.key([...pieces, ["tear", GREY, "6 3"]]);
    const top = roundUp(1.3 * Math.max(...history.map((one) => one[3])));
    const across = "step of descent";
    const path = axes(430, { height: 330, x: [0, steps], y: [0, top], across, upwards: "nats" });
    const column = (i) => history.map((one) => one[i]);
    path.line(column(0), column(3), INK, "", 2);
    path.line(column(0), column(1), BLUE, "6 3");
    path.line(column(0), column(2), ORANGE, "2 2");
    path.point([adam.t, loss], INK, 4);
    path.key([["loss", INK, ""], ["likelihood cost", BLUE, "6 3"], ["β · KL", ORANGE, "2 2"]]);
    show({ cost, kl, loss, tears: torn.length, step: adam.t }, plane, path);
    return `tears: ${torn.length} at step ${adam.t} of ${steps}; loss ${words(loss)} = cost ${words(cost)} ` +
      `+ ${state.beta} × KL ${words(kl)} nats. Drag a picture's dot up or down, then press “descend”.`;
  };
};
