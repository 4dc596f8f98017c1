// The book's home of explorers: each is mounted when it comes near the window. Weights are scripts that lie beside this
// one, because from a disk a browser loads nothing else.
const folder = document.currentScript.src.replace(/[^/]*$/, "");
const weights = (window.minivaeWeights = {});

const load = (name) =>
  new Promise((done, failed) => {
    const missing = () => failed(new Error(`the book lacks ${name}.js`));
    document.head.append(make("script", { src: `${folder}weights/${name}.js`, onload: done, onerror: missing }));
  });

for (const host of document.querySelectorAll(".minivae-explorer")) {
  const { sources, ...traits } = JSON.parse(host.querySelector("script").textContent);
  const buffers = async () => {
    const found = {};
    for (const [name, source] of Object.entries(sources)) {
      if (source.file && !(source.file in weights)) await load(source.file);
      const bytes = atob(source.file ? weights[source.file] : source);
      found[name] = new DataView(Uint8Array.from(bytes, (c) => c.charCodeAt(0)).buffer);
    }
    return found;
  };
  const get = (name) => (name === "buffers" ? buffers() : traits[name]);
  const set = (name, value) => (traits[name] = value);
  new IntersectionObserver(([entry], observer) => {
    if (!entry.isIntersecting) return;
    observer.disconnect();
    mount(host, { get, set, save_changes() {}, on() {} });
  }, { rootMargin: "300px" }).observe(host);
}
