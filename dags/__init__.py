"""When the jobs run and in what order. Thin: nothing heavy is imported at parse, and nothing imports from here."""
