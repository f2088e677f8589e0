"""What a person sees: columns and colours, words, pictures, answers."""
