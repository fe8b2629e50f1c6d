"""Simulation study of the survival statistics: worlds whose truth is known, drawn again and again.

`python -m model.survival.simulation docs/simulation.md` draws, measures and writes the page.
"""
