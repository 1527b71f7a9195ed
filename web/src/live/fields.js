// Forms that are made from the declared parameters of explainers.
import { html, useState } from "../core.js";

/** Returns the plain schema of a field: that of the only type besides null. */
function plain(schema) {
  const kinds = (schema.anyOf ?? [schema]).filter((kind) => kind.type !== "null");
  return kinds.length === 1 ? { ...schema, ...kinds[0] } : {};
}

/** One parameter. Its value is a text; "" means the default. */
function Field({ field, value, onChange, layers }) {
  const schema = plain(field.schema);
  const id = `parameter-${field.name}`;
  const shared = { id, "aria-describedby": `${id}-about`, onChange: (e) => onChange(e.target.value) };
  const usual = `default: ${field.default}`;
  let control;
  if (schema.enum || schema.type === "boolean") {
    const options = schema.enum ?? ["true", "false"];
    control = html`<select ...${shared} value=${value}>
      <option value="">${usual}</option>
      ${options.map((option) => html`<option value=${String(option)}>${String(option)}</option>`)}
    </select>`;
  } else if (schema.type === "integer" || schema.type === "number") {
    const step = schema.type === "integer" ? 1 : "any";
    const min = schema.minimum ?? schema.exclusiveMinimum;
    const max = schema.maximum ?? schema.exclusiveMaximum;
    control = html`<input type="number" ...${shared} value=${value} placeholder=${usual} step=${step} min=${min} max=${max} />`;
  } else {
    const list = ["layer", "layers"].includes(field.name) ? "layer-names" : undefined;
    control = html`<input type="text" ...${shared} value=${value} placeholder=${usual} list=${list} />`;
  }
  return html`<div class="parameter">
    <label for=${id}>${field.name}</label>
    ${control}
    <p id=${`${id}-about`} class="small muted">${field.description} <span class="allowed">${field.allowed}</span></p>
  </div>`;
}

/** The parameters of an explainer; `values` holds the texts that were set. */
export function Parameters({ explainer, values, onChange, layers }) {
  const set = Object.keys(values).length;
  const [isOpen, setOpen] = useState(set > 0);
  return html`<details class="parameters" open=${isOpen} onToggle=${(e) => setOpen(e.currentTarget.open)}>
    <summary>Parameters of ${explainer.name}${set ? ` (${set} changed)` : ""}</summary>
    <datalist id="layer-names">${layers.map((layer) => html`<option value=${layer.name}></option>`)}</datalist>
    <div class="grid-of-parameters">
      ${explainer.fields.map((field) => html`<${Field} key=${`${explainer.name}.${field.name}`} field=${field} layers=${layers}
        value=${values[field.name] ?? ""} onChange=${(text) => onChange(field.name, text)} />`)}
    </div>
  </details>`;
}
