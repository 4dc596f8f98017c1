// The home of explorers in a notebook: anywidget's door, and what is left in the notebook's file.

// JupyterLab saves widgets with a notebook only where a setting says so, and then these with all their weights. Saved
// is, instead, what they show as HTML: so it stands there when the notebook is opened again without their model.
function leaveStill(model, host) {
  const kind = "application/vnd.jupyter.widget-state+json", { context } = model.widget_manager ?? {};
  const save = (_, when) => {
    if (when !== "started") return;
    const still = host.cloneNode(true), canvases = host.querySelectorAll("canvas");
    still.querySelectorAll("canvas").forEach((copy, i) => {
      const style = `${copy.style.cssText};image-rendering:pixelated`;
      copy.replaceWith(make("img", { src: canvases[i].toDataURL(), alt: copy.title, style }));
    });
    still.querySelectorAll("label, details, .buttons").forEach((part) => part.remove());
    const style = make("style", { textContent: model.get("_css") });
    still.append(style, make("i", { textContent: "Run the cell to drag." }));
    const { cells } = context.model.toJSON(), shown = JSON.stringify(cells);  // what is shown no more goes
    const before = Object.entries(context.model.getMetadata("widgets")?.[kind]?.state ?? {});
    const state = Object.fromEntries(before.filter(([id]) => shown.includes(id)));
    state[model.get("key")] = {
      model_name: "HTMLModel", model_module: "@jupyter-widgets/controls", model_module_version: "2.0.0",
      state: { value: still.outerHTML },
    };
    context.model.setMetadata("widgets", { [kind]: { version_major: 2, version_minor: 0, state } });
  };
  context?.saveState.connect(save);
  return () => context?.saveState.disconnect(save);
}

// anywidget's door
export default {
  async render({ model, el }) {
    const host = make("div");
    el.append(host);
    const forget = leaveStill(model, host);
    await mount(host, {
      spec: model.get("spec"),
      buffers: async () => model.get("buffers"),
      state: model.get("state"),
      keep(state) {
        model.set("state", state);
        model.save_changes();
      },
      listen: (callback) => model.on("change:state", () => host.parentElement && callback(model.get("state"))),
    });
    return () => (forget(), host.remove());  // when the cell is run again: the old view neither draws nor plays on
  },
};
