"""The science: a photo, its face, the networks that read it, and how they were trained. Knows nothing of the hospital."""
