"""The records of the occlusion benchmark as a table."""

from __future__ import annotations

from _common import Record, table

TRIAL_POSITIONS = 64


def ratios(record: Record) -> Record:
    """Return how many times faster than its rivals convviz is, by the medians.

    Captum is compared with the public call, full passes with the incremental engine.
    """
    median = record["median_s"]
    dense = median["dense"] / median["incremental"]
    found = {"dense": dense, "share_of_bound": dense / record["mac_bound"]}
    if "captum" in median:
        public = median.get("convviz", median["incremental"])  # older records have the engine only
        found["captum"] = median["captum"] / public
        found["captum_as_passed"] = as_passed(record) / public
        if "bf16" in median:
            found["bf16"] = median["captum"] / median["bf16"]
    return found


def as_passed(record: Record) -> float:
    """Return Captum's seconds with the network in the layout it was passed in.

    Taken from its best trial: every position costs one forward pass, however many there are.
    """
    trials = record["captum_trials_s"]
    best = min(s for name, s in trials.items() if name.startswith("contiguous"))
    return extrapolated(record, best)


def extrapolated(record: Record, seconds: float) -> float:
    """Return the seconds of all positions from those of a trial."""
    return float(seconds) * record["positions"] / TRIAL_POSITIONS


def report(nets: Record) -> str:
    """Lay out the records as a table."""
    head = [
        "net",
        "windows",
        "Captum s",
        "dense s",
        "Winograd s",
        "incremental s",
        "public call s",
        "vs Captum",
        "as passed",
    ]
    head += ["vs dense", "MAC bound", "share", "deviation"]
    bf16 = any("bf16" in record for record in nets.values())
    if bf16:
        head += ["bf16 s", "bf16 vs Captum", "bf16 deviation"]
    return table(head, [_row(name, record, len(head)) for name, record in nets.items()])


def _row(name: str, record: Record, width: int) -> list[str]:
    if "not_incremental" in record:
        cells = [name, str(record["positions"]), *["-"] * 10, record["not_incremental"]]
        return cells + ["-"] * (width - len(cells))
    found, median = ratios(record), record["median_s"]
    cells = [
        name,
        str(record["positions"]),
        f"{median['captum']:.2f}" if "captum" in median else "-",
        f"{median['dense']:.2f}",
        f"{extrapolated(record, record['dense_winograd_trial_s']):.2f}",
        f"{median['incremental']:.2f}",
        f"{median['convviz']:.2f}" if "convviz" in median else "-",
        f"{found['captum']:.2f}x" if "captum" in found else "-",
        f"{found['captum_as_passed']:.2f}x" if "captum" in found else "-",
        f"{found['dense']:.2f}x",
        f"{record['mac_bound']:.2f}x",
        f"{found['share_of_bound']:.0%}",
        f"{record['deviation']['incremental_from_dense']:.1e}",
    ]
    if "bf16" in median:
        against = f"{found['bf16']:.2f}x" if "bf16" in found else "-"
        cells += [f"{median['bf16']:.2f}", against]
        cells.append(f"{record['deviation']['bf16_from_dense']:.1e}")
    elif "bf16" in record:
        cells += [record["bf16"]]
    return cells + ["-"] * (width - len(cells))
