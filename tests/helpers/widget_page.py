"""A widget of Python in a page of a browser: a stub of the notebook connects them."""

from __future__ import annotations

from typing import Any

STUB = """
([esm, css, state]) => new Promise((resolve, reject) => {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  const listeners = new Map();
  const changed = new Set();
  const emit = (name, ...values) => [...(listeners.get(name) ?? [])].forEach((f) => f(...values));
  window.model = {
    get: (name) => state[name],
    set: (name, value) => {
      state[name] = value;
      changed.add(name);
      emit(`change:${name}`);
    },
    save_changes: () => {
      pythonSave(Object.fromEntries([...changed].map((name) => [name, state[name]])));
      changed.clear();
    },
    on: (name, listener) => listeners.set(name, [...(listeners.get(name) ?? []), listener]),
    off: (name, listener) =>
      listeners.set(name, (listeners.get(name) ?? []).filter((f) => f !== listener)),
    send: async (content) => emit("msg:custom", await pythonAnswer(content)),
  };
  const address = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  import(address).then((module) => {
    window.cleanup = module.default.render({ model, el: document.getElementById("widget") });
    resolve();
  }, reject);
})
"""


def show_widget(page: Any, widget: Any) -> None:
    """Draw a widget into a page; its messages and changes of traits reach the Python object."""
    sent: list[Any] = []
    widget.send = lambda content, buffers=None: sent.append(content)

    def answer(content: Any) -> Any:
        widget._handle_custom_msg(content, [])
        return sent.pop()

    page.expose_function("pythonAnswer", answer)
    page.expose_function("pythonSave", widget.set_state)
    page.set_content("<!doctype html><html lang=en><title>x</title><main id=widget></main></html>")
    state = {name: value for name, value in widget.get_state().items() if name[0] != "_"}
    page.evaluate(STUB, [str(widget._esm), str(widget._css), state])
