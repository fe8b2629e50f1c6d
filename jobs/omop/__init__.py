"""Scores in OMOP's own form: `measurement`, and the Medical Imaging extension, in a schema the hospital names."""
