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

import math
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from _common import RESULTS, fill_in_table, folder_parser

FAILED = "randomization failed"
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


def scores_of(folder: Path, newer: Path | None = None) -> pyarrow.Table:
    """Return the scores of a finished or interrupted benchmark, one row per metric and explainer.

    Args:
        folder: of the benchmark.
        newer: of a benchmark of the same explainers, whose metrics replace those of `folder`.
    """
    table = _read(folder)
    if newer is None:
        return table
    further = _read(newer).cast(table.schema)
    # Randomization may have been tested in the first benchmark only.
    failed = {row["explainer"] for row in table.to_pylist() if FAILED in row["marks"]}
    marks = [
        row["marks"] or (FAILED if row["explainer"] in failed else "")
        for row in further.to_pylist()
    ]
    further = further.set_column(further.schema.get_field_index("marks"), "marks", [marks])
    is_replaced = pc.is_in(table["metric"], value_set=pc.unique(further["metric"]))
    return pyarrow.concat_tables([table.filter(pc.invert(is_replaced)), further])


def _read(folder: Path) -> pyarrow.Table:
    texts = dict.fromkeys(("metric", "explainer", "group", "marks"), pyarrow.string())
    options = pyarrow.csv.ConvertOptions(column_types=texts)
    return pyarrow.csv.read_csv(folder / "table.csv", convert_options=options)


def quality_table(scores: list[dict], costs: dict) -> str:
    """Return the table in Markdown.

    Args:
        scores: rows of `scores_of`.
        costs: columns of the costs of the explainers.
    """
    rows = {(row["explainer"], row["metric"]): row for row in scores}
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


def _label(row: dict) -> str:
    name = f"*{row['explainer']}*" if row["is_control"] else row["explainer"]
    return name + (" ✗" if FAILED in row["marks"] else "")


def _cell(row: dict | None) -> str:
    if row is None or _is_missing(row["mean"]):
        return "-"
    has_interval = not _is_missing(row["mean_low"]) and not _is_missing(row["mean_high"])
    interval = f" ± {(row['mean_high'] - row['mean_low']) / 2:.2f}" if has_interval else ""
    return f"{row['mean']:.2f}{interval}{' °' if 'circular' in row['marks'] else ''}"


def _is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


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


def counts(scores: list[dict]) -> str:
    """Return the number of images, and that of metrics that were computed for fewer images."""
    own = [row for row in scores if not row["explainer"].startswith("blurred(")]
    measured = {row["metric"]: row["measured"] for row in own if row["metric"] in COLUMNS}
    most = max(measured.values())
    fewer = [f"{count} for {name}" for name, count in measured.items() if count < most]
    remark = f" ({', '.join(fewer)})" if fewer else ""
    return f"{most} images{remark}."


def main(arguments: list[str] | None = None) -> None:
    parser = folder_parser(__doc__)
    parser.add_argument(
        "--newer", type=Path, metavar="FOLDER", help="its metrics replace those of the first folder"
    )
    parser.add_argument("--write", metavar="NAME", help="of the table in README.md to replace")
    args = parser.parse_args(arguments)
    table = scores_of(args.folder, args.newer)
    scores = table.to_pylist()
    costs = pyarrow.parquet.read_table(args.folder / "costs.parquet").to_pydict()
    text = f"{counts(scores)}\n\n{quality_table(scores, costs)}"
    print(text)
    if args.write:
        fill_in_table(f"quality_table.py {args.write}", text)
        pyarrow.csv.write_csv(table, RESULTS / f"quality-{args.write}.csv")


if __name__ == "__main__":
    main()
