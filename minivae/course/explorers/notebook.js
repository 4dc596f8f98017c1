// The home of explorers in a notebook: anywidget's door, and what is left in the notebook's file.

// What an explorer shows, as HTML without controls.
function still(host, css) {
  const copy = host.cloneNode(true), canvases = host.querySelectorAll("canvas");
  for (const [i, one] of copy.querySelectorAll("canvas").entries())
    one.replaceWith(make("img", { src: canvases[i].toDataURL(), alt: one.title, style: one.style.cssText }));
  copy.querySelectorAll("label, details, .buttons").forEach((part) => part.remove());
  copy.append(make("style", { textContent: css }), make("i", { textContent: "Run the cell to drag." }));
  return copy.outerHTML;
}

export default {
  async render({ model, el }) {
    const host = make("div", { className: "minivae-explorer" }), { context } = model.widget_manager ?? {};
    // JupyterLab saves widgets with a notebook only where a setting says so, and then with all their weights.
    // Saved is, instead, what they show as HTML: so it stands there when the notebook is opened again.
    const save = (_, when) => {
      if (!host.parentElement) return context.saveState.disconnect(save);
      if (when !== "started") return;
      const kind = "application/vnd.jupyter.widget-state+json", { cells } = context.model.toJSON();
      const before = Object.entries(context.model.getMetadata("widgets")?.[kind]?.state ?? {});
      const shown = JSON.stringify(cells);  // what is not goes
      const state = Object.fromEntries(before.filter(([id]) => shown.includes(id)));
      state[model.get("key")] = {
        model_name: "HTMLModel", model_module: "@jupyter-widgets/controls", model_module_version: "2.0.0",
        state: { value: still(host, model.get("_css")) },
      };
      context.model.setMetadata("widgets", { [kind]: { version_major: 2, version_minor: 0, state } });
    };
    el.append(host);
    context?.saveState.connect(save);
    await mount(host, model);
    return () => host.remove();  // when the cell is run again: the old view neither draws nor plays on
  },
};
