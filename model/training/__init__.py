"""How the demo networks came to be: drawn people, aligned crops, two vision transformers, and what was measured on others."""
