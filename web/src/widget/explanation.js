// Explanations in a notebook: maps over the image, or pictures.
import { html, Problem, useLoaded, useState } from "../core.js";
import { DEFAULT_CHOICES, Grid } from "../image_maps.js";
import { useTrait } from "./asker.js";

export function ExplanationView({ model, ask, host }) {
  const [image, setImage] = useTrait(model, "image");
  const [opacity, setOpacity] = useTrait(model, "opacity");
  const [choices, setChoices] = useState(DEFAULT_CHOICES);
  const [only, setOnly] = useState(undefined);
  const [shown, error] = useLoaded(() => ask("image", { image }), [image]);
  const [names] = useLoaded(() => ask("names"), []);
  const choose = (next) => {
    setChoices(next);
    if (next.opacity !== opacity) setOpacity(next.opacity);
  };
  return html`<section class="card" tabindex="-1">
    <div class="head"><h2>${shown?.title ?? ""}</h2>
      ${names?.length > 1 && html`<label class="field">Image
        <select name="image" value=${image} onChange=${(event) => setImage(Number(event.target.value))}>
          ${names.map((name, i) => html`<option key=${i} value=${i}>${name}</option>`)}
        </select></label>`}
    </div>
    ${error && html`<${Problem} error=${error} />`}
    ${shown?.maps && html`<${Grid} key=${image} chunk=${shown.maps} choices=${{ ...choices, opacity }} onChoices=${choose}
      only=${only} onOnly=${setOnly} keyTarget=${host} />`}
    ${shown?.pictures.map(({ source, caption }, i) => html`<figure key=${i}>
      <img class="picture" src=${source} alt=${caption} /><figcaption>${caption}</figcaption></figure>`)}
  </section>`;
}
