"""The list of images, with search and filters."""

from __future__ import annotations

from .site import Link, Site


def links(site: Site) -> list[Link]:
    """Return the entry of the navigation."""
    return [Link("images", "Images", "images.html")]


def request_pictures(site: Site) -> None:
    """Request nothing: the list shows the thumbnails of all images."""


def write(site: Site) -> None:
    """Write `images.html`; the chunks of images are those of all pages."""
    site.write_page("images.html", "images.html", "images")
