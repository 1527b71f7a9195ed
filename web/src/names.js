// Names of classes.

/** Returns the names of the class that is the label of an image: that of the data set and of the model. */
export function labelNames(site, item) {
  if (item.label === null) return [];
  const output = site.class_outputs?.[item.label];
  const names = [site.classes[item.label], site.outputs[output]];
  return [...new Set(names.filter((name) => name !== undefined && name !== null))];
}

/** Returns the name of a class of the model of the second run. */
export const secondOutputName = (site, output) =>
  output === null || output < 0 ? "" : ((site.second?.outputs ?? site.outputs)[output] ?? String(output));

/** Returns the name of a class of the model. */
export const outputName = (site, output) =>
  output === null || output < 0 ? "" : (site.outputs[output] ?? String(output));
