"""Names of classes on a map of points: where they lie, and that none covers another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from convviz import Points
from convviz.render import Scene, points
from convviz.render.output import look
from convviz.render.place_names import densest_places, name_places, spread_apart
from convviz.render.style import new_figure


def clusters(centres, count: int = 60, spread: float = 0.5, seed: int = 0):
    """Return points around centres, `[n, 2]`, and their labels `[n]`."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(centre, spread, (count, 2)) for centre in centres]
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), count)


def nearest_labels(places, places_of, labels, k: int = 15):
    """Return for each named place the share of its own class among the k nearest points."""
    shares = {}
    for label, place in places.items():
        away = np.hypot(*(places_of - place).T)
        shares[label] = float((labels[np.argsort(away)[:k]] == label).mean())
    return shares


def test_names_lie_among_the_points_of_their_class() -> None:
    centres = [(0, 0), (6, 1), (3, 5), (-4, 4)]
    where, labels = clusters(centres)
    places = densest_places(where, labels)
    assert list(places) == [0, 1, 2, 3]
    for label, place in places.items():
        assert np.hypot(*(np.array(place) - centres[label])) < 0.5
    assert min(nearest_labels(places, where, labels).values()) == 1


def test_of_two_islands_the_denser_one_bears_the_name() -> None:
    """The mean of all points would lie between them, where no point of the class is."""
    rng = np.random.default_rng(0)
    loose, dense = rng.normal((0, 0), 1.5, (80, 2)), rng.normal((20, 0), 0.3, (50, 2))
    other = rng.normal((10, 0), 0.5, (60, 2))
    where = np.concatenate([loose, dense, other])
    labels = np.repeat([0, 0, 1], [80, 50, 60])
    x, y = densest_places(where, labels)[0]
    assert (x, y) == pytest.approx((20, 0), abs=0.3)


def test_where_another_class_is_denser_a_name_goes_to_a_place_of_its_own() -> None:
    rng = np.random.default_rng(0)
    crowd, own = rng.normal((0, 0), 0.3, (60, 2)), rng.normal((8, 0), 0.4, (45, 2))
    others = rng.normal((0, 0), 0.3, (600, 2))
    where = np.concatenate([crowd, own, others])
    places = densest_places(where, np.repeat([0, 0, 1], [60, 45, 600]))
    assert places[0] == pytest.approx((8, 0), abs=0.5)
    assert places[1] == pytest.approx((0, 0), abs=0.5)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_classes_of_few_points_have_a_place_at_one_of_them(count: int) -> None:
    where, labels = clusters([(0, 0), (9, 9)], count, spread=0.0)
    assert densest_places(where, labels) == {0: (0.0, 0.0), 1: (9.0, 9.0)}


def test_points_without_class_or_place_are_ignored() -> None:
    where, labels = clusters([(0, 0), (5, 5)])
    more = np.concatenate([where, [[np.nan, 1.0], [50.0, 50.0]]])
    places = densest_places(more, np.concatenate([labels, [0, -1]]))
    assert list(places) == [0, 1]
    assert np.hypot(*places[0]) < 0.5
    assert densest_places(np.full((2, 2), np.nan), np.zeros(2, int)) == {}


def overlaps(centres, sizes) -> int:
    pairs = itertools.combinations(range(len(centres)), 2)
    return sum(
        bool((np.abs(centres[i] - centres[j]) < (sizes[i] + sizes[j]) / 2).all()) for i, j in pairs
    )


def test_boxes_that_do_not_overlap_stay() -> None:
    anchors, sizes = np.array([[50.0, 50], [150, 50], [50, 90]]), np.full((3, 2), (40.0, 15))
    centres = spread_apart(anchors, sizes, (0, 0, 300, 300))
    assert centres is not None
    assert np.array_equal(centres, anchors)


@pytest.mark.parametrize("seed", range(5))
def test_boxes_are_parted_and_stay_near_their_places(seed: int) -> None:
    rng = np.random.default_rng(seed)
    anchors = rng.uniform(60, 540, (14, 2))
    anchors[1] = anchors[0]  # at one place
    sizes = np.stack([rng.uniform(30, 90, 14), np.full(14, 15.0)], 1)
    centres = spread_apart(anchors, sizes, (0, 0, 600, 600))
    assert centres is not None
    assert overlaps(centres, sizes) == 0
    assert np.hypot(*(centres - anchors).T).max() <= 3.5 * 15
    assert ((centres - sizes / 2 >= 0) & (centres + sizes / 2 <= 600)).all()


def test_too_many_boxes_at_one_place_are_given_up() -> None:
    anchors = np.full((20, 2), 300.0)
    assert spread_apart(anchors, np.full((20, 2), (60.0, 15)), (0, 0, 600, 600)) is None


def drawn(where: np.ndarray, labels: np.ndarray, names: list[str]) -> tuple[bool, list[str]]:
    """Name classes on a map; return whether they fit, and the names that are there."""
    with look():
        figure = new_figure(6, 6)
        axes = figure.add_subplot()
        axes.scatter(*where.T)
        fits = name_places(axes, densest_places(where, labels), names)
        boxes = [text.get_window_extent() for text in axes.texts]
    centres = np.array([((b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2) for b in boxes]).reshape(-1, 2)
    sizes = np.array([(b.width, b.height) for b in boxes]).reshape(-1, 2)
    assert overlaps(centres, sizes) == 0
    return fits, [text.get_text() for text in axes.texts]


def test_all_classes_are_named_also_those_that_lie_in_one_place() -> None:
    where, labels = clusters([(0, 0), (0.1, 0), (0, 0.1), (7, 7)])
    names = ["cat", "dog", "caterpillar", "ship"]
    assert drawn(where, labels, names) == (True, names)


def test_where_not_all_names_fit_there_are_none() -> None:
    where, labels = clusters([(0, 0)] * 18, spread=0.01)
    far = np.concatenate([where, [[100.0, 100.0]]])
    names = [f"a class of number {i}" for i in range(18)]
    assert drawn(far, np.concatenate([labels, [-1]]), names) == (False, [])


def test_a_map_whose_names_do_not_fit_says_so() -> None:
    where, labels = clusters([(0, 0)] * 18, spread=0.01)
    where[0] = 100
    classes = tuple(f"a class of number {i}" for i in range(18))
    for spots, fit in ((where, False), (clusters([(i % 5, i // 5) for i in range(18)])[0], True)):
        result = Points(
            torch.from_numpy(spots),
            arrays={"labels": torch.from_numpy(labels)},
            classes=classes,
            axes=("x", "y"),
        )
        with look():
            (drawing,) = points.draw(result, Scene())
        assert any("legend only" in note for note in drawing.notes) is not fit
