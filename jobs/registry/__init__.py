"""Tumour registries: read a file, judge its records, and put them where SQL joins them with scores."""
