"""Numbers and ranges as text."""

from __future__ import annotations

import pytest

from convviz import ParameterError
from convviz.results.number_ranges import numbers_of, numbers_of_parts, ranges_of


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("7", (7,)),
        ("100-102,130", (100, 101, 102, 130)),
        (" 3 , 1 - 2 ", (3, 1, 2)),
        ("2,1-3,2", (2, 1, 3)),
    ],
)
def test_numbers_keep_their_order_without_repetitions(text, numbers):
    assert numbers_of(text) == numbers
    assert numbers_of(ranges_of(numbers)) == numbers


def test_parts_are_numbers_or_texts():
    assert numbers_of_parts(5) == (5,)
    assert numbers_of_parts([1, "3-4"]) == (1, 3, 4)
    assert numbers_of_parts(()) == ()
    assert ranges_of((0, 1, 2, 4)) == "0-2,4"


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "-1", "1.5", "1,,2", "3-1", "0-99999999", "1" * 20]
)
def test_other_texts_are_refused(text):
    with pytest.raises(ParameterError):
        numbers_of(text)
