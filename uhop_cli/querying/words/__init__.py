"""How answers are put into words, on the screen and in JSON."""
