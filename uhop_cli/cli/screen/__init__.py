"""What a person sees: words, pictures, answers."""
