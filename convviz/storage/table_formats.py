"""Arrow tables as pandas data frames, CSV, JSON and Parquet."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal, get_args

from ..errors import ConvvizError, ParameterError, printable

TableFormat = Literal["csv", "json", "parquet"]
TABLE_FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet may run a text that starts with one of these as a formula."""

_ROWS = 4096


def arrow_table(columns: Mapping[str, Sequence[Any] | Any]) -> Any:
    """Return columns (NumPy arrays, or lists with None for missing values) as an Arrow table."""
    import pyarrow as pa

    return pa.table({name: _arrow_column(values) for name, values in columns.items()})


def _arrow_column(values: Any) -> Any:
    import pyarrow as pa

    if isinstance(values, list) and any(isinstance(value, str) for value in values):
        # A file name that is not UTF-8 has lone surrogates, which Arrow cannot hold.
        values = [
            v.encode("utf-8", "backslashreplace").decode() if isinstance(v, str) else v
            for v in values
        ]
        return pa.array(values, pa.string())
    return pa.array(values)


def to_pandas(table: Any) -> Any:
    """Return an Arrow table as a pandas data frame.

    Raises:
        ConvvizError: pandas is not installed.
    """
    try:
        import pandas  # noqa: F401
    except ImportError as error:
        raise ConvvizError("to_pandas() requires pandas: pip install pandas") from error
    return table.to_pandas()


def write_table(table: Any, file: IO[bytes], kind: TableFormat) -> None:
    """Write an Arrow table to a binary file.

    In CSV, missing values and NaN are empty, control characters in texts are escaped, and a text
    that a spreadsheet might run as a formula gets an apostrophe before it. JSON is one list with an
    object per row, where NaN and infinite values are null; Parquet keeps all values.
    """
    if kind not in TABLE_FORMATS:
        raise ParameterError(f"format={kind!r} is not one of {', '.join(TABLE_FORMATS)}")
    {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}[kind](table, file)


def table_format(format: str | None, path: Path | None) -> TableFormat:
    """Return a format by its name, or by the suffix of a file; CSV without either.

    Raises:
        ParameterError: there is no such format.
    """
    suffix = path.suffix.lstrip(".").casefold() if path is not None else ""
    name = format or (suffix if suffix in TABLE_FORMATS else "csv")
    for known in TABLE_FORMATS:
        if name == known:
            return known
    raise ParameterError(f"format={format!r} is not one of {', '.join(TABLE_FORMATS)}")


def _write_csv(table: Any, file: IO[bytes]) -> None:
    from pyarrow import csv

    names = [_safe_text(name) for name in table.column_names]
    columns = [_csv_column(column) for column in table.columns]
    safe = type(table).from_arrays(columns, names=names)
    csv.write_csv(safe, file, csv.WriteOptions(quoting_style="needed"))


def _csv_column(column: Any) -> Any:
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_floating(column.type):
        return compute.if_else(compute.is_nan(column), pa.scalar(None, column.type), column)
    if pa.types.is_string(column.type):
        return pa.array([None if v is None else _safe_text(v) for v in column.to_pylist()])
    return column


def _safe_text(text: str) -> str:
    """Return a text that neither a spreadsheet nor a terminal executes."""
    line = printable(text)
    return f"'{line}" if text.startswith(FORMULA_STARTS) else line


def _write_json(table: Any, file: IO[bytes]) -> None:
    separator = b"[\n"
    for batch in table.to_batches(max_chunksize=_ROWS):
        for row in batch.to_pylist():
            plain = {name: _json_value(value) for name, value in row.items()}
            # ASCII only: escapes instead of characters that a terminal executes.
            file.write(separator + json.dumps(plain, allow_nan=False).encode("ascii"))
            separator = b",\n"
    file.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def _write_parquet(table: Any, file: IO[bytes]) -> None:
    from pyarrow import parquet

    buffer = io.BytesIO()  # standard output cannot seek
    parquet.write_table(table, buffer, compression="zstd")
    file.write(buffer.getvalue())
