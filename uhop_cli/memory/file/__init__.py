"""The memory file: safetensors, read as hostile, written whole or not at all."""
