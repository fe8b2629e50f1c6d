"""How the demo networks came to be: drawn people, aligned crops, two transformers, and what was measured on others."""
