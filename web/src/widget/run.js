// A run in a notebook: its units and its maps.
import { html, Problem, useLoaded, useState } from "../core.js";
import { Places } from "./places.js";
import { Units } from "./units.js";

export function RunView({ model, ask }) {
  const [site, error] = useLoaded(() => ask("site"), []);
  const [chosen, setMode] = useState(null);
  if (error) return html`<${Problem} error=${error} />`;
  if (!site) return html`<p class="muted" role="status">Opening the run…</p>`;
  const modes = [
    site.layers.some((layer) => layer.pages.layer) && ["units", "Units"],
    site.layers.some((layer) => layer.pages.map) && ["map", "Map"],
  ].filter(Boolean);
  const mode = chosen ?? modes[0]?.[0];
  const props = { model, ask, site };
  return html`<div class="stack">
    <div class="head"><h2>${site.title}</h2><span class="sub">${site.count} images</span>
      <span class="segments" role="group" aria-label="View">
        ${modes.map(([name, text]) => html`<button type="button" key=${name} aria-pressed=${String(mode === name)}
          onClick=${() => setMode(name)}>${text}</button>`)}</span></div>
    ${!modes.length && html`<p class="note">The run has no patches, statistics or map to show.</p>`}
    ${mode === "units" && html`<${Units} ...${props} />`}
    ${mode === "map" && html`<${Places} ...${props} />`}
  </div>`;
}
