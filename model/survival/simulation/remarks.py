"""What to make of the numbers."""

from __future__ import annotations

REMARKS = """
"""
