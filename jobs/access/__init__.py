"""Who may see the persons of which cohort, and under which names."""
