"""Items of a data set decoded and preprocessed ahead of the model."""
