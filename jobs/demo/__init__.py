"""The demo hospital: four hundred patients who never lived, their records, and photographs of faces nobody has."""
