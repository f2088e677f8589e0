"""Local descriptors: stored pictures found by small parts of them, so that crops, rotations and screenshots are found."""
