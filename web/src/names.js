// Names of classes.

/** Returns the names of the class that is the label of an image: that of the data set and of the model. */
export function labelNames(site, item) {
  if (item.label === null) return [];
  const output = site.class_outputs?.[item.label];
  const names = [site.classes[item.label], site.outputs[output]];
  return [...new Set(names.filter((name) => name !== undefined && name !== null))];
}

/** Returns the site with the names of the outputs of the second run. */
export const siteOfSecond = (site) => ({ ...site, outputs: site.second?.outputs ?? site.outputs });

/** Returns the name of a class of the model of the second run. */
export const secondOutputName = (site, output) => outputName(siteOfSecond(site), output);

/** Names the first run, where two runs are shown. */
export const ofFirstRun = (site) => site.second && ` in ${site.run}`;

/** Returns whether both runs predict the same class for an image; null if one of them predicts none. */
export function isSamePrediction(site, { predicted, second }) {
  if ([predicted, second.predicted].some((output) => output === null || output < 0)) return null;
  if (!site.second.comparable) return null;
  if (!site.second.outputs) return predicted === second.predicted; // names may repeat
  return outputName(site, predicted) === secondOutputName(site, second.predicted);
}

/** Returns the name of a class of the model. */
export const outputName = (site, output) =>
  output === null || output < 0 ? "" : (site.outputs[output] ?? String(output));
