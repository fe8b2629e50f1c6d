"""How good a model is, on photos it was not trained on: arrays and frames in, numbers with intervals out."""
