"""The table of a quality benchmark in Markdown, for README.md.

    convviz bench quality PHOTOS -m demo -e saliency … --out FOLDER
    python benchmarks/quality_table.py FOLDER                 # prints the table
    python benchmarks/quality_table.py FOLDER --write photos  # also into README.md and results/
    python benchmarks/quality_table.py FOLDER --newer FOLDER2  # metrics of FOLDER2 replace others

The benchmark may be unfinished. Rows are explainers, then controls without the blurred maps. Values
are means over images, with half the width of the 95 % interval. ✗: randomization failed, °: the
metric is circular for this explainer.
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from _common import RESULTS, fill_in_table, folder_parser

COLUMNS = {
    "srg": "SRG ↑",
    "srg.linear": "SRG, linear ↑",
    "insertion": "insertion ↑",
    "deletion": "deletion ↓",
    "sds": "SDS ↑",
    "sds.blur": "SDS, blur ↑",
    "infidelity": "infidelity, cosine ↑",
    "flip_regret": "flip regret ↓",
    "grid_pointing": "grid pointing ↑",
    "gini": "Gini",
    "max_sensitivity": "max-sensitivity ↓",
    "randomization": "randomization, Spearman",
}


def quality_table(folder: Path, newer: Path | None = None) -> str:
    """Return the table of a finished or interrupted benchmark.

    Args:
        folder: of the benchmark.
        newer: of a benchmark of the same explainers, whose metrics replace those of `folder`.
    """
    costs = pyarrow.parquet.read_table(folder / "costs.parquet").to_pydict()
    rows = {(row["explainer"], row["metric"]): row for row in _rows(folder)}
    marks = {(row["explainer"], row["metric"]): row["marks"] for row in _rows(folder)}
    for row in _rows(newer) if newer else ():
        key = row["explainer"], row["metric"]
        rows[key] = row | {"marks": marks.get(key, row["marks"])}  # whether randomization failed
    names = dict.fromkeys(explainer for explainer, _ in rows)
    names = [name for name in names if not name.startswith("blurred(")]
    columns = {m: title for m, title in COLUMNS.items() if any(m == key[1] for key in rows)}
    header = ["explainer", *columns.values(), "s/image", "passes/image"]
    lines = [header, ["---"] * len(header)]
    for name in names:
        cells = [_cell(rows.get((name, metric))) for metric in columns]
        of_explainer = next(row for (explainer, _), row in rows.items() if explainer == name)
        lines.append([_label(of_explainer), *cells, *_costs(costs, name)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _rows(folder: Path) -> list[dict]:
    return json.loads((folder / "summary.json").read_text())["rows"]


def _label(row: dict) -> str:
    name = f"*{row['explainer']}*" if row["is_control"] else row["explainer"]
    return name + (" ✗" if any("randomization" in mark for mark in row["marks"]) else "")


def _cell(row: dict | None) -> str:
    if row is None or row["mean"]["value"] is None:
        return "-"
    mean = row["mean"]
    half = "" if mean["low"] is None else f" ± {(mean['high'] - mean['low']) / 2:.2f}"
    mark = " °" if any("circular" in text for text in row["marks"]) else ""
    return f"{mean['value']:.2f}{half}{mark}"


def _costs(costs: dict, name: str) -> list[str]:
    cells = []
    for column in ("seconds", "passes"):
        values = sorted(
            value
            for explainer, value in zip(costs["explainer"], costs[column], strict=True)
            if explainer == name and value == value
        )
        middle = values[len(values) // 2] if values else None
        cells.append("" if middle is None else f"{middle:.2g}" if middle < 10 else f"{middle:.0f}")
    return cells


def counts(folder: Path, newer: Path | None = None) -> str:
    """Return the number of images, and that of the metrics that repeat explanations."""
    numbers = sorted({row["measured"] for row in _rows(folder)}, reverse=True)
    fewer = [f"{numbers[-1]} for metrics that repeat the explanations"] if len(numbers) > 1 else []
    measured = {row["metric"]: row["measured"] for row in _rows(newer)} if newer else {}
    fewer += [f"{count} for {name}" for name, count in measured.items() if name in COLUMNS]
    remark = f" ({', '.join(fewer)})" if fewer else ""
    return f"{numbers[0]} images{remark}."


def main(arguments: list[str] | None = None) -> None:
    parser = folder_parser(__doc__)
    parser.add_argument(
        "--newer", type=Path, metavar="FOLDER", help="its metrics replace those of the first folder"
    )
    parser.add_argument("--write", metavar="NAME", help="of the table in README.md to replace")
    args = parser.parse_args(arguments)
    text = f"{counts(args.folder, args.newer)}\n\n{quality_table(args.folder, args.newer)}"
    print(text)
    if args.write:
        fill_in_table(f"quality_table.py {args.write}", text)
        _write_csv(RESULTS / f"quality-{args.write}.csv", args.folder, args.newer)


def _write_csv(path: Path, folder: Path, newer: Path | None) -> None:
    """Write the scores of a benchmark; the metrics of a newer one replace its own."""
    table = pyarrow.csv.read_csv(folder / "table.csv")
    if newer is not None:
        further = pyarrow.csv.read_csv(newer / "table.csv").cast(table.schema)
        is_replaced = pc.is_in(table["metric"], value_set=pc.unique(further["metric"]))
        table = pyarrow.concat_tables([table.filter(pc.invert(is_replaced)), further])
    pyarrow.csv.write_csv(table, path)


if __name__ == "__main__":
    main()
