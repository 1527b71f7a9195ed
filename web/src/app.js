// Starts the scripts of the page that <body data-page="…"> names.
import { markReady } from "./core.js";
import { startDataset } from "./dataset.js";
import { startImage } from "./image.js";
import { startImages } from "./images.js";
import { startLayer } from "./layer.js";
import { enhanceTables } from "./tables.js";

const startBenchmark = () => {
  enhanceTables();
  markReady();
};

const pages = { benchmark: startBenchmark, dataset: startDataset, image: startImage, images: startImages, layer: startLayer };

const start = pages[document.body.dataset.page];
if (start) start();
else markReady();
