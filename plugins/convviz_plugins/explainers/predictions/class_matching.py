"""Which output of a model each class of a data set is."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from convviz import ParameterError

UNMATCHED = -1
NAMED = 3
"""Maximum number of classes that a note lists."""

HOW_TO_MAP = (
    "Give the outputs of these classes by `--classes FILE`, or in Python by "
    'predictions=convviz.explainer("predictions", classes=…)'
)
_WORDNET = re.compile(r"[nvars]\d{8}[\s_-]+(?P<name>.+)")
"""A WordNet id before a name: n01484850_great_white_shark."""

Mapped = Mapping[str, int | str]


@dataclass(frozen=True)
class Matching:
    """The output of each class of a data set.

    Attributes:
        outputs: class -> output, in the order of the classes; -1 for none. Empty if the classes
            do not match.
        note: how the classes were matched, or why they do not match; may be empty.
    """

    outputs: dict[str, int]
    note: str = ""


def match_classes(classes: Sequence[str], used: Collection[str], labels: Sequence[str]) -> Matching:
    """Match the classes of a data set to the labels of a model, by name or as output indices.

    Only a complete match counts: each class in use is one label and no label is two classes.

    Args:
        classes: of the data set.
        used: the classes that items have as their label.
        labels: of the model; may be empty.
    """
    if not used:
        return Matching({})
    matches = {name: outputs_called(name, labels) for name in classes}
    problem = _problem({name: matches[name] for name in classes if name in used}, labels)
    if not problem:
        return Matching({n: m[0] if len(m) == 1 else UNMATCHED for n, m in matches.items()})
    numbers = {name: _index(name) for name in classes}
    if all(numbers[name] is not None for name in used):
        outputs = {n: UNMATCHED if i is None else i for n, i in numbers.items()}
        highest = max(outputs[name] for name in used)
        if labels and highest >= len(labels):
            return Matching({}, too_high(highest, len(labels)))
        return Matching(outputs, "Labels are numbers, read as indices of the model's outputs.")
    return Matching({}, f"No correctness: {problem}. {HOW_TO_MAP}.")


def apply_mapping(
    mapping: Mapped, classes: Sequence[str], used: Collection[str], labels: Sequence[str]
) -> dict[str, int]:
    """Return class -> output by a given mapping, and by name for classes that it lacks.

    Raises:
        ParameterError: an output does not exist, or a class in use has none.
    """
    outputs = {name: _output(name, mapping[name], labels) for name in classes if name in mapping}
    for name in classes:
        if name not in outputs:
            by_name = outputs_called(name, labels)
            outputs[name] = by_name[0] if len(by_name) == 1 else UNMATCHED
    missing = [n for n in classes if n in used and n not in mapping and outputs[n] == UNMATCHED]
    if missing:
        raise ParameterError(
            f"classes: the mapping lacks {_list(missing)}; -1 (in CSV an empty cell) stands for a "
            "class that is none of the model's"
        )
    return {name: outputs[name] for name in classes}


def outputs_called(name: str, labels: Sequence[str]) -> list[int]:
    """Return the outputs that a class name can mean.

    The name itself is tried first, then the part after a WordNet id, each as the whole label, then
    as one of the synonyms of a label, which are separated by commas. Case does not matter, and
    neither do underscores and hyphens in place of spaces.
    """
    exact, whole, synonyms = _outputs_by_name(tuple(labels))
    if name in exact:
        return exact[name]
    wordnet = _WORDNET.fullmatch(name)
    for candidate in (name, *([wordnet["name"]] if wordnet else [])):
        words = _normal(candidate)
        if outputs := whole.get(words) or synonyms.get(words):
            return outputs
    return []


@functools.lru_cache(maxsize=8)
def _outputs_by_name(labels: tuple[str, ...]) -> tuple[dict[str, list[int]], ...]:
    """Return the outputs by label, by normalized label, and by normalized synonym."""
    exact: dict[str, list[int]] = {}
    whole: dict[str, list[int]] = {}
    synonyms: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        exact.setdefault(label, []).append(index)
        whole.setdefault(_normal(label), []).append(index)
        for word in {_normal(part) for part in label.split(",")}:
            synonyms.setdefault(word, []).append(index)
    return exact, whole, synonyms


def _problem(matches: Mapping[str, Sequence[int]], labels: Sequence[str]) -> str:
    """Return why classes do not match the labels of a model; "" if they do."""
    if not labels:
        return "the model has no class names"
    unknown = [name for name, outputs in matches.items() if not outputs]
    if unknown:
        return f"{_list(unknown)} of the data set {_are(unknown)} among the model's labels by name"
    several = [name for name, outputs in matches.items() if len(outputs) > 1]
    if several:
        outputs = ", ".join(map(str, matches[several[0]]))
        return f"{_list(several)} may mean several of the model's classes ({outputs})"
    by_output: dict[int, list[str]] = {}
    for name, (output,) in matches.items():
        by_output.setdefault(output, []).append(name)
    shared = next((names for names in by_output.values() if len(names) > 1), None)
    return f"{_list(shared)} of the data set are the same class of the model" if shared else ""


def _output(name: str, value: int | str, labels: Sequence[str]) -> int:
    """Return the output that a mapping gives to a class."""
    if isinstance(value, int):
        if value < UNMATCHED or (labels and value >= len(labels)):
            raise ParameterError(
                f"classes: {name!r} has the output {value}; outputs are "
                + (f"0 to {len(labels) - 1}, or -1 for none" if labels else "0 and above")
            )
        return value
    outputs = outputs_called(value, labels)
    if len(outputs) != 1:
        why = "is none of the model's labels" if not outputs else "names several of its outputs"
        raise ParameterError(f"classes: {name!r} is mapped to {value!r}, which {why}")
    return outputs[0]


def _normal(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.casefold())).strip()


def _index(name: str) -> int | None:
    """Return the number that a class name is; None for other names and for leading zeros."""
    if name in ("False", "True"):
        return int(name == "True")
    return int(name) if name.isascii() and name.isdecimal() and str(int(name)) == name else None


def too_high(index: int, count: int) -> str:
    """Return the note on a label that is not an output."""
    return (
        f"No correctness: label {index} is not an output of the model, which has the outputs 0 to "
        f"{count - 1}. {HOW_TO_MAP}."
    )


def _are(names: Sequence[str]) -> str:
    return "is not" if len(names) == 1 else "are not"


def _list(names: Iterable[str]) -> str:
    """Return the number of the classes and the first ones."""
    names = list(names)
    first = ", ".join(repr(name) for name in names[:NAMED])
    noun = "class" if len(names) == 1 else "classes"
    return f"{noun} {first}" if len(names) <= NAMED else f"{len(names)} classes ({first}, …)"
