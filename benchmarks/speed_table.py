"""The table of `convviz bench speed` in Markdown, for README.md.

    convviz bench speed -m demo … --out FOLDER
    python benchmarks/speed_table.py FOLDER          # prints the table
    python benchmarks/speed_table.py FOLDER --write  # also into README.md and results/speed.json

Methods of other packages follow the explainer that they are compared with, after a dash.
"""

from __future__ import annotations

import shutil

from _common import RESULTS, fill_in_table, folder_parser, table

from convviz import SpeedRecord
from convviz.evaluation.speed_table import HEADER, cells


def speed_table(record: SpeedRecord) -> str:
    """Return the table with the facts of the measurement."""
    facts, commit = record.machine, record.commit or "unknown"
    threads = facts["threads"]
    place = (
        f"{record.date[:10]}, {record.model['name']}, {record.images}; {facts['cpu']}, {threads} "
        f"{'thread' if threads == 1 else 'threads'}, load {facts['load_before'][0]:.1f} before and "
        f"{facts['load_after'][0]:.1f} after; commit {commit[:8]}."
    )
    rows = [
        [f"- {c.strip()}" if row.peer_of and not i else c for i, c in enumerate(cells(row, record))]
        for row in record.rows
    ]
    failed = [f"- not measured: {name}: {reason}" for name, reason in record.failed.items()]
    return "\n".join([place, "", table(list(HEADER), rows), *([""] if failed else []), *failed])


def main(arguments: list[str] | None = None) -> None:
    parser = folder_parser(__doc__)
    parser.add_argument("--write", action="store_true", help="replace the table of README.md")
    args = parser.parse_args(arguments)
    text = speed_table(SpeedRecord.load(args.folder))
    print(text)
    if args.write:
        fill_in_table("speed_table.py", text)
        shutil.copy(args.folder / "speed.json", RESULTS / "speed.json")


if __name__ == "__main__":
    main()
