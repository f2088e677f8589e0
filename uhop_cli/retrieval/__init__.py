"""Stage II: similarities, separation functions and the choice by evidence. Knows nothing of how a kernel was learned."""
