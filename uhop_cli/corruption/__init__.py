"""Every damage that a picture can suffer, on patterns."""
