"""The width of a 95 % interval."""

NORMAL_97_5 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""
