// Graphs on a canvas, by cytoscape with the layout fcose, which are loaded at the first drawing.

import { library } from "./cytoscape.js";
import { button, el } from "./dom.js";

/**
 * A drawing that fills itself once it is in the page.
 *
 * @param nodes  `{id, label, kind, at, open}`; kind is "history", "shared" or "item", `at` the first position, `open` what a click does.
 * @param edges  `{from, to, label, weight, dashed, kind}`; kind is "path" where nodes stand in columns, weights are relative to the largest.
 * @param text   What it shows, for those who cannot see it.
 */
export function drawing({ nodes, edges, text }) {
  const canvas = el("div", { class: "canvas", role: "img", "aria-label": text });
  const tools = el("div", { class: "tools" });
  const figure = el("figure", { class: "drawing" }, canvas, tools, el("figcaption", {}, text));
  draw(canvas, tools, nodes, edges).catch((error) => {
    canvas.replaceChildren(el("p", {}, `The drawing failed: ${error.message}. The table below shows the same.`));
  });
  return figure;
}

async function draw(canvas, tools, nodes, edges) {
  const cytoscape = await library();
  await new Promise((ready) => requestAnimationFrame(ready));
  if (!canvas.isConnected) return;
  const most = Math.max(...edges.map((edge) => Math.abs(edge.weight ?? 1)), 1e-9);
  const cy = cytoscape({
    container: canvas,
    elements: [
      ...nodes.map(({ id, label, kind, at }) => ({ data: { id, label }, classes: kind, position: at && { ...at } })),
      ...edges.map((edge) => ({
        data: { source: edge.from, target: edge.to, label: edge.label ?? "", width: 1 + 6 * Math.abs(edge.weight ?? 0.2) / most },
        classes: `${edge.kind ?? ""} ${edge.dashed ? "dashed" : ""} ${edge.weight < 0 ? "negative" : ""}`,
      })),
    ],
    style: style(canvas),
    minZoom: 0.2,
    maxZoom: 3,
    userZoomingEnabled: false,
    boxSelectionEnabled: false,
  });
  arrange(cy);
  const open = new Map(nodes.map((node) => [node.id, node.open]));
  cy.on("tap", "node", (event) => open.get(event.target.id())?.());
  cy.on("mouseover", "node", (event) => (canvas.style.cursor = open.get(event.target.id()) ? "pointer" : ""));
  cy.on("mouseout", "node", () => (canvas.style.cursor = ""));
  const zoom = (factor) => cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
  tools.append(
    button("+", () => zoom(1.25), { "aria-label": "Larger" }),
    button("−", () => zoom(0.8), { "aria-label": "Smaller" }),
    button("Fit", () => cy.fit(undefined, 24)));
  follow(canvas, cy);
}

/** The layout starts at the given positions, so that equal graphs look alike; history, what is shared, and the item are columns. */
function arrange(cy) {
  const kinds = cy.nodes(".history").nonempty() && cy.edges(".path").nonempty() ? ["history", "shared", "item"] : [];
  const columns = kinds.map((kind) => cy.nodes(`.${kind}`).map((node) => node.id())).filter((ids) => ids.length);
  const rows = Math.max(...columns.map((ids) => ids.length));
  // as wide as the canvas is for the height of the longest column
  const gap = Math.max(130, Math.min(360, (58 * rows * cy.width()) / cy.height() / 2.6));
  const constraints = columns.length > 1 ? {
    alignmentConstraint: { vertical: columns },
    relativePlacementConstraint: [
      ...columns.slice(1).map((ids, at) => ({ left: columns[at][0], right: ids[0], gap })),
      ...columns.flatMap((ids) => ids.slice(1).map((id, at) => ({ top: ids[at], bottom: id, gap: 58 }))),
    ],
  } : {};
  cy.layout({
    name: "fcose", quality: "proof", randomize: false, animate: false, fit: true, padding: 24,
    nodeDimensionsIncludeLabels: true, idealEdgeLength: 90, nodeRepulsion: 9000, nodeSeparation: 90, ...constraints,
  }).run();
  if (cy.zoom() > 1.2) cy.zoom(1.2);
  cy.center();
}

/** Colours and size follow the page until the drawing is gone. */
function follow(canvas, cy) {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const recolour = () => cy.style(style(canvas));
  const watch = new ResizeObserver(() => {
    if (canvas.isConnected) { cy.resize(); cy.fit(undefined, 24); if (cy.zoom() > 1.2) { cy.zoom(1.2); cy.center(); } return; }
    watch.disconnect();
    dark.removeEventListener("change", recolour);
    cy.destroy();
  });
  watch.observe(canvas);
  dark.addEventListener("change", recolour);
}

/** Colours are the variables of the style sheet where the canvas is. */
function style(canvas) {
  const css = getComputedStyle(canvas);
  const colour = (name) => css.getPropertyValue(`--${name}`).trim();
  const text = { color: colour("text"), "font-family": "system-ui, sans-serif", "font-size": 12 };
  return [
    { selector: "node", style: {
      ...text, label: "data(label)", width: 18, height: 18, "background-color": colour("shared"), "text-valign": "bottom", "text-margin-y": 4,
      "text-wrap": "wrap", "text-max-width": 130, "text-background-color": colour("ground"), "text-background-opacity": 0.8, "text-background-padding": 1 } },
    { selector: "node.history", style: { shape: "round-rectangle", "background-color": colour("accent") } },
    { selector: "node.item", style: { shape: "round-rectangle", width: 26, height: 26, "background-color": colour("warm"), "font-weight": "bold" } },
    { selector: "edge", style: {
      ...text, color: colour("muted"), "font-size": 10, label: "data(label)", width: "data(width)", "line-color": colour("edge"), "curve-style": "bezier",
      "text-rotation": "autorotate", "text-background-color": colour("ground"), "text-background-opacity": 0.85, "text-background-padding": 1 } },
    { selector: "edge.dashed", style: { "line-style": "dashed" } },
    { selector: "edge.negative", style: { "line-color": colour("bad") } },
  ];
}
