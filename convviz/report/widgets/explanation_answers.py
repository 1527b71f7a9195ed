"""What the widget of explanations shows, computed when it asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import ParameterError
from ...explanation.display import title
from ...explanation.explanation import Explanation
from ...results.types import Heatmap
from ..image_maps import maps_of, maps_record
from .pictures import data_uri, embed


class ExplanationAnswers:
    """Answers the questions of the widget of explanations.

    Args:
        explanations: explanations of the same images.
    """

    def __init__(self, explanations: Sequence[Explanation]) -> None:
        self._maps = [e for e in explanations if _is_map(e)]
        self._others = [e for e in explanations if not _is_map(e)]
        self.answers: Mapping[str, Callable[..., Any]] = {"names": self.names, "image": self.image}

    @property
    def count(self) -> int:
        """The number of images with maps; 1 without maps."""
        return max((len(e.values) for e in self._maps), default=1)

    def names(self) -> list[str]:
        """Return the names of the images."""
        return [self._name(image) for image in range(self.count)]

    def image(self, image: int) -> dict[str, Any]:
        """Return the maps of an image, and the pictures of results that are not maps."""
        if type(image) is not int or not 0 <= image < self.count:
            raise ParameterError(f"image {image!r:.40}: there are {self.count}")
        maps = [m for e in self._maps if image < len(e.values) for m in maps_of(e, image)]
        return {
            "title": self._name(image) if self._maps else title(self._others[0]),
            "maps": maps_record(maps, embed) if maps else None,
            "pictures": [
                {"source": data_uri(picture.png, "png"), "caption": picture.caption}
                for explanation in self._others
                for picture in explanation.pictures()
            ],
        }

    def _name(self, image: int) -> str:
        items = self._maps[0].items if self._maps else ()
        return items[image].source if image < len(items) else f"image {image + 1}"


def _is_map(explanation: Explanation) -> bool:
    result = explanation.result
    return isinstance(result, Heatmap) and not result.classes
