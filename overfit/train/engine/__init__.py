"""How many nets train at once: as a population, in lanes, by compiled programs, on every device."""
