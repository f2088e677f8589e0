"""Stage I: patterns -> KernelFamily. Knows nothing of memories or retrieval."""
