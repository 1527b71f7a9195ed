// Stands for deck.gl: the map of the widget is drawn on a 2D canvas, so that the bundle stays small.
export class Deck {}
export class OrthographicView {}
export class ScatterplotLayer {}
