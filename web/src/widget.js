// The notebook widget: an anywidget module with the components of the pages.
import { html, render } from "./core.js";
import { asker } from "./widget/asker.js";
import { ExplanationView } from "./widget/explanation.js";
import { RunView } from "./widget/run.js";

const VIEWS = { run: RunView, explanation: ExplanationView };

export default {
  /** Draws the widget into an element; returns a function that removes it. */
  render({ model, el }) {
    const ask = asker(model);
    el.classList.add("convviz-widget");
    render(html`<${VIEWS[model.get("kind")]} model=${model} ask=${ask} host=${el} />`, el);
    return () => {
      ask.stop();
      render(null, el);
    };
  },
};
