"""Survival statistics: from one row a person to hazard ratios, Kaplan-Meier curves and cross-fitted predictions.

Takes frames, knows no database. Formulas and their sources: docs/statistics.md.
"""
