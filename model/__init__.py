"""The science: a photo, its face, the networks that read it, their training. Knows nothing of the hospital."""
