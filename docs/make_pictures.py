"""Renews the pictures of the documentation from the results of `convviz demo`.

    python docs/make_pictures.py [DEMO]

DEMO is a folder that the demo wrote; without it the demo is run in a temporary folder.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

import convviz
from convviz_plugins.commands.demo import PHOTOS, run_demo

HOME = Path(__file__).parent / "pictures"
WIDTH = 800
LOSS = 24
"""How far a colour may move (of 255) before a picture keeps all of its own."""
SOURCES = {
    "filters": "*digit*/filters/*/picture*.png",
    "activations": "chelsea/activations/*/picture*.png",
    "neighbors": "digits/results/neighbors/*/neighbors.png",
    "embedding": "digits/results/embedding/*/scatter.png",
    "embedding_grid": "digits/results/embedding/*/grid.png",
    "statistics": "digits/results/statistics/*/profile.png",
    "statistics_classes": "digits/results/statistics/*/classes.png",
    "predictions": "digits/results/predictions/accuracy/picture.png",
    "patches": "digits/results/patches/*/picture-1.png",
    "occlusion": "coffee/occlusion/picture.png",
    "ablation": "coffee/ablation/*/picture.png",
    "flip": "chelsea/flip/picture.png",
    "saliency": "chelsea/saliency/picture.png",
    "grabcut": "coffee/grabcut/picture.png",
    "input_x_gradient": "coffee/input_x_gradient/picture.png",
    "integrated_gradients": "chelsea/integrated_gradients/picture.png",
    "grad_cam": "coffee/grad_cam/*/picture.png",
    "guided_grad_cam": "coffee/guided_grad_cam/*/picture.png",
    "guided_backprop": "coffee/guided_backprop/picture.png",
}
"""Picture -> where it is in the demo's folder; the last match is taken."""
FURTHER: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rise": ("chelsea", "rise", {"masks": 2000}),
    "occlusion_segments": ("coffee", "occlusion", {"segments": 50}),
    "captum": ("chelsea", "captum.feature_ablation", {"features": "slic", "feature_count": 60}),
    "pytorch_grad_cam": ("chelsea", "pytorch_grad_cam.grad_cam_plus_plus", {}),
    "zennit": ("chelsea", "zennit.epsilon_plus_flat", {}),
}
"""Picture that the demo does not make -> photo, explainer and parameters."""
WITHOUT_PHOTO: dict[str, tuple[str, list[int], dict[str, Any]]] = {
    "feature_visualization": ("mobilenet_v2@IMAGENET1K_V1", [954, 281, 967], {}),
}
"""Picture of an explainer that needs no photo -> model, targets and parameters."""
NETWORKS = {"zennit": "mobilenet_v2@IMAGENET1K_V1"}
"""Picture -> its network instead of the demo's; torch.fx cannot trace that one."""


def main(arguments: list[str]) -> None:
    """Write all pictures, small enough to be kept with the sources."""
    with tempfile.TemporaryDirectory() as temporary:
        demo = Path(arguments[0]) if arguments else Path(temporary) / "demo"
        if not arguments:
            run_demo(demo)
        HOME.mkdir(exist_ok=True)
        for name, pattern in SOURCES.items():
            found = sorted(demo.glob(pattern))
            if not found:
                raise SystemExit(f"{demo} has no {pattern}")
            shrink(found[-1], HOME / f"{name}.png")
        for name, (photo, explainer, parameters) in FURTHER.items():
            network = NETWORKS.get(name, "demo")
            explain_photo(network, photo, explainer, parameters, demo / "further" / name)
            shrink(demo / "further" / name / "picture.png", HOME / f"{name}.png")
        for name, (model, targets, parameters) in WITHOUT_PHOTO.items():
            explainer = convviz.explainer(name, **parameters)
            explanation = convviz.explain(convviz.load_model(model), None, explainer, targets)
            explanation.save(demo / "further" / name)
            shrink(demo / "further" / name / "picture.png", HOME / f"{name}.png")


def explain_photo(
    network: str, photo: str, name: str, parameters: dict[str, Any], out: Path
) -> None:
    """Explain one of the demo's photos with a network."""
    package, inside = PHOTOS[photo]
    explainer = convviz.explainer(name, **parameters)
    with as_file(files(package).joinpath(inside)) as path:
        image = path if explainer.needs_image else None
        convviz.explain(convviz.load_model(network), image, explainer).save(out)


def shrink(source: Path, out: Path) -> None:
    """Write a picture at most WIDTH pixels wide, in 256 colours where that does not show."""
    with Image.open(source) as image:
        picture = image.convert("RGB")
    if picture.width > WIDTH:
        height = round(picture.height * WIDTH / picture.width)
        picture = picture.resize((WIDTH, height), Image.Resampling.LANCZOS)
    slim = picture.quantize(256)
    lost = ImageChops.difference(picture, slim.convert("RGB")).getextrema()
    shows = max(high for _, high in lost) > LOSS
    (picture if shows else slim).save(out, optimize=True)
    print(f"{out.name}: {picture.width} x {picture.height}, {out.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
