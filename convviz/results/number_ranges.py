"""Numbers and ranges of numbers as text: "100-120,130"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..errors import ParameterError

MAX_NUMBERS = 100_000
"""Maximum number of numbers that a text may name."""

_RANGE = re.compile(r"\s*(\d{1,12})\s*(?:-\s*(\d{1,12})\s*)?")


def numbers_of(text: str) -> tuple[int, ...]:
    """Return the numbers that a text names, without repetitions: "5,8-10" names 5, 8, 9 and 10.

    Raises:
        ParameterError: the text is not a list of numbers and ranges, or names too many.
    """
    numbers: dict[int, None] = {}
    for part in text.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ParameterError(
                f"{text!r} is not a list of numbers and ranges, such as 100-120,130"
            )
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first:
            raise ParameterError(f"the range {part.strip()!r} ends before it begins")
        if last - first + len(numbers) >= MAX_NUMBERS:
            raise ParameterError(f"{text!r} names more than {MAX_NUMBERS:,} numbers")
        numbers.update(dict.fromkeys(range(first, last + 1)))
    return tuple(numbers)


def numbers_of_parts(parts: int | str | Iterable[int | str]) -> tuple[int, ...]:
    """Return the numbers of a number, a text as for `numbers_of`, or several of these."""
    several = [parts] if isinstance(parts, int | str) else list(parts)
    return numbers_of(",".join(map(str, several))) if several else ()


def ranges_of(numbers: Sequence[int]) -> str:
    """Return numbers as text, the inverse of `numbers_of`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)
