"""The calls of layers in a forward pass: names, captured outputs, default layers."""
