"""Evaluations of a model on photos it was not trained on: by age, by survival, under nuisance, by where it looks."""
