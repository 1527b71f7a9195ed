// Tables of the pages that can be sorted by a column and filtered by a text.
import { readState, setState, subscribe } from "./core.js";

const valueOf = (cell) => {
  const text = cell.dataset.value ?? cell.textContent.trim();
  const number = Number(text);
  return text !== "" && Number.isFinite(number) ? number : text;
};

/** Returns the words of a row, without its numbers. */
const textOf = (row) => [...row.cells]
  .filter((cell) => !cell.classList.contains("number"))
  .map((cell) => cell.textContent.toLowerCase())
  .join(" ");

/** Orders numbers before texts, and missing values last in either direction. */
function compare(a, b, direction) {
  if (a === "" || b === "") return (a === "") - (b === "");
  if (typeof a === "number" && typeof b === "number") return direction * (a - b);
  return direction * String(a).localeCompare(String(b), undefined, { numeric: true });
}

/** Adds buttons to the headings of a table, and a field that filters its rows. */
function enhance(table) {
  const prefix = table.dataset.state;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const headings = [...table.tHead.rows[0].cells];
  const field = document.createElement("input");
  const status = document.createElement("span");

  for (const heading of headings) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const isDescending = heading.getAttribute("aria-sort") === "descending";
      const isNumber = heading.classList.contains("number");
      const isFirst = !heading.hasAttribute("aria-sort");
      const direction = isFirst ? (isNumber ? "down" : "up") : isDescending ? "up" : "down";
      setState({ [`${prefix}-sort`]: `${heading.dataset.key}-${direction}` }, { replace: true });
    });
  }
  field.type = "search";
  field.placeholder = table.dataset.filter;
  field.setAttribute("aria-label", table.dataset.filter);
  field.addEventListener("input", () => setState({ [`${prefix}-filter`]: field.value }, { replace: true }));
  status.className = "note";
  status.setAttribute("aria-live", "polite");
  const bar = document.createElement("div");
  bar.className = "bar-of-controls";
  bar.append(field, status);
  table.parentElement.before(bar);

  const update = () => {
    const state = readState();
    const [, key, direction] = /^(.*)-(up|down)$/.exec(state[`${prefix}-sort`] ?? "") ?? [];
    const column = headings.findIndex((heading) => heading.dataset.key === key);
    headings.forEach((heading, index) => {
      if (index === column) heading.setAttribute("aria-sort", direction === "up" ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    });
    const words = (state[`${prefix}-filter`] ?? "").toLowerCase();
    if (document.activeElement !== field) field.value = state[`${prefix}-filter`] ?? "";
    const order = column < 0 ? rows : rows
      .map((row) => [valueOf(row.cells[column]), row])
      .sort((a, b) => compare(a[0], b[0], direction === "up" ? 1 : -1))
      .map(([, row]) => row);
    const shown = order.filter((row) => textOf(row).includes(words));
    body.replaceChildren(...shown);
    status.textContent = words ? `${shown.length} of ${rows.length}` : "";
  };
  update();
  subscribe(update);
}

export const enhanceTables = () => document.querySelectorAll("table.sortable").forEach(enhance);
