"""Do the numbers repeat? What a figure rests on, how far it moves from what is committed, under which settings."""
